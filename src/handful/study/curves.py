"""How settings learned, epoch by epoch: the numbers behind the learning curves of a study."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.study import Setting, Study, TrialResult, Value
from handful.core.training import Checkpoint

MOST_OTHERS = 5
"""Settings whose curves are drawn beside those of the best."""


@dataclass(frozen=True, slots=True)
class Band:
    """A figure by epoch, over the seeds that go that far; epochs without a finite value are left out.

    Attributes:
        epochs: from 1.
        mean: over seeds.
        spread: standard deviation between seeds; 0 for one.
    """

    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """How one setting learned.

    Attributes:
        options: the varied ones.
        best: whether it is the study's best.
        accuracy, loss: training, then validation.
        ended: how it ended, where not at the end of its epochs: "failed", "given up" or "".
    """

    options: Mapping[str, Value]
    best: bool
    accuracy: tuple[Band, Band]
    loss: tuple[Band, Band]
    ended: str


def learned(study: Study) -> tuple[Learned, ...]:
    """Returns how the best setting learned and up to five others: one for each value of the first option, in order.

    Of several with a value the best stands for it. Where the first option is searched in a range, settings that are
    evenly apart by rank stand for all.
    """
    return tuple(_learned(study.settings[index], best=index == study.best) for index in _chosen(study))


def _chosen(study: Study) -> list[int]:
    axis = study.plan.axes[0]
    ranked = sorted(range(len(study.settings)), key=lambda index: -_worth(study.settings[index]))
    ranked = [index for index in ranked if any(_epochs(result) for result in study.settings[index].results)]
    if not axis.values:
        done = [index for index in ranked if study.settings[index].accuracy is not None]
        return _evenly(done or ranked, keep=study.best)
    first: dict[object, int] = {}
    for index in ranked:
        first.setdefault(study.settings[index].options[axis.option], index)
    if study.best in ranked:
        first[study.settings[study.best].options[axis.option]] = study.best
    return _evenly([first[value] for value in axis.values if value in first], keep=study.best)


def _epochs(result: TrialResult) -> int:
    """Returns how many epochs a trial took: none where its layer was solved for, or failed in the first."""
    return result.curve[-1].epoch if result.curve else 0


def _worth(setting: Setting) -> float:
    return -1.0 if setting.accuracy is None else setting.accuracy


def _evenly(indices: Sequence[int], *, keep: int | None) -> list[int]:
    """Returns some of the indices, evenly apart, in order, with the one to keep."""
    if len(indices) <= MOST_OTHERS + 1:
        return list(indices)
    places = np.linspace(0, len(indices) - 1, MOST_OTHERS + 1).round().astype(int).tolist()
    kept = indices.index(keep) if keep in indices else places[0]
    nearest = min(places, key=lambda place: abs(place - kept))
    return [indices[kept if place == nearest else place] for place in places]


def _learned(setting: Setting, *, best: bool) -> Learned:
    statuses = {result.status for result in setting.results}
    return Learned(
        options=setting.options,
        best=best,
        accuracy=(_band(setting, lambda each: each.accuracy), _band(setting, lambda each: each.validation_accuracy)),
        loss=(_band(setting, lambda each: each.loss), _band(setting, lambda each: each.validation_loss)),
        ended="failed" if "failed" in statuses else "given up" if "pruned" in statuses else "",
    )


def _band(setting: Setting, figure: Callable[[Checkpoint], float]) -> Band:
    by_epoch: dict[int, list[float]] = {}
    for result in setting.results:
        for checkpoint in result.curve:
            value = figure(checkpoint)
            if math.isfinite(value):
                by_epoch.setdefault(checkpoint.epoch, []).append(value)
    epochs = tuple(sorted(by_epoch))
    return Band(
        epochs=epochs,
        mean=tuple(float(np.mean(by_epoch[epoch])) for epoch in epochs),
        spread=tuple(float(np.std(by_epoch[epoch], ddof=1)) if len(by_epoch[epoch]) > 1 else 0.0 for epoch in epochs),
    )
