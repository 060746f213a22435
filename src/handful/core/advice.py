"""The records of advice: how like ImageNet a data set is, which of the paper's cases it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Similarity:
    """How much a data set is like ImageNet, as a pre-trained network sees it.

    Attributes:
        value: in (0, 1]; 0.5 is the border between "similar" and "not similar".
        interval: the values between which another draw of as many pictures would fall, about 95 times in 100; (0, 1)
            where there are too few pictures to tell.
        divergence: the distance behind the value, 0 or more (`transfer.similarity` says of what).
        n_pictures: pictures that were measured.
    """

    value: float
    interval: tuple[float, float]
    divergence: float
    n_pictures: int


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """One way to train, by the names of `TrainConfig`'s options; None where an option plays no part in that way.

    Attributes:
        strategy: the way of transfer.
        backbone: the network, or several joined by +.
        freeze: number of lowest layer groups that stay fixed.
        head: output layer, or new layers.
        lr: base learning rate.
        epochs: passes over the training pictures, at most.
        batch: pictures in a mini-batch.
        optimizer: which.
        schedule: of the rate.
        weight_factor: learning-rate factors of weights by layer.
        bias_factor: the same for biases.
    """

    strategy: Literal["features", "freeze", "full", "scratch"]
    backbone: str
    head: str
    freeze: int | None = None
    lr: float | None = None
    epochs: int | None = None
    batch: int | None = None
    optimizer: str | None = None
    schedule: str | None = None
    weight_factor: str | None = None
    bias_factor: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What to pass to `TrainConfig.of` to train this way."""
        values = {declared.name: getattr(self, declared.name) for declared in fields(self)}
        return {name: str(value) if name == "freeze" else value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that was measured, and what it means, in plain words."""

    name: str
    value: float | int | str
    meaning: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way that one could go, and why one would."""

    plan: TransferPlan
    reason: str


@dataclass(frozen=True, slots=True)
class Try:
    """A way that was tried before one was taken: trained on some training pictures, judged on the validation pictures.

    Attributes:
        plan: the way; options that the user gave stood in place of the plan's.
        reason: why there are no figures (it would take too long, it failed); "" where there are.
        seconds: wall-clock time that it took, or would take at most; 0 where that is not known.
        n_validation: validation pictures, the same for every way.
        accuracy: share of right answers among them, in [0, 1].
        loss: log loss on them.
        difference: its accuracy less that of the advised way; None of the advised way itself, and where that has none.
        standard_error: of the difference, over pictures and paired (`transfer.compare` says how).
    """

    plan: TransferPlan
    reason: str = ""
    seconds: float = 0.0
    n_validation: int = 0
    accuracy: float | None = None
    loss: float | None = None
    difference: float | None = None
    standard_error: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Which of the four cases of Petrovska et al. 2018, Fig. 5, a data set is, and what to do.

    Attributes:
        case: 1 small and similar, 2 small and not similar, 3 large and not similar, 4 large and similar.
        similarity: to ImageNet.
        n_images: pictures that the user gave to learn from, before a test part is drawn from them.
        n_classes: C.
        n_per_class: `n_images` / `n_classes`.
        plan: what to do.
        reasons: why, by the name of the plan's option.
        evidence: what the decision rests on.
        expects: what will come of it, in plain words.
        alternatives: other ways, the most promising first.
        command: the command that does it, or takes the way that did better where ways were tried; "" where the place
            of the pictures is not known.
        tries: the advised way and the others, where they were tried (`--strategy auto`); `handful advise` tries none.
    """

    case: Literal[1, 2, 3, 4]
    similarity: Similarity
    n_images: int
    n_classes: int
    n_per_class: float
    plan: TransferPlan
    reasons: dict[str, str]
    evidence: tuple[Evidence, ...]
    expects: str
    alternatives: tuple[Alternative, ...]
    command: str = ""
    tries: tuple[Try, ...] = ()
