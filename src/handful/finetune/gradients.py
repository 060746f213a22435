"""Loss and gradients of a mini-batch, a few pictures at a time on each core; imports PyTorch.

All cores on one operation wait for each other after each, which costs half of the time where another program uses one
of them. So a thread takes some pictures up and down the whole model, and the gradients are added in a fixed order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from handful.core.config import FinetuneConfig
from handful.core.machine import open_threads
from handful.finetune.freeze import Trainable
from handful.finetune.precision import Precision, autocast, has_convolutions, suitable_threads

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 32
"""Mini-batches that are looked at or wait to be, at most."""

PORTION = 16
"""Pictures that a thread takes at a time: with fewer the network is slower, with more a mini-batch keeps fewer cores
busy."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of a mini-batch.

    Attributes:
        loss: mean over the pictures, penalties not included.
        accuracy: share of them whose label has the highest score.
        gradients: of loss and penalty, one per parameter of the model that is trained, in order; None where it plays no
            part.
    """

    loss: float
    accuracy: float
    gradients: tuple[Tensor | None, ...]


class Gradients:
    """Takes mini-batches through a model and back.

    Args:
        model: what is trained; in training mode.
        config: the options of its training: label smoothing and sparsity.
        precision: of multiplications.
        pool: threads, each with its share of the cores; None where the model does not fall into portions.
    """

    def __init__(
        self, model: Trainable, config: FinetuneConfig, *, precision: Precision, pool: ThreadPoolExecutor | None
    ) -> None:
        self.model, self.precision, self.pool = model, precision, pool
        self.label_smoothing, self.sparsity = config.label_smoothing, config.sparsity
        self.parameters = [tensor for tensor in model.parameters() if tensor.requires_grad]

    def of(self, inputs: Tensor, labels: Tensor, partners: Tensor, share: float) -> Passed:
        """Returns what comes of a mini-batch.

        Args:
            inputs: of the model, (B, ...), mixed already.
            labels: int64 (B,).
            partners: int64 (B,), the label of the picture that each is mixed with.
            share: of the own label; the rest is the partner's.
        """
        n_images = len(labels)
        n_parts = n_portions(n_images) if self.pool else 1
        parts = zip(*(each.tensor_split(n_parts) for each in (inputs, labels, partners)), strict=True)
        work = [(values, own, other, share, len(own) / n_images) for values, own, other in parts]
        passed = list(self.pool.map(self._part, work) if self.pool else map(self._part, work))
        losses, right, gradients = zip(*passed, strict=True)
        return Passed(sum(losses), sum(right) / n_images, tuple(_sum(each) for each in zip(*gradients, strict=True)))

    def _part(self, work: tuple[Tensor, Tensor, Tensor, float, float]) -> tuple[float, int, Sequence[Tensor | None]]:
        """Returns the part of the loss, how many are right, and the part of the gradients."""
        values, labels, partners, share, weight = work
        with autocast(self.precision):
            scores, hidden = self.model.scores_and_hidden(values)
        scores = scores.to(self.model.dtype)
        loss = share * functional.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
        if share < 1.0:
            others = functional.cross_entropy(scores, partners, label_smoothing=self.label_smoothing)
            loss = loss + (1.0 - share) * others
        penalty = self.sparsity * sum(layer.abs().mean() for layer in hidden)
        gradients = torch.autograd.grad(weight * (loss + penalty), self.parameters, allow_unused=True)
        return weight * float(loss.detach()), int((scores.argmax(1) == labels).sum()), gradients


def n_portions(n_images: int) -> int:
    """Returns in how many parts a mini-batch is taken."""
    return -(-n_images // PORTION)


@contextmanager
def open_gradients(model: Trainable, config: FinetuneConfig, *, precision: Precision) -> Iterator[Gradients]:
    """Shares the cores that PyTorch uses among threads, where the pictures of a mini-batch do not depend on each other.

    They do where batch normalisation learns statistics. Dropout draws in the order in which pictures come, and a small
    model is quicker on one core: both take the mini-batch as a whole.

    Args:
        model: what is trained.
        config: the options of its training.
        precision: of multiplications.
    """
    draws = any(_draws(layer) for layer in model.groups.modules()) or any(model.head.dropout)
    if model.own_statistics or draws or not has_convolutions(model):
        with suitable_threads(model):
            yield Gradients(model, config, precision=precision, pool=None)
        return
    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, n_portions(config.batch))
    with open_threads(n_workers, each=partial(torch.set_num_threads, n_threads // n_workers)) as pool:
        torch.set_num_threads(1)
        try:
            yield Gradients(model, config, precision=precision, pool=pool)
        finally:
            torch.set_num_threads(n_threads)


def _draws(layer: nn.Module) -> bool:
    """Returns whether a layer drops values at random, by the names that libraries give to the share of them."""
    return any(isinstance(share := getattr(layer, name, None), float) and share > 0.0 for name in ("p", "drop_prob"))


def in_order(pool: ThreadPoolExecutor | None, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yields what a function makes of some items, in their order; several at once where there are threads."""
    if pool is None:
        yield from map(function, items)
        return
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= AHEAD:
            yield waiting.popleft().result()
    yield from (each.result() for each in waiting)


def _sum(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Returns the sum in the order of the parts; None where there is none."""
    total: Tensor | None = None
    for part in parts:
        if part is not None:
            total = part if total is None else total + part
    return total
