"""The records of a search: what a run spent its time on, and what each of it gained."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that was tried, and what it is worth on training pictures that it did not see.

    Attributes:
        what: "probe" for an output layer on the network as it is, "fine-tuning" for layers that were trained.
        backbone: the network's name.
        size: side in pixels of the squares that it saw.
        n_held_out: pictures that it was judged on.
        accuracy: share of right answers among them, in [0, 1].
        loss: log loss on them.
        difference: its accuracy less that of the first probe on the same pictures; None of that one itself.
        standard_error: of the difference, over pictures and paired (`transfer.tries`).
        taken: whether it is part of the answer.
        seconds: that it took.
        at: seconds since the run began when it was done.
    """

    what: str
    backbone: str
    size: int
    n_held_out: int
    accuracy: float
    loss: float
    difference: float | None
    standard_error: float | None
    taken: bool
    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class Search:
    """What a run spent its time on.

    Attributes:
        limit: seconds that the run was given; None without a limit.
        attempts: in the order of time; the first is a probe, and others may follow.
        ended: why nothing more was tried, in plain words.
        n_judged: pictures that any of the trainings was judged on.
    """

    limit: float | None
    attempts: tuple[Attempt, ...]
    ended: str
    n_judged: int

    @property
    def trained(self) -> tuple[Attempt, ...]:
        """The trainings."""
        return tuple(each for each in self.attempts if each.what == "fine-tuning")

    @property
    def gain(self) -> tuple[float, float] | None:
        """How much more of the held-out pictures the trainings have right than the first probe, and the standard error.

        Answers for one picture by several trainings count as one observation: they err together.
        """
        if not self.trained:
            return None
        n_images = sum(each.n_held_out for each in self.trained)
        gain = sum(each.n_held_out * (each.difference or 0.0) for each in self.trained) / n_images
        squares = sum((each.n_held_out * (each.standard_error or 0.0)) ** 2 for each in self.trained)
        return gain, math.sqrt(squares / n_images / self.n_judged)
