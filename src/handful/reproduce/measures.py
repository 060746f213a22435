"""Numbers with their uncertainty, from the results of settings.

Every standard error is sqrt(max(W / min(S, 6), B / S)), as in `study.compare`: W is what drawing the pictures leaves
uncertain within a seed, averaged over the S seeds, and B is how far the seeds differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.errors import HandfulError
from handful.core.study import Setting, TrialResult
from handful.core.training import Checkpoint
from handful.study.compare import compare

PARTS = 6
"""A sixth of the learning pictures validates: beyond six seeds, no further pictures are seen."""

HALF_EPOCHS = 1.0 / 12.0
"""Variance of a number of epochs that was counted in whole ones."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured number and its standard error; NaN and infinity where nothing could be measured."""

    value: float
    error: float


UNKNOWN = Estimate(math.nan, math.inf)


def accuracy(setting: Setting, *, chance: float, epoch: int | None = None) -> Estimate:
    """Returns the validation accuracy, in [0, 1].

    A training that failed is counted as chance: a network whose loss is no longer a number knows nothing.

    Args:
        setting: its results, one per seed.
        chance: accuracy of a guess.
        epoch: after this epoch; at the end by default.
    """
    values = [
        chance if result.status == "failed" else _checkpoint(result, epoch).validation_accuracy
        for result in setting.results
    ]
    return pooled(values, [_binomial(value, _n_validation(setting)) for value in values])


def training_accuracy(setting: Setting) -> Estimate:
    """Returns the accuracy on the training pictures in the last epoch, in [0, 1]."""
    done = _done(setting)
    values = [result.curve[-1].accuracy for result in done]
    return pooled(values, [_binomial(value, result.n_train) for value, result in zip(values, done, strict=True)])


def difference(first: Setting, second: Setting, *, chance: float) -> Estimate:
    """Returns by how much the first setting's accuracy is higher, paired by seed and picture where both are done."""
    if len(_done(first)) == len(first.results) and len(_done(second)) == len(second.results):
        try:
            found = compare(first, second, pool=PARTS * _n_validation(first))
        except HandfulError:  # not the same seeds or pictures
            return _unpaired(first, second, chance)
        return Estimate(found.difference, found.standard_error)
    return _unpaired(first, second, chance)


def gap(setting: Setting) -> Estimate:
    """Returns how much higher the training accuracy is than the validation accuracy at the end: overfitting."""
    done = _done(setting)
    values = [result.curve[-1].accuracy - result.curve[-1].validation_accuracy for result in done]
    within = [
        _binomial(last.accuracy, result.n_train) + _binomial(last.validation_accuracy, len(result.right))
        for result, last in ((result, result.curve[-1]) for result in done)
    ]
    return pooled(values, within)


def gap_difference(first: Setting, second: Setting) -> Estimate:
    """Returns how much wider the first setting's gap is, paired by seed and validation picture."""
    others = {result.trial.seed: result for result in _done(second)}
    values, within = [], []
    for ours in _done(first):
        if ours.trial.seed not in others:
            continue
        theirs = others[ours.trial.seed]
        trained = ours.curve[-1].accuracy - theirs.curve[-1].accuracy
        differs = np.array(ours.right, dtype=float) - np.array(theirs.right, dtype=float)
        values.append(trained - float(differs.mean()))
        # Which training pictures differ is not recorded; at least the share |trained| of them does.
        within.append(float(differs.var(ddof=1)) / len(differs) + _binomial(abs(trained), ours.n_train))
    return pooled(values, within)


def loss_difference(first: Setting, second: Setting) -> Estimate:
    """Returns how much higher the first setting's validation log loss is at the end, paired by seed.

    Losses of single pictures are not recorded, so the error is that between seeds, and nothing is known from one seed.
    """
    others = {result.trial.seed: result.curve[-1].validation_loss for result in _done(second)}
    values = [
        ours.curve[-1].validation_loss - others[ours.trial.seed] for ours in _done(first) if ours.trial.seed in others
    ]
    return pooled(values, [0.0] * len(values)) if len(values) > 1 else UNKNOWN


def more_epochs(first: Setting, second: Setting) -> Estimate:
    """Returns how many more epochs the first needs for the accuracy with which the worse of the two ends.

    Epochs are counted whole, up to the first one in which a training has that validation accuracy.
    """
    others = {result.trial.seed: result for result in _done(second)}
    pairs = [(ours, others[ours.trial.seed]) for ours in _done(first) if ours.trial.seed in others]
    values = []
    for ours, theirs in pairs:
        target = min(ours.curve[-1].validation_accuracy, theirs.curve[-1].validation_accuracy)
        values.append(float(_reached(ours, target) - _reached(theirs, target)))
    return pooled(values, [2 * HALF_EPOCHS] * len(values))


def share_stopped(setting: Setting) -> Estimate:
    """Returns the share of seeds whose training was over before all updates of its epochs were done."""
    epochs, batch = (int(str(setting.options[name])) for name in ("epochs", "batch"))
    done = _done(setting)
    values = [float(result.curve[-1].step < epochs * math.ceil(result.n_train / batch)) for result in done]
    return pooled(values, [0.0] * len(values))


def pooled(values: Sequence[float], within: Sequence[float]) -> Estimate:
    """Returns the mean over seeds with its standard error.

    Args:
        values: one per seed.
        within: the sampling variance of each.
    """
    if not values:
        return UNKNOWN
    n_seeds = len(values)
    between = float(np.var(values, ddof=1)) if n_seeds > 1 else 0.0
    of_pictures = float(np.mean(within)) / min(n_seeds, PARTS)
    return Estimate(float(np.mean(values)), math.sqrt(max(of_pictures, between / n_seeds)))


def _unpaired(first: Setting, second: Setting, chance: float) -> Estimate:
    ours, theirs = accuracy(first, chance=chance), accuracy(second, chance=chance)
    return Estimate(ours.value - theirs.value, math.hypot(ours.error, theirs.error))


def _done(setting: Setting) -> list[TrialResult]:
    return [result for result in setting.results if result.status == "done"]


def _checkpoint(result: TrialResult, epoch: int | None) -> Checkpoint:
    """Returns how a training stood after an epoch; where it was over before, at its end."""
    return result.curve[-1] if epoch is None else result.curve[min(epoch, len(result.curve)) - 1]


def _n_validation(setting: Setting) -> int:
    return max((len(result.right) for result in setting.results), default=0)


def _binomial(share: float, n: int) -> float:
    """Returns the variance of a share that was counted on n pictures."""
    return share * (1.0 - share) / n if n else 0.0


def _reached(result: TrialResult, target: float) -> int:
    return next(point.epoch for point in result.curve if point.validation_accuracy >= target)
