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


ROUNDING = 1e-9
"""A standard deviation of shares below this is none."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One part of the training pictures, held out of a model that learnt from the others.

    Attributes:
        repeat: which time over, from 0.
        n_train: pictures that were learnt from.
        n_test: pictures that were held out.
        accuracy: share of these that were right; in [0, 1].
        heads: the kind of output layer that was chosen in this fold, one for each network.
        gain: accuracy of the chosen model less that of the runner-up, both fitted in this fold; None without one.
    """

    repeat: int
    n_train: int
    n_test: int
    accuracy: float
    heads: tuple[str, ...]
    gain: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was chosen against the runner-up, fold by fold.

    Attributes:
        chosen: in words.
        runner_up: in words.
        gain: mean difference in accuracy, chosen less runner-up.
        spread: standard deviation of the difference over folds.
        interval: of the mean difference; 95 %, corrected for what folds share.
    """

    chosen: str
    runner_up: str
    gain: float
    spread: float
    interval: tuple[float, float]

    @property
    def shown(self) -> bool:
        """Whether these data show that one is better: the interval excludes 0, and the folds differ at all."""
        return self.spread > ROUNDING and not self.interval[0] <= 0.0 <= self.interval[1]


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What models get right that learn from all but one part of the training pictures.

    Attributes:
        n_folds: K, parts.
        n_repeats: R, times that the parts were drawn.
        folds: K R of them.
        accuracy: mean over folds; in [0, 1].
        spread: standard deviation over folds.
        interval: of the mean; 95 %, corrected for what folds share, within [0, 1].
        comparison: with the runner-up, where more than one model came into question.
    """

    n_folds: int
    n_repeats: int
    folds: tuple[Fold, ...]
    accuracy: float
    spread: float
    interval: tuple[float, float]
    comparison: Comparison | None = None

    @property
    def varies(self) -> bool:
        """Whether the folds differ at all; where they do not, the interval has no width and says nothing."""
        return self.spread > ROUNDING


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
        cross: cross-validation, where it was asked for.
    """

    rules: Rules
    risks: tuple[RiskPoint, ...]
    growth: Growth | None = None
    test_distances: npt.NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    cross: CrossValidation | None = None
