"""How long networks take, and what the first probe of a search leaves out where the time is short.

In this order: trials of how pictures are resized, views, output layers that are compared, at last pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from handful.backbones import BackboneSpec
from handful.core.config import TrainConfig
from handful.core.progress import Silent
from handful.core.records import ImageTable, Picture
from handful.features import FrozenTrunk, Preprocessing, extract
from handful.transfer.lpft import square_of
from handful.transfer.plan import plan_features, with_options
from handful.transfer.probe import TRIAL_PICTURES

HEADS_SHARE = 0.4
"""What comparing output layers takes, as a share of running the network on the pictures that they learn from; measured
on 2 000 pictures with EfficientNet-Lite0."""

SHARES = (5 / 7, 4 / 7, 3 / 7)
"""Sides of smaller squares over that of the network's own: of 224 pixels 160, 128 and 96."""

GROWTH = 1.5
"""The time for a square grows with this power of its side: less than with its area, because small layers do not fill a
processor. With EfficientNet-Lite0 on two cores squares of 128 pixels take 0.41 to 0.46 of the time of 224."""

AFTERWARDS = 9.0
"""Seconds for the report of a run that is a probe alone, and for what is found out for it."""

TIMED, TIMINGS = 32, 3
"""Pictures on which the time of an answer is measured, and how often: the first time opens the network."""

SHORT = "the time is too short for more"


@dataclass(frozen=True, slots=True)
class FirstProbe:
    """A probe that is to be made, and what it takes.

    Attributes:
        config: the options; those that the user gave stay.
        spec: the network.
        pictures: the training pictures.
        n_test: pictures that will have to be answered too, for validation or in the test.
        n_known: training pictures whose features the disk remembers, as squares of the size that was asked for.
        can_try: whether ways of resizing can be compared on training pictures.
        seconds_each: that the network takes for a square of its own size.
    """

    config: TrainConfig
    spec: BackboneSpec
    pictures: Sequence[Picture]
    n_test: int
    n_known: int
    can_try: bool
    seconds_each: float

    def options(self, left: float) -> dict[str, Any]:
        """Returns its options, which leave as little out as the seconds that are left ask for; none where all fits."""
        steps: list[tuple[str, Any]] = [("interpolation", self.spec.interpolation), ("views", "plain")]
        steps += [("head", "ridge"), *(("size", square_of(self.spec, share)) for share in SHARES)]
        chosen: dict[str, Any] = {}
        for name, value in steps:
            if self.seconds(chosen) + AFTERWARDS <= left:
                break
            lighter = {**chosen, name: value}
            if self.seconds(lighter) < self.seconds(chosen):  # what saves nothing, or was given, is not left out
                chosen = lighter
        return chosen

    def seconds(self, options: dict[str, Any]) -> float:
        """Returns how long it will take with some options, and its answers."""
        chosen = with_options(self.config, options)
        tried: list[Preprocessing] = []

        def try_it(preprocessing: Preprocessing) -> float:
            tried.append(preprocessing)
            return 0.0

        plan = plan_features(chosen.features, self.spec, self.pictures, held_out_loss=try_it if self.can_try else None)
        n_new = len(self.pictures) - (0 if "size" in options else self.n_known)
        squares = len(plan.views) * (n_new + self.n_test) + max(len(tried) - 1, 0) * min(TRIAL_PICTURES, n_new)
        share = scaled(plan.preprocessing.size, self.spec.input_size)
        heads = 0.0 if chosen.heads.head == "ridge" else HEADS_SHARE * len(self.pictures)
        return self.seconds_each * (share * squares + heads)


def seconds_each(
    trunk: FrozenTrunk, table: ImageTable, pictures: Sequence[Picture], preprocessing: Preprocessing, *, threads: int
) -> float:
    """Returns the seconds that a network takes for a square, once it is open; measured on the first few pictures."""
    timed = pictures[:TIMED]
    times = []
    for _ in range(TIMINGS):
        start = perf_counter()
        extract(
            trunk,
            table,
            timed,
            preprocessing=preprocessing,
            views=("plain",),
            threads=threads,
            progress=Silent(),
            use_cache=False,
        )
        times.append(perf_counter() - start)
    return min(times) / len(timed)


def scaled(size: int, of: int) -> float:
    """Returns what a square of a side takes, over what one of another takes."""
    return float((size / of) ** GROWTH)
