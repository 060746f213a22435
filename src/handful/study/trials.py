"""The trials of a study: which there are, and what names them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from handful.core.choices import LEFT_OPEN, NOT_STUDIED
from handful.core.config import TrainConfig, option_fields
from handful.core.errors import ConfigError
from handful.core.files import dump_json, sha256_bytes
from handful.core.records import ImageTable, Split
from handful.core.study import Axis, Setting, Trial, TrialResult, Value
from handful.study.axes import VARIED_ROOMS
from handful.transfer import choose_backbones

TRIAL_ROOMS = ("split", *VARIED_ROOMS)


def base_options(config: TrainConfig, axes: Sequence[Axis]) -> dict[str, Value]:
    """Returns what all trials have in common: the options of theirs that the user gave, and a new layer to train.

    Raises:
        ConfigError: options that a study gives itself.
    """
    rooms = config.to_dict()
    options = {name: value for room in TRIAL_ROOMS for name, value in rooms[room].items()}
    options["weights"] = config.run.weights
    idle = sorted(config.given & NOT_STUDIED)
    if idle:
        raise ConfigError(
            f"{', '.join(idle)}: a study trains every setting for its epochs and judges it at the end, so that "
            "settings can be compared. Leave this out, or vary epochs."
        )
    if config.transfer.strategy in LEFT_OPEN:
        raise ConfigError(
            f"strategy is {config.transfer.strategy!r}; a study compares given ways. Name one, or --vary "
            "strategy=features,full."
        )
    both = sorted(config.given & {axis.option for axis in axes})
    if both:
        raise ConfigError(f"{', '.join(both)} is both given and varied; leave out one of the two.")
    kinds = {name: str(declared.type) for name, (_, declared) in option_fields().items()}
    given = {
        name: float(value) if kinds[name].startswith("float") and value is not None else value
        for name, value in options.items()
        if name in config.given
    }
    return given if "head" in given or any(axis.option == "head" for axis in axes) else {**given, "head": "C"}


def grid(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    """Returns every combination of the axes' values; the last axis changes first."""
    return [
        dict(zip([axis.option for axis in axes], values, strict=True))
        for values in product(*(axis.values for axis in axes))
    ]


def trial_config(trial: Trial) -> TrainConfig:
    """Returns the options of one training: nothing stops it before its epochs are done, and the last weights count.

    The resampling, where it is left open, is the network's own: training would choose it by a probe, on pictures that
    the trial may validate with.
    """
    config = TrainConfig.of({**trial.options, "seed": trial.seed, "patience": None, "keep": "last"})
    if config.features.interpolation != "auto":
        return config
    specs, _ = choose_backbones(config)
    return replace(config, features=replace(config.features, interpolation=specs[0].interpolation))


def data_sha256(table: ImageTable, split: Split) -> str:
    """Returns a hash of the pictures that a study may use, each with its class and part."""
    parts = {"learn": split.train, "validation": split.validation}
    rows = [
        (
            part,
            table.pictures[index].file_sha256,
            table.classes[table.pictures[index].label],
            table.pictures[index].path,
        )
        for part, chosen in parts.items()
        for index in chosen
    ]
    return sha256_bytes(dump_json([table.full_scale, *sorted(rows)]).encode())


def trial_key(trial: Trial, data: str) -> str:
    """Returns what names a trial's file: a hash of its options, its seed and its data."""
    identity = {"options": dict(sorted(trial.options.items())), "seed": trial.seed, "data": data}
    return sha256_bytes(dump_json(identity).encode())[:24]


def settings_of(results: Sequence[TrialResult], axes: Sequence[str]) -> tuple[Setting, ...]:
    """Returns the results by setting, in the order in which settings first appear."""
    by_setting: dict[str, list[TrialResult]] = {}
    for result in results:
        by_setting.setdefault(_name(result.trial), []).append(result)
    return tuple(_setting(trials, axes) for trials in by_setting.values())


def best_setting(settings: Sequence[Setting], *, n_seeds: int) -> int | None:
    """Returns the index of the setting with the highest mean accuracy, of equal ones that with the lowest mean loss.

    One whose loss is no finite number is never it, whatever its accuracy.

    Args:
        settings: what was tried.
        n_seeds: seeds with which a setting has to be done.
    """
    done = [
        index
        for index, setting in enumerate(settings)
        if setting.accuracy is not None and len(setting.results) == n_seeds and _is_finite(setting)
    ]

    def rank(index: int) -> tuple[int, float, str]:
        # whole numbers, an exact sum and a name: the same whatever the order of settings and seeds
        setting = settings[index]
        n_right = sum(sum(result.right) for result in setting.results)
        return -n_right, math.fsum(_losses(setting)), _name(setting.results[0].trial)

    return min(done, key=rank, default=None)


def _losses(setting: Setting) -> list[float]:
    """Returns the loss with each seed; NaN where there is none."""
    return [math.nan if result.loss is None else result.loss for result in setting.results]


def _is_finite(setting: Setting) -> bool:
    return all(map(math.isfinite, _losses(setting)))


def _name(trial: Trial) -> str:
    return dump_json(dict(sorted(trial.options.items())))


def _setting(found: Sequence[TrialResult], axes: Sequence[str]) -> Setting:
    results = sorted(found, key=lambda result: result.trial.seed)
    options: Mapping[str, Value] = results[0].trial.options
    accuracies = [result.accuracy for result in results if result.accuracy is not None]
    all_done = len(accuracies) == len(results)
    mean = sum(accuracies) / len(accuracies) if all_done else None
    spread = None
    if mean is not None and len(accuracies) > 1:
        spread = (sum((accuracy - mean) ** 2 for accuracy in accuracies) / (len(accuracies) - 1)) ** 0.5
    return Setting({name: options[name] for name in axes}, tuple(results), mean, spread)
