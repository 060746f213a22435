"""Mini-batches: from activations computed once (quick), or from pictures decoded anew; imports PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from handful.core.records import IntArray
from handful.finetune.activations import Activations, lower_pass, normalised
from handful.finetune.freeze import Frozen
from handful.finetune.pictures import Shown
from handful.finetune.precision import Precision
from handful.finetune.shares import own_rows
from handful.images import carried

Rows = npt.NDArray[np.int64]

ALONE = (0, 1)
"""The share of a process that takes all pictures."""


class Batches(Protocol):
    """Where training and validation get their examples from: inputs of the trainable part, and class indices."""

    @property
    def n_pictures(self) -> int:
        """N."""

    @property
    def n_batches(self) -> int:
        """Mini-batches in an epoch."""

    def epoch(self, number: int, *, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every picture once, in one of its views and in random order: inputs and int64 (B,) targets."""

    def plain(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every picture's first view, in order."""


@dataclass(frozen=True, slots=True)
class ActivationBatches:
    """The quick way: the lower layers ran once, each epoch takes one of the V views of every picture.

    Attributes:
        activations: of N pictures, or of more.
        targets: int64 (N,), class indices.
        batch: pictures in a mini-batch, at most.
        rows: int64 (N,): where the pictures' activations are; the first N by default.
        share: number of this process and of all that share the pictures.
    """

    activations: Activations
    targets: IntArray
    batch: int
    rows: Rows | None = None
    share: tuple[int, int] = ALONE

    @property
    def n_pictures(self) -> int:
        """N."""
        return len(self.targets)

    @property
    def n_batches(self) -> int:
        """Mini-batches in an epoch."""
        return -(-self.n_pictures // self.batch)

    def epoch(self, number: int, *, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every picture once, in one of its views and in random order."""
        n_views = self.activations.values.shape[1]
        for rows, views in draw_epoch(self.n_pictures, n_views=n_views, batch=self.batch, number=number, seed=seed):
            yield self.activations.batch(self._places(rows), views), torch.from_numpy(self.targets[rows])

    def plain(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every picture's first view, in order."""
        for rows in _own(_pieces(np.arange(self.n_pictures), self.batch), self.share):
            yield self.activations.batch(self._places(rows), np.zeros_like(rows)), torch.from_numpy(self.targets[rows])

    def carried(self) -> Self:
        """Returns the same with its activations in memory, as they travel to other machines."""
        return replace(self, activations=self.activations.carried())

    def shared(self, rank: int, n_ranks: int, *, threads: int) -> Self:
        """Returns the same for one of some processes: a part of the mini-batches of `plain`; nothing needs threads."""
        return replace(self, share=(rank, n_ranks))

    def _places(self, rows: Rows) -> Rows:
        return rows if self.rows is None else self.rows[rows]


@dataclass(frozen=True, slots=True)
class PictureBatches:
    """The slow way: pictures are decoded, changed and passed through the lower layers whenever they are needed.

    Attributes:
        lower: the frozen layers; may be none.
        shown: N pictures, and how they are shown.
        targets: int64 (N,), class indices.
        batch: pictures in a mini-batch, at most.
        n_views: V, as in `ActivationBatches`, with the same views; 0 draws a new view in every epoch.
        precision: of the lower layers, as in `activations_at`.
        share: number of this process and of all that share the pictures.
    """

    lower: Frozen
    shown: Shown
    targets: IntArray
    batch: int
    n_views: int = 0
    precision: Precision = "float32"
    share: tuple[int, int] = ALONE

    @property
    def n_pictures(self) -> int:
        """N."""
        return len(self.targets)

    @property
    def n_batches(self) -> int:
        """Mini-batches in an epoch."""
        return -(-self.n_pictures // self.batch)

    def epoch(self, number: int, *, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every picture once, in one of its views and in random order."""
        drawn = draw_epoch(self.n_pictures, n_views=max(1, self.n_views), batch=self.batch, number=number, seed=seed)
        yield from self._batches(
            [(rows, views if self.n_views else np.full_like(rows, number)) for rows, views in drawn], self.share
        )

    def plain(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields every picture's first view, in order."""
        pieces = _own(_pieces(np.arange(self.n_pictures), self.batch), self.share)
        yield from self._batches([(rows, np.zeros_like(rows)) for rows in pieces], ALONE)

    def carried(self) -> Self:
        """Returns the same with the bytes of its pictures' files, as they travel to other machines."""
        return replace(self, shown=replace(self.shown, table=carried(self.shown.table, self.shown.pictures)))

    def shared(self, rank: int, n_ranks: int, *, threads: int) -> Self:
        """Returns the same for one of some processes, with threads for decoding.

        It has its own pictures of every mini-batch, and a part of the mini-batches of `plain`.
        """
        return replace(self, shown=replace(self.shown, threads=threads), share=(rank, n_ranks))

    def _batches(self, batches: list[tuple[Rows, Rows]], share: tuple[int, int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the batches of an epoch, decoding ahead from one to the next; black where others have the picture."""
        own = [own_rows(len(rows), *share) for rows, _ in batches]
        wanted = [
            (int(row), int(view))
            for (rows, views), mine in zip(batches, own, strict=True)
            for row, view in zip(rows[mine], views[mine], strict=True)
        ]
        squares, size = self.shown.squares(wanted), self.shown.preprocessing.size
        for (rows, _), mine in zip(batches, own, strict=True):
            stacked = np.zeros((len(rows), size, size, 3), dtype=np.uint8)
            for place in range(mine.start, mine.stop):
                stacked[place] = next(squares)
            yield self._inputs(stacked), torch.from_numpy(self.targets[rows])

    def _inputs(self, squares: npt.NDArray[np.uint8]) -> Tensor:
        if not len(self.lower.layers):
            return normalised(squares, self.shown.preprocessing)
        values = torch.from_numpy(lower_pass(self.lower, squares, self.shown.preprocessing, precision=self.precision))
        return values.permute(0, 3, 1, 2) if values.ndim == 4 else values


def draw_epoch(n_pictures: int, *, n_views: int, batch: int, number: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Yields the mini-batches of one epoch: rows, and the view of each, both int64 (B,).

    Every picture comes once. Mini-batches differ by one picture at most instead of leaving a small rest, whose
    gradient would be noisy and which batch normalisation cannot use if it is a single picture.

    Args:
        n_pictures: N.
        n_views: V.
        batch: pictures in a mini-batch, at most.
        number: of the epoch.
        seed: with the number, decides order and views.
    """
    rng = np.random.default_rng((seed, number))
    order = rng.permutation(n_pictures)
    views = rng.integers(0, n_views, n_pictures)
    for rows in _pieces(order, batch):
        yield rows, views[rows]


def _pieces(rows: Rows, batch: int) -> list[Rows]:
    """Returns the rows in pieces of nearly equal length."""
    return np.array_split(rows, -(-len(rows) // batch))


def _own(pieces: list[Rows], share: tuple[int, int]) -> list[Rows]:
    """Returns the pieces of one of some processes: consecutive ones, or none."""
    rank, n_ranks = share
    return pieces[len(pieces) * rank // n_ranks : len(pieces) * (rank + 1) // n_ranks]
