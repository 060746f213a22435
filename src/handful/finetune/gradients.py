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
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from handful.core.config import FinetuneConfig
from handful.core.machine import open_threads
from handful.features.engines.pytorch import exactly
from handful.finetune.freeze import Trainable
from handful.finetune.precision import Precision, autocast, has_convolutions, suitable_threads
from handful.finetune.shares import n_portions, shares

if TYPE_CHECKING:
    from handful.finetune.ranks import Ranks

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 32
"""Mini-batches that are looked at or wait to be, at most."""


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
        pool: threads, each with its share of the cores; None where what is taken here is taken as a whole.
        ranks: processes that share the mini-batches; None where this one is alone.
    """

    def __init__(
        self,
        model: Trainable,
        config: FinetuneConfig,
        *,
        precision: Precision,
        pool: ThreadPoolExecutor | None,
        ranks: Ranks | None = None,
    ) -> None:
        self.model, self.precision, self.pool, self.ranks = model, precision, pool, ranks
        self.label_smoothing, self.sparsity = config.label_smoothing, config.sparsity
        self.parameters = [tensor for tensor in model.parameters() if tensor.requires_grad]

    def of(self, inputs: Tensor, labels: Tensor, partners: Tensor, share: float) -> Passed:
        """Returns what comes of a mini-batch.

        Args:
            inputs: of the model, (B, ...), mixed already; of the pictures of this rank at least.
            labels: int64 (B,).
            partners: int64 (B,), the label of the picture that each is mixed with.
            share: of the own label; the rest is the partner's.
        """
        n_images = len(labels)
        rank, n_ranks = (self.ranks.rank, self.ranks.n_ranks) if self.ranks else (0, 1)
        shared = shares(n_images, n_ranks, whole=self.pool is None)
        work = [
            (inputs[rows], labels[rows], partners[rows], share, (rows.stop - rows.start) / n_images)
            for rows in shared[rank]
        ]
        passed = list(self.pool.map(self._part, work) if self.pool else map(self._part, work))
        figures, gradients = [(loss, right) for loss, right, _ in passed], [each for *_, each in passed]
        if self.ranks:
            figures, total = self._together(self.ranks, figures, gradients, counts=[len(own) for own in shared])
        else:
            total = tuple(_sum(each) for each in zip(*gradients, strict=True))
        losses, right = zip(*figures, strict=True)
        return Passed(sum(losses), sum(right) / n_images, total)

    def _together(
        self,
        ranks: Ranks,
        figures: Sequence[tuple[float, int]],
        gradients: Sequence[Sequence[Tensor | None]],
        *,
        counts: Sequence[int],
    ) -> tuple[list[tuple[float, int]], tuple[Tensor | None, ...]]:
        """Returns the losses and right answers of all ranks' portions, and their gradients added up.

        Args:
            ranks: this one and the others.
            figures: of the portions of this one.
            gradients: of the same.
            counts: portions of each rank.
        """
        told = ranks.gathered(
            [(each, [part is not None for part in parts]) for each, parts in zip(figures, gradients, strict=True)]
        )
        plays = [parameter for parameter, there in zip(self.parameters, told[0][1], strict=True) if there]
        like = plays[0].new_empty(sum(parameter.numel() for parameter in plays))
        own = [torch.cat([part.reshape(-1) for part in parts if part is not None]) for parts in gradients]
        parts = iter(torch.split(ranks.added(own, counts, like=like), [parameter.numel() for parameter in plays]))
        total = tuple(
            torch.empty_like(parameter).copy_(next(parts).view_as(parameter)) if there else None
            for parameter, there in zip(self.parameters, told[0][1], strict=True)
        )
        return [each for each, _ in told], total

    def _part(self, work: tuple[Tensor, Tensor, Tensor, float, float]) -> tuple[float, int, Sequence[Tensor | None]]:
        """Returns the part of the loss, how many are right, and the part of the gradients."""
        *tensors, share, weight = work
        device = self.parameters[0].device
        values, labels, partners = (tensor.to(device) for tensor in tensors)
        with autocast(self.precision, device.type):
            scores, hidden = self.model.scores_and_hidden(values)
        scores = scores.to(self.model.dtype)
        loss = share * functional.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
        if share < 1.0:
            others = functional.cross_entropy(scores, partners, label_smoothing=self.label_smoothing)
            loss = loss + (1.0 - share) * others
        penalty = self.sparsity * sum(layer.abs().mean() for layer in hidden)
        gradients = torch.autograd.grad(weight * (loss + penalty), self.parameters, allow_unused=True)
        return weight * float(loss.detach()), int((scores.argmax(1) == labels).sum()), gradients


@contextmanager
def open_gradients(
    model: Trainable, config: FinetuneConfig, *, precision: Precision, ranks: Ranks | None = None
) -> Iterator[Gradients]:
    """Shares the cores that PyTorch uses among threads, where the pictures of a mini-batch do not depend on each other.

    An accelerator takes all that it gets at once.

    Args:
        model: what is trained, where it is trained.
        config: the options of its training.
        precision: of multiplications.
        ranks: as in `Gradients`; the model's mini-batches fall into portions then (`why_whole`).
    """
    device = next(model.parameters()).device.type
    if device != "cpu" or why_whole(model):
        with suitable_threads(model), exactly(device):
            yield Gradients(model, config, precision=precision, pool=None, ranks=ranks)
        return
    n_threads = torch.get_num_threads()
    n_own = -(-n_portions(config.batch) // (ranks.n_ranks if ranks else 1))
    n_workers = min(n_threads // ranks.each if ranks else n_threads, n_own)
    each = ranks.each if ranks else n_threads // n_workers
    with open_threads(n_workers, each=partial(torch.set_num_threads, each)) as pool:
        torch.set_num_threads(1)
        try:
            yield Gradients(model, config, precision=precision, pool=pool, ranks=ranks)
        finally:
            torch.set_num_threads(n_threads)


def why_whole(model: Trainable) -> str:
    """Returns why a mini-batch of a model is taken as a whole, in words; "" where it falls into portions."""
    if model.own_statistics:
        return "batch normalisation learns the statistics of whole mini-batches"
    if any(_draws(layer) for layer in model.groups.modules()) or any(model.head.dropout):
        return "dropout draws in the order in which pictures come"
    return "" if has_convolutions(model) else "without convolutions, a mini-batch is quickest as a whole"


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
