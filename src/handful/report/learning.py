"""How the layers were trained, as curves and as sentences: the numbers behind the drawings of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.records import FloatArray, Run
from handful.core.training import Training
from handful.report.text import counted

MOST_POINTS = 400
"""Points of a curve: about one for every pixel that it gets."""

HEADROOM = 1.08
"""How far an axis of losses reaches above the highest value that has to be seen."""

OUTLYING = 2.5
"""Times the highest loss after the first epoch from which a loss in it may leave the axis."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure by update, thinned to `MOST_POINTS`; updates without a finite value are left out."""

    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows, from `low` to `high`, and where it is numbered."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Returns how far along the axis a value lies: 0 at `low`, 1 at `high`."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure during a training.

    Attributes:
        name: "loss" or "accuracy".
        mini_batches: of each mini-batch before its update.
        training: their mean over the last epoch, or over what there is of it.
        validation: of the validation part, where it was looked at.
        axis: holds `training` and `validation`; the losses of the first epoch may leave it, for they can
            be many times the others.
    """

    name: str
    mini_batches: Curve
    training: Curve
    validation: Curve
    axis: Axis


@dataclass(frozen=True, slots=True)
class Learning:
    """How one network's layers were trained.

    Attributes:
        backbone: the network.
        panels: loss and accuracy.
        axis: of the updates.
        per_epoch: updates in an epoch.
        kept: the update whose weights were kept, where a validation part chose it.
        overfits_from: the update from which on the network only learned its own pictures; None where not seen.
        sentences: what happened, in plain words.
    """

    backbone: str
    panels: tuple[Panel, Panel]
    axis: Axis
    per_epoch: int
    kept: int | None
    overfits_from: int | None
    sentences: tuple[str, ...]


def learnings(run: Run) -> tuple[Learning, ...]:
    """Returns how the layers were trained, one entry per network; empty where none were."""
    limit = run.options["epochs"].value if "epochs" in run.options else None
    return tuple(
        _learning(training, backbone, limit=limit if isinstance(limit, int) else None)
        for backbone, training in trainings(run).items()
        if training.iterations
    )


def trainings(run: Run) -> dict[str, Training]:
    """Returns how each network's layers were trained, by the network's name; empty where none were.

    The second training of a network is called "efficientnet-lite0 (2)".
    """
    if not run.training:
        return {}
    trained = [used.backbone for used, head in zip(run.weights, run.heads, strict=True) if head.kind == "layers"]
    numbers = [trained[: place + 1].count(name) for place, name in enumerate(trained)]
    names = [name if number == 1 else f"{name} ({number})" for name, number in zip(trained, numbers, strict=True)]
    return dict(zip(names, run.training, strict=True))


def epochs_done(training: Training) -> int:
    """Returns the number of the epoch in which a training ended."""
    return training.iterations[-1].epoch if training.iterations else 0


def running_mean(values: FloatArray, width: int) -> FloatArray:
    """Returns float64 (N,): the mean of each value and those before it, `width` together; at the beginning fewer.

    Example:
        >>> running_mean(np.array([4.0, 2.0, 0.0]), 2).tolist()
        [4.0, 3.0, 1.0]
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - width, 0)
    means: FloatArray = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def thinned(curve: Curve, *, limit: int = MOST_POINTS) -> Curve:
    """Returns a curve with `limit` points at most: the ends, and the lowest and the highest of each stretch between.

    So no peak is lost, which an even choice of points would lose.
    """
    n_points = len(curve.steps)
    if n_points <= limit:
        return curve
    stretches = np.array_split(np.arange(1, n_points - 1), (limit - 2) // 2)
    values = np.array(curve.values)
    extremes = {int(stretch[pick(values[stretch])]) for stretch in stretches for pick in (np.argmin, np.argmax)}
    chosen = sorted(extremes | {0, n_points - 1})
    return Curve(tuple(curve.steps[index] for index in chosen), tuple(curve.values[index] for index in chosen))


def round_ticks(low: float, high: float, *, most: int = 5) -> tuple[float, ...]:
    """Returns round numbers inside a range: the multiples of 1, 2 or 5 times a power of ten, `most` at most.

    Example:
        >>> round_ticks(0.0, 0.74)
        (0.0, 0.2, 0.4, 0.6)
    """
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return tuple(round(count * step, 12) for count in range(first, last + 1))


def _learning(training: Training, backbone: str, *, limit: int | None) -> Learning:
    iterations = training.iterations
    per_epoch = sum(each.epoch == iterations[0].epoch for each in iterations)
    steps = [each.step for each in iterations]
    loss = _panel(
        "loss",
        steps,
        [each.loss for each in iterations],
        [each.validation_loss for each in iterations],
        per_epoch=per_epoch,
    )
    accuracy = _panel(
        "accuracy",
        steps,
        [each.accuracy for each in iterations],
        [each.validation_accuracy for each in iterations],
        per_epoch=per_epoch,
    )
    return Learning(
        backbone=backbone,
        panels=(loss, accuracy),
        axis=_updates_axis(steps[-1]),
        per_epoch=per_epoch,
        kept=training.best_step if training.best_step and loss.validation.steps else None,
        overfits_from=training.overfits_from,
        sentences=tuple(_sentences(training, limit=limit)),
    )


def _panel(
    name: str, steps: Sequence[int], batches: Sequence[float], seen: Sequence[float | None], *, per_epoch: int
) -> Panel:
    raw = _curve(steps, batches)
    training = Curve(raw.steps, tuple(running_mean(np.array(raw.values), per_epoch).tolist()))
    validation = _curve(steps, seen)
    settled, whole = (*training.values[per_epoch:], *validation.values), (*training.values, *validation.values)
    axis = _loss_axis(settled, whole) if name == "loss" else _accuracy_axis(whole)
    return Panel(name, thinned(raw), thinned(training), thinned(validation), axis)


def _curve(steps: Sequence[int], values: Sequence[float | None]) -> Curve:
    points = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
    finite = [(step, value) for step, value in points if math.isfinite(value)]
    return Curve(tuple(step for step, _ in finite), tuple(value for _, value in finite))


def _updates_axis(last: int) -> Axis:
    high = max(last, 2)
    return Axis(0.0, high, tuple(tick for tick in round_ticks(0, high) if tick == int(tick)))


def _loss_axis(settled: Sequence[float], whole: Sequence[float]) -> Axis:
    """Returns an axis for all losses, or for those after the first epoch where the others would hide them."""
    highest, later = max((*whole, 0.0)), max((*settled, 0.0))
    high = HEADROOM * (later if 0.0 < OUTLYING * later < highest else highest) or 1.0
    return Axis(0.0, high, round_ticks(0.0, high))


def _accuracy_axis(values: Sequence[float]) -> Axis:
    low = min(math.floor(10 * min((*values, 1.0)) - 0.2) / 10, 0.8)
    return Axis(max(low, 0.0), 1.0, round_ticks(max(low, 0.0), 1.0))


def _sentences(training: Training, *, limit: int | None) -> list[str]:
    """Returns what happened, and what it means."""
    if training.failed_at is not None:
        return [
            f"Training broke off at update {training.failed_at:,}: {training.stopped.removeprefix('failed: ')}. "
            "Nothing that it learned is used."
        ]
    checks = [each for each in training.iterations if each.validation_loss is not None]
    return [_ending(training, limit=limit), *_keeping(training, [check.step for check in checks])]


def _ending(training: Training, *, limit: int | None) -> str:
    epochs = epochs_done(training)
    if limit == epochs and training.stopped.startswith("all "):
        return f"Training went through all {counted(epochs, 'epoch')}." if epochs > 1 else "Training took one epoch."
    of_all = f" of {limit}" if limit else ""
    return f"Training stopped in epoch {epochs}{of_all}: {training.stopped}."


def _keeping(training: Training, checks: Sequence[int]) -> list[str]:
    if not checks:
        return ["The weights of the last update were kept: there was no validation part to choose by."]
    kept = f"The weights of update {training.best_step:,} were kept"
    if training.overfits_from is not None:
        there = "there" if training.overfits_from == training.best_step else f"update {training.overfits_from:,}"
        return [f"{kept}; from {there} on the network only learned its own pictures by heart."]
    if len(checks) == 1 and training.best_step == checks[0] == training.iterations[-1].step:
        return [f"{kept}, the last."]
    if len(checks) > 1 and training.best_step == checks[-1]:
        return [f"{kept}, the last: the validation loss was lowest at the end, so more epochs may help."]
    return [f"{kept}: the validation loss was lowest there."]
