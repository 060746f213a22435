"""The records of what may be relied on: when to answer, which classes to name, and what more pictures would bring.

Every rule is chosen on held-out probabilities of the training part; the test part only measures it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """From which confidence on an answer is given, so that only a chosen share of the answers is wrong.

    Attributes:
        risk: the share of wrong answers that was asked for, in (0, 1).
        confidence: the least confidence of an answer; None where too few held-out pictures are right to promise the
            risk at any.
        n_held_out: held-out pictures that it was chosen on.
        n_answered: those of them that are answered.
        n_wrong: the answered ones that are wrong.
    """

    risk: float
    confidence: float | None
    n_held_out: int
    n_answered: int
    n_wrong: int


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What answering only from a confidence on gives.

    Attributes:
        confidence: the least confidence of an answer.
        coverage: share of the pictures that are answered.
        risk: share of the answers that are wrong.
    """

    confidence: float
    coverage: float
    risk: float


@dataclass(frozen=True, slots=True)
class SetRule:
    """Which classes are named for a picture, so that the true one is among them for a chosen share of the pictures.

    Attributes:
        coverage: the share that was asked for, in (0, 1).
        probability: every class at least this probable is named, and the most probable one always.
        n_held_out: held-out pictures that it was chosen on.
    """

    coverage: float
    probability: float
    n_held_out: int


@dataclass(frozen=True, slots=True)
class MissRule:
    """From which probability on a picture counts as one of a class, so that few pictures of the class are missed.

    Attributes:
        label: index of the class.
        limit: the share of missed pictures that was asked for, in (0, 1).
        probability: the least probability of the class.
        n_held_out: held-out pictures of the class that it was chosen on.
        n_missed: those of them that are missed.
        promised: the share of missed pictures that these pictures rule out to be exceeded; above `limit` where
            they are too few.
    """

    label: int
    limit: float
    probability: float
    n_held_out: int
    n_missed: int
    promised: float


@dataclass(frozen=True, slots=True)
class Familiar:
    """What the training pictures look like to a frozen network, so that others can be told from them.

    Attributes:
        references: float32 (M, D), features of some training pictures, scaled to length 1.
        distances: float64 (M,), ascending: how far each of them is from those of other units.
    """

    references: npt.NDArray[np.float32]
    distances: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is done with the probabilities of a picture.

    Attributes:
        answer: when to answer at all.
        sets: which classes to name.
        miss: how not to miss one class, where that was asked for.
        familiar: what the training pictures look like, where a frozen network was used.
    """

    answer: AnswerRule
    sets: SetRule
    miss: MissRule | None = None
    familiar: Familiar | None = None


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """How often a quickly refitted output layer was wrong after learning from some of the training pictures.

    Attributes:
        n_images: training pictures that were learnt from.
        error: share of mistakes on training pictures that were set apart, over all repetitions; in [0, 1].
    """

    n_images: int
    error: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What so many training pictures, drawn like those at hand, are expected to give.

    Attributes:
        factor: times the pictures at hand.
        n_images: how many that is.
        accuracy: expected, in [0, 1].
        interval: of the accuracy that would be measured on as many test pictures as this run has; 90 %.
        gain: of the true accuracy then, less the true accuracy now; 90 %.
    """

    factor: float
    n_images: int
    accuracy: float
    interval: tuple[float, float]
    gain: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClassGain:
    """What twice as many pictures of every class are expected to bring one of them.

    Attributes:
        name: the class.
        n_images: its training pictures.
        expected: of its recall then, less its recall now.
        interval: of the same; 90 %.
    """

    name: str
    n_images: int
    expected: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Growth:
    """How accuracy grows with the number of training pictures.

    Attributes:
        points: what was measured on fewer pictures, ascending.
        level: the model's share of mistakes on held-out pictures over that of the refits' curve at as many pictures.
        forecasts: for more pictures, ascending.
        classes: one entry per class, the largest expected gain first.
    """

    points: tuple[GrowthPoint, ...]
    level: float
    forecasts: tuple[Forecast, ...]
    classes: tuple[ClassGain, ...]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture whose label is likelier to be wrong than others'.

    Attributes:
        index: of the picture, in `ImageTable.pictures`.
        suggested: index of the class that speaks most against its label.
        probability: of that class, by a model that did not see the picture; in [0, 1].
        of_label: the same for the class of its label.
    """

    index: int
    suggested: int
    probability: float
    of_label: float


@dataclass(frozen=True, slots=True)
class Trust:
    """What may be relied on, and what would help.

    Attributes:
        rules: what is done with probabilities.
        risks: what each level of confidence gives on the held-out pictures, the highest first.
        growth: what more pictures would bring, where that was found out.
        test_distances: float64 (N_test,), how far each test picture is from the training pictures, where that is known.
        left_out: what was not found out, and why, in whole sentences.
        suspects: held-out pictures whose labels are doubtful, the likeliest to be wrong first.
    """

    rules: Rules
    risks: tuple[RiskPoint, ...]
    growth: Growth | None = None
    test_distances: npt.NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()
