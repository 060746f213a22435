"""Training by gradient descent: one loop, watched on a validation part; imports PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from handful.backbones import keep_memory
from handful.core.config import FinetuneConfig
from handful.core.notation import read_duration
from handful.core.progress import Progress, Silent
from handful.core.records import FloatArray, IntArray
from handful.core.training import Iteration, Training
from handful.finetune.batches import Batches
from handful.finetune.course import Course
from handful.finetune.freeze import Trainable
from handful.finetune.gradients import Gradients, in_order, open_gradients
from handful.finetune.history import finish, pass_accuracy
from handful.finetune.kept import Place
from handful.finetune.precision import Device, Precision, autocast
from handful.finetune.schedule import Schedule, rate

if TYPE_CHECKING:
    from handful.finetune.ranks import Ranks

Watch = Callable[[Iteration], None]
"""Told about every update, for a picture that grows while training runs."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says about some pictures.

    Attributes:
        scores: float64 (N, C), before temperature and softmax.
        targets: int64 (N,), the true classes.
    """

    scores: FloatArray
    targets: IntArray

    @property
    def loss(self) -> float:
        """Mean log loss; NaN where a score is."""
        scores = torch.from_numpy(self.scores)
        return float(functional.cross_entropy(scores, torch.from_numpy(self.targets)))

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float(np.mean(self.scores.argmax(axis=1) == self.targets))


def fit(
    model: Trainable,
    batches: Batches,
    validation: Batches | None,
    config: FinetuneConfig,
    *,
    seed: int,
    precision: Precision = "float32",
    device: Device = "cpu",
    progress: Progress | None = None,
    watch: Watch | None = None,
    kept: Place | None = None,
    clock: Callable[[], float] = monotonic,
    ranks: Ranks | None = None,
) -> Training:
    """Trains a model in place, leaves it with its best weights and in evaluation mode, and returns how it went.

    The weights that are kept are those of the lowest validation loss; without a validation part, or with `keep`
    "last", the last ones. With `ema` they are averages (`history.Average`), and averages are what is validated. Under a
    limit of time the rate falls so as to reach its end by then.

    Args:
        model: from `Cut.with_head`.
        batches: of the training part.
        validation: looked at every `every` updates and at the end; None where there is none.
        config: the options, resolved by `recipe.resolve`.
        seed: decides order, views, dropout and MixUp; equal arguments give equal weights.
        precision: of multiplications, from `precision.training_precision`.
        device: where it is trained; the model comes from the processor's memory and goes back there.
        progress: told about every update, with its figures.
        watch: told about every update, with its figures.
        kept: where the training is written down after an epoch, at most once in `kept.SECONDS`, and where it goes on
            from if it was stopped before: to the same bits. None keeps nothing.
        clock: seconds; for tests of the time budget, and for `ranks`.
        ranks: processes that train it together, each of which calls this with the same arguments; but `progress` and
            `kept` may differ, and batches of their own pictures alone do.
    """
    if config.lr is None or config.l2 is None:
        raise ValueError("lr or l2 is None: resolve the configuration first (handful.finetune.resolve)")
    keep_memory()
    start = clock()
    limit = read_duration(config.time, option="time") if config.time else math.inf
    every = config.every or batches.n_batches
    n_steps = config.epochs * batches.n_batches

    def due() -> float:
        return min(n_steps * (clock() - start) / limit, n_steps)

    shown = progress or Silent()
    with (
        _placed(model, device),
        open_gradients(model, config, precision=precision, ranks=ranks) as gradients,
        shown.stage("Training", n_steps) as advance,
    ):
        course = Course.begin(model, config, seed=seed)
        seconds, stopped = course.restore(kept, progress=shown) if kept else (0.0, "")
        start -= seconds
        for before in course.iterations:
            advance(1)
            if watch:
                watch(before)
        updates = () if stopped else _updates(course, gradients, batches, config, n_steps=n_steps, due=due, seed=seed)
        for done in updates:
            course.average.update(done.step)
            late = clock() - start >= limit
            accuracy = pass_accuracy(course.recent(batches.n_batches), batches.n_batches)
            stopped = why_stop(done, config, n_steps=n_steps, late=late, accuracy=accuracy)
            if validation is not None and math.isfinite(done.loss) and (stopped or done.step % every == 0):
                _look(course, validation, gradients)
                stopped = stopped or course.keeper.why_stop(config.patience)
            advance(1, course.stands(batches.n_batches))
            if watch:
                watch(course.iterations[-1])
            if kept and (stopped or done.step % batches.n_batches == 0):
                course.save(kept, seconds=clock() - start, stopped=stopped, progress=shown)
            if stopped:
                break
        course.average.take()
    shown.say(course.stands(batches.n_batches).replace("\n", "; "))
    return finish(course.keeper, course.iterations, stopped=stopped, seconds=clock() - start)


def score(
    model: Trainable,
    batches: Batches,
    *,
    precision: Precision = "float32",
    pool: ThreadPoolExecutor | None = None,
    ranks: Ranks | None = None,
) -> Scores:
    """Returns what a model says about every picture's first view, in order; the model's mode is left as it was.

    Args:
        model: from `Cut.with_head`.
        batches: of the pictures.
        precision: of multiplications.
        pool: takes a mini-batch on each core, with the same result.
        ranks: processes of which each looks at some mini-batches, with the same result.
    """
    device = next(model.parameters()).device

    def look(batch: tuple[Tensor, Tensor]) -> tuple[FloatArray, IntArray]:
        inputs, labels = batch
        with torch.no_grad(), autocast(precision, device.type):
            return model(inputs.to(device, model.dtype)).double().cpu().numpy(), labels.numpy()

    mode = model.training
    model.eval()
    seen = list(in_order(pool, look, batches.plain()))
    scores, targets = zip(*(ranks.gathered(seen) if ranks else seen), strict=True)
    model.train(mode)
    return Scores(np.concatenate(scores), np.concatenate(targets))


def mixup(inputs: Tensor, alpha: float, *, rng: np.random.Generator) -> tuple[Tensor, Tensor, float]:
    """Returns MixUp's inputs (Zhang et al. 2018, arXiv:1710.09412), the partner of each, and its own share.

    Where layers are frozen, it is their activations that are mixed (Verma et al. 2019, manifold mixup).
    """
    if not alpha:
        return inputs, torch.arange(len(inputs)), 1.0
    share = float(rng.beta(alpha, alpha))
    partners = torch.from_numpy(rng.permutation(len(inputs)))
    return share * inputs + (1.0 - share) * inputs[partners], partners, share


def why_stop(done: Iteration, config: FinetuneConfig, *, n_steps: int, late: bool, accuracy: float | None) -> str:
    """Returns why training ends after this update, or nothing."""
    if not math.isfinite(done.loss):
        return f"failed: the loss was {done.loss} at update {done.step}; a lower learning rate is the usual remedy"
    if config.stop_at is not None and accuracy is not None and accuracy >= config.stop_at:
        return f"the training accuracy of a whole pass reached {accuracy:.4f}"
    if late:
        return f"the time of {config.time} was up"
    if done.step == n_steps:
        return f"all {config.epochs} epochs are done"
    return ""


@contextmanager
def _placed(model: Trainable, device: Device) -> Iterator[None]:
    """Has a model on a device for a while, and leaves the generators of PyTorch as they were."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device == "cuda" else []):
        model.to(device)
        yield
        model.to("cpu")


