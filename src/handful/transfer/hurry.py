"""What the first probe of a search leaves out where the time is short: trials, views, output layers, at last pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from handful.backbones import BackboneSpec
from handful.core.config import TrainConfig
from handful.core.records import Picture
from handful.features import Preprocessing
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

SHORT = "the time is too short for more"


def first_options(
    config: TrainConfig,
    spec: BackboneSpec,
    pictures: Sequence[Picture],
    *,
    n_test: int,
    seconds_each: float,
    left: float,
) -> dict[str, Any]:
    """Returns the options of a probe that leaves as little out as the time asks for; none where all fits.

    Args:
        config: the options; those that the user gave stay.
        spec: the network.
        pictures: the training pictures.
        n_test: pictures that will have to be answered too.
        seconds_each: that the network takes for a square of its own size.
        left: seconds until the run has to be over.
    """
    ways = list(_lighter(config, spec))
    for options in ways:
        needed = probe_seconds(options, config, spec, pictures, n_test=n_test, seconds_each=seconds_each)
        if needed + AFTERWARDS <= left:
            return options
    return ways[-1]


def scaled(size: int, of: int) -> float:
    """Returns what a square of a side takes, over what one of another takes."""
    return float((size / of) ** GROWTH)


def probe_seconds(
    options: dict[str, Any],
    config: TrainConfig,
    spec: BackboneSpec,
    pictures: Sequence[Picture],
    *,
    n_test: int,
    seconds_each: float,
) -> float:
    """Returns how long a probe and its answers will take; arguments as for `first_options`."""
    chosen = with_options(config, options)
    tried: list[Preprocessing] = []

    def try_it(preprocessing: Preprocessing) -> float:
        tried.append(preprocessing)
        return 0.0

    plan = plan_features(chosen.features, spec, pictures, held_out_loss=try_it)
    squares = len(plan.views) * (len(pictures) + n_test) + max(len(tried) - 1, 0) * min(TRIAL_PICTURES, len(pictures))
    share = scaled(plan.preprocessing.size, spec.input_size)
    heads = 0.0 if chosen.heads.head == "ridge" else HEADS_SHARE * len(pictures)
    return seconds_each * (share * squares + heads)


def _lighter(config: TrainConfig, spec: BackboneSpec) -> Iterator[dict[str, Any]]:
    """Yields the options of probes, each lighter than the one before; the first leaves nothing out."""
    sizes = [max(32 * int(share * spec.input_size / 32), spec.min_size) for share in SHARES]
    steps: list[tuple[str, Any]] = [("interpolation", spec.interpolation), ("views", "plain"), ("head", "ridge")]
    options: dict[str, Any] = {}
    yield dict(options)
    for name, value in (*steps, *(("size", size) for size in sizes)):
        if name not in config.given:
            options[name] = value
            yield dict(options)
