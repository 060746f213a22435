"""What an option does to the accuracy: the numbers behind the drawings of a study."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.records import FloatArray
from handful.core.study import Axis, Setting, Status, Study, TrialResult
from handful.study.scale import Scale, scale_of, value_text

N_BINS = 8
"""Parts into which the values of a searched range are put, to have a mean."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One trial: where its value lies, and how it ended. Accuracies are in [0, 1]."""

    place: float
    accuracy: float
    gap: float


@dataclass(frozen=True, slots=True)
class Point:
    """One value of an option, or one part of its range.

    Attributes:
        place: on the axis; the mean place of the settings in a part of a range.
        text: the value, or the ends of the part.
        accuracy: mean over the settings with this value, and over seeds.
        spread: standard deviation of `accuracy` between seeds; None for one seed.
        gap: training minus validation accuracy at the end, the same mean.
        gap_spread: standard deviation of `gap` between seeds.
        best: accuracy where the other options are as in the best setting; in a search that of the best setting here.
            None where no such setting is done, or nothing else is varied.
        n_settings: done ones with this value.
    """

    place: float
    text: str
    accuracy: float
    spread: float | None
    gap: float
    gap_spread: float | None
    best: float | None
    n_settings: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What one option does.

    Attributes:
        scale: the axis of its values.
        points: ascending by place; only done settings count.
        dots: every trial that is done.
        failed, pruned: places of the trials that are not.
        searched: whether the values were drawn, so that `points` are parts of the range, and what else differs is
            not the same in each.
        alone: whether nothing else is varied.
    """

    scale: Scale
    points: tuple[Point, ...]
    dots: tuple[Dot, ...]
    failed: tuple[float, ...]
    pruned: tuple[float, ...]
    searched: bool
    alone: bool


@dataclass(frozen=True, slots=True)
class PairTable:
    """Mean accuracies by two options.

    Attributes:
        rows, columns: the axes.
        accuracy: float64 (rows, columns), in [0, 1]; NaN where the setting is not done.
        best: row and column of the best setting; None where none is done.
    """

    rows: Scale
    columns: Scale
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    accuracy: FloatArray
    best: tuple[int, int] | None


def effects(study: Study) -> tuple[Effect, ...]:
    """Returns what each varied option does, in the order of the plan."""
    return tuple(_effect(study, axis) for axis in study.plan.axes)


def pair_table(study: Study) -> PairTable | None:
    """Returns the table of two varied options; None unless two lists are varied in every combination."""
    axes = study.plan.axes
    if len(axes) != 2 or study.plan.search != "grid":
        return None
    first, second = axes
    accuracy = np.full((len(first.values), len(second.values)), math.nan)
    best = None
    for index, setting in enumerate(study.settings):
        row = first.values.index(setting.options[first.option])
        column = second.values.index(setting.options[second.option])
        accuracy[row, column] = math.nan if setting.accuracy is None else setting.accuracy
        best = (row, column) if index == study.best else best
    return PairTable(
        rows=scale_of(first),
        columns=scale_of(second),
        row_names=tuple(value_text(value) for value in first.values),
        column_names=tuple(value_text(value) for value in second.values),
        accuracy=accuracy,
        best=best,
    )


def gap(result: TrialResult) -> float:
    """Returns training minus validation accuracy at the end of a trial that is done."""
    last = result.curve[-1]
    return last.accuracy - last.validation_accuracy


def _effect(study: Study, axis: Axis) -> Effect:
    scale = scale_of(axis)

    def place(setting: Setting) -> float:
        return scale.place(setting.options[axis.option])

    def ended(status: Status) -> list[tuple[float, TrialResult]]:
        results = [(place(setting), result) for setting in study.settings for result in setting.results]
        return [(where, result) for where, result in results if result.status == status]

    groups: dict[float, list[Setting]] = {}
    for setting in sorted((each for each in study.settings if each.accuracy is not None), key=place):
        key = place(setting) if axis.values else _part(place(setting), axis, scale)
        groups.setdefault(key, []).append(setting)
    return Effect(
        scale=scale,
        points=tuple(
            _point(study, axis, group, place=float(np.mean([place(setting) for setting in group])))
            for group in groups.values()
        ),
        dots=tuple(Dot(where, result.curve[-1].validation_accuracy, gap(result)) for where, result in ended("done")),
        failed=tuple(where for where, _ in ended("failed")),
        pruned=tuple(where for where, _ in ended("pruned")),
        searched=study.plan.search != "grid",
        alone=len(study.plan.axes) == 1,
    )


def _part(place: float, axis: Axis, scale: Scale) -> float:
    """Returns the number of the part of a searched range in which a place lies."""
    low, high = (scale.place(end) for end in (axis.low, axis.high))
    return float(min(int(N_BINS * (place - low) / (high - low)), N_BINS - 1))


def _point(study: Study, axis: Axis, group: Sequence[Setting], *, place: float) -> Point:
    values = [setting.options[axis.option] for setting in group]
    ends = dict.fromkeys(value_text(value) for value in (values[0], values[-1]))
    accuracy, spread = _over_seeds(group, lambda result: result.curve[-1].validation_accuracy)
    mean_gap, gap_spread = _over_seeds(group, gap)
    return Point(
        place=place,
        text=" to ".join(ends),
        accuracy=accuracy,
        spread=spread,
        gap=mean_gap,
        gap_spread=gap_spread,
        best=_at_the_best(study, axis, group),
        n_settings=len(group),
    )


def _over_seeds(group: Sequence[Setting], figure: Callable[[TrialResult], float]) -> tuple[float, float | None]:
    """Returns the mean over settings and seeds, and the standard deviation between seeds of the settings' mean."""
    by_seed: dict[int, list[float]] = {}
    for setting in group:
        for result in setting.results:
            by_seed.setdefault(result.trial.seed, []).append(figure(result))
    means = [float(np.mean(values)) for values in by_seed.values()]
    return float(np.mean(means)), float(np.std(means, ddof=1)) if len(means) > 1 else None


def _at_the_best(study: Study, axis: Axis, group: Iterable[Setting]) -> float | None:
    if study.best is None or len(study.plan.axes) == 1:
        return None
    best = study.settings[study.best].options
    if study.plan.search == "grid":
        others = [option for option in best if option != axis.option]
        group = [setting for setting in group if all(setting.options[name] == best[name] for name in others)]
    return max((setting.accuracy for setting in group if setting.accuracy is not None), default=None)