def _look(course: Course, validation: Batches, gradients: Gradients) -> None:
    """Looks at the validation part with the averages of the weights, where there are any, and takes note."""
    with course.average.in_place():
        seen = score(
            course.model, validation, precision=gradients.precision, pool=gradients.pool, ranks=gradients.ranks
        )
        course.validated(seen.loss, seen.accuracy)


def _updates(
    course: Course,
    gradients: Gradients,
    batches: Batches,
    config: FinetuneConfig,
    *,
    n_steps: int,
    due: Callable[[], float],
    seed: int,
) -> Iterator[Iteration]:
    """Yields every update after it was made and noted; one whose loss is no number is not made, and ends the training.

    The rate is that of the step, or of the step that is due by the time that was given, if that is a later one.
    """
    model, optimiser = course.model, course.optimiser
    base, schedule = config.lr or 0.0, cast(Schedule, config.schedule)
    for epoch in range(course.n_epochs + 1, config.epochs + 1):
        model.train()
        for inputs, labels in batches.epoch(epoch, seed=seed):
            step = len(course.iterations) + 1
            place = max(float(step), due())
            eta = rate(place, base=base, schedule=schedule, tau=config.tau, alpha=config.alpha, n_steps=n_steps)
            mixed, partners, share = mixup(inputs.to(model.dtype), config.mixup, rng=course.mixing)
            passed = gradients.of(mixed, labels, labels[partners], share)
            figures = Iteration(step, epoch, eta, passed.loss, passed.accuracy)
            if math.isfinite(figures.loss):
                for parameter, gradient in zip(gradients.parameters, passed.gradients, strict=True):
                    parameter.grad = gradient
                optimiser.update(eta)
            course.iterations.append(figures)
            yield figures
