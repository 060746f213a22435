"""The records of comparing pre-trained networks on the user's own pictures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ranked:
    """A network at hand, and how a probe on its frozen features does for training pictures that the probe did not see.

    Attributes:
        backbone: its name.
        title: its name in sentences.
        accuracy: held-out accuracy, in [0, 1].
        accuracy_interval: Wilson interval at 95 %.
        loss: held-out log loss with smoothed targets, as `heads.choose_temperature` measures it.
        seconds: wall-clock time that it took in all.
        seconds_features: those of them that went into its features.
        n_computed: pictures that it was shown; the features of the others were known from earlier runs.
        n_bytes: size of its file of weights.
        licence: of the weights.
        difference: its accuracy less that of the network above it; None for the first.
        standard_error: of the difference, over pictures and paired (`transfer.tries`).
        is_worse: whether the difference from the one above is more than chance; None for the first.
        sentence: what that means, in plain words.
    """

    backbone: str
    title: str
    accuracy: float
    accuracy_interval: tuple[float, float]
    loss: float
    seconds: float
    seconds_features: float
    n_computed: int
    n_bytes: int
    licence: str
    difference: float | None = None
    standard_error: float | None = None
    is_worse: bool | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Unranked:
    """A network that was not compared, with what it takes to have it, or what went wrong."""

    backbone: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The networks at hand, the best first, compared on the same held-out training pictures.

    Attributes:
        networks: at least one; the first is the one to use.
        others: those that could not be compared.
        n_pictures: training pictures that all were judged on, each by a probe that did not see it.
        reason: why the first is the one to use.
    """

    networks: tuple[Ranked, ...]
    others: tuple[Unranked, ...]
    n_pictures: int
    reason: str

    @property
    def best(self) -> str:
        """Name of the network to use."""
        return self.networks[0].backbone
