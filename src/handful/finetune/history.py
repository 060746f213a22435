"""What a training remembers: its best weights, and the record of how it went; imports PyTorch."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from handful.core.training import Iteration, Training
from handful.finetune.freeze import Trainable

MIN_LATER_CHECKS = 2
"""Checks after the lowest validation loss before one speaks of overfitting; a single one may be chance."""


class Keeper:
    """Keeps the weights of the lowest validation loss, where they are wanted, and counts the checks since then."""

    def __init__(self, model: Trainable, *, keeps: bool) -> None:
        self.model = model
        self.keeps = keeps
        self.latest: Iteration | None = None
        self.best: Iteration | None = None
        self.n_since = 0
        self.weights: dict[str, Tensor] = {}

    def look(self, check: Iteration) -> None:
        """Takes note of a check on the validation part."""
        self.latest = check
        if _validation_loss(check) < _validation_loss(self.best):
            self.best, self.n_since = check, 0
            if self.keeps:
                self.weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        else:
            self.n_since += 1

    def why_stop(self, patience: int | None) -> str:
        """Returns why training ends after this check, or nothing."""
        if patience is None or self.n_since < patience:
            return ""
        return f"no better validation loss in {self.n_since} checks"

    def restore(self) -> None:
        """Gives the model its best weights back, where there are any."""
        if self.weights:
            self.model.load_state_dict(self.weights)


class Average:
    """A running average of a model's weights, which is often better than the last ones; nothing where decay is 0.

    After update t, average <- d average + (1 - d) weights with d = min(decay, (1 + t) / (10 + t)), so that the first
    weights are forgotten soon (the rule of TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, model: Trainable, decay: float) -> None:
        self.decay = decay
        self.tensors = [tensor for tensor in model.parameters() if tensor.requires_grad] if decay else []
        self.averages = [tensor.detach().clone() for tensor in self.tensors]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after an update, whose number counts from 1."""
        past = min(self.decay, (1 + step) / (10 + step))
        for average, tensor in zip(self.averages, self.tensors, strict=True):
            average.lerp_(tensor, 1.0 - past)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts the averages in the place of the weights for a while."""
        self.take()
        yield
        self.take()

    def take(self) -> None:
        """Exchanges weights and averages."""
        for average, tensor in zip(self.averages, self.tensors, strict=True):
            average.data, tensor.data = tensor.data, average.data


def finish(keeper: Keeper, iterations: Sequence[Iteration], *, stopped: str, seconds: float) -> Training:
    """Restores the best weights, where they were kept, and returns the record of a training.

    Args:
        keeper: has the model and its best weights.
        iterations: every update.
        stopped: why it ended.
        seconds: how long it took.
    """
    keeper.restore()
    keeper.model.eval()
    last = iterations[-1]
    failed_at = last.step if _failed(last) or not _is_finite(keeper.model) else None
    if failed_at is not None and not stopped.startswith("failed"):
        stopped = explosion(failed_at)
    return Training(
        iterations=tuple(iterations),
        stopped=stopped,
        best_step=0 if failed_at is not None else (keeper.best.step if keeper.best and keeper.weights else last.step),
        overfits_from=None if failed_at is not None else overfitting_step(iterations),
        failed_at=failed_at,
        seconds=seconds,
    )


def explosion(step: int) -> str:
    """Returns why a training failed whose losses were finite as far as it went."""
    return f"failed: weights or validation loss were no longer finite numbers at update {step}"


def standing(keeper: Keeper, recent: Collection[Iteration], *, epochs: int) -> str:
    """Returns how a training stands: a line on the last pass and one on the last and the best check, if any.

    Args:
        keeper: knows the checks.
        recent: the updates of the last pass, or what there is of it; at least one.
        epochs: passes that training will take, at most.
    """
    loss = sum(iteration.loss for iteration in recent) / len(recent)
    accuracy = sum(iteration.accuracy for iteration in recent) / len(recent)
    *_, last = recent
    line = f"Epoch {last.epoch} of {epochs}: training loss {loss:.3f}, accuracy {100 * accuracy:.1f} %"
    latest, best = keeper.latest, keeper.best
    if latest is None or best is None:
        return line
    return (
        f"{line}\n"
        f"validation loss {latest.validation_loss:.3f}, accuracy {100 * (latest.validation_accuracy or 0.0):.1f} %; "
        f"best {best.validation_loss:.3f}, {100 * (best.validation_accuracy or 0.0):.1f} % in epoch {best.epoch}"
    )


def overfitting_step(iterations: Sequence[Iteration]) -> int | None:
    """Returns the update of the lowest validation loss, if the training loss went on falling and it rose; or None.

    The training loss at a check is the mean over the updates since the check before. At least two checks must follow
    the lowest one, and their mean validation loss must lie above it.
    """
    checks = [iteration for iteration in iterations if iteration.validation_loss is not None]
    if len(checks) <= MIN_LATER_CHECKS:
        return None
    validation = [check.validation_loss or 0.0 for check in checks]
    lowest = min(range(len(checks)), key=validation.__getitem__)
    later = validation[lowest + 1 :]
    if len(later) < MIN_LATER_CHECKS or sum(later) / len(later) <= validation[lowest]:
        return None
    training = _losses_between(iterations, [check.step for check in checks])
    return checks[lowest].step if training[-1] < training[lowest] else None


def pass_accuracy(recent: Collection[Iteration], n_batches: int) -> float | None:
    """Returns the mean accuracy of the mini-batches of a whole pass; None while there are fewer.

    A single mini-batch says little: one of 8 pictures is often right by chance, and training would stop at once.

    Args:
        recent: the last `n_batches` updates, or fewer.
        n_batches: mini-batches in a pass.
    """
    if len(recent) < n_batches:
        return None
    return sum(iteration.accuracy for iteration in recent) / n_batches


def _validation_loss(check: Iteration | None) -> float:
    """Returns the validation loss of a check; infinity where there was none."""
    return math.inf if check is None or check.validation_loss is None else check.validation_loss


def _losses_between(iterations: Sequence[Iteration], steps: Sequence[int]) -> list[float]:
    """Returns the mean training loss up to each of some steps, since the one before."""
    means, previous = [], 0
    for step in steps:
        part = [iteration.loss for iteration in iterations if previous < iteration.step <= step]
        means.append(sum(part) / len(part))
        previous = step
    return means


def _failed(iteration: Iteration) -> bool:
    seen = iteration.validation_loss
    return not math.isfinite(iteration.loss) or (seen is not None and not math.isfinite(seen))


def _is_finite(model: Trainable) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in model.state_dict().values())
