"""Features on their way: an array that is filled in, and the disk that remembers its rows."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from handful.backbones import Tap
from handful.core.errors import DataError, TrainingError
from handful.core.machine import installed
from handful.core.progress import Progress
from handful.core.records import FeatureArray, ImageTable, Picture
from handful.features import cache
from handful.features.transforms import Preprocessing
from handful.features.trunk import FrozenTrunk
from handful.images import READING_VERSION

SHARD_BYTES = 32 << 20
SHARD_ROWS = 1024
"""Of computed features, after which they are written down, so that an interrupted run loses little."""

MEMORY_LIMIT = 1 << 30
"""Bytes of features up to which they stay in memory; larger ones lie in a temporary file that the system caches."""

Square = tuple[int, int]
"""What is computed at a time: a picture's row, and a view's number."""


@dataclass(slots=True)
class Shelf:
    """Where the features at one tap are put, and how they are called on disk.

    Attributes:
        tap: where they are taken.
        values: float32 or float16 (N, V, D).
        keys: what the N pictures are called.
        facts: what decides the numbers of each of the V views.
        spaces: their names.
        known: bool (N, V), what was looked up.
        fresh: squares that were filled in and not yet written down.
    """

    tap: Tap
    values: npt.NDArray[Any]
    keys: list[str]
    facts: list[dict[str, Any]]
    spaces: list[str]
    known: npt.NDArray[np.bool_]
    fresh: list[Square] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        trunk: FrozenTrunk,
        tap: Tap,
        table: ImageTable,
        pictures: Sequence[Picture],
        preprocessing: Preprocessing,
        views: Sequence[str],
        *,
        progress: Progress,
    ) -> Shelf:
        """Returns an empty one."""
        facts = [_facts(trunk, tap, table, preprocessing, view) for view in views]
        values = _room((len(pictures), len(views), tap.n_features), tap, progress=progress)
        keys = [picture.file_sha256 for picture in pictures]
        known = np.zeros(values.shape[:2], dtype=bool)
        return cls(tap, values, keys, facts, list(map(cache.space_key, facts)), known)

    @classmethod
    def unnamed(cls, tap: Tap, n_pictures: int, n_views: int, *, progress: Progress) -> Shelf:
        """Returns an empty one for features that are not looked up and not remembered."""
        values = _room((n_pictures, n_views, tap.n_features), tap, progress=progress)
        return cls(tap, values, [], [], [], np.zeros(values.shape[:2], dtype=bool))

    @property
    def space(self) -> str:
        """Names what all the numbers mean."""
        return cache.space_key({"views": self.spaces})

    def look_up(self) -> npt.NDArray[np.bool_]:
        """Fills in what the disk remembers, and returns what that is, bool (N, V)."""
        for view, space in enumerate(self.spaces):
            self.known[:, view] = cache.lookup(space, self.keys, self.values[:, view])
        return self.known

    def fill(self, squares: Sequence[Square], features: FeatureArray, *, remember: bool) -> None:
        """Puts features in their places, float32 (squares, D), rounded where the places are of half precision.

        Raises:
            TrainingError: they are no numbers, or too large for the precision.
        """
        limit, largest = float(np.finfo(self.values.dtype).max), float(np.abs(features).max())
        if not largest <= limit:
            raise TrainingError(
                f"a feature at {self.tap.name} is {largest:g}, and {self.values.dtype.name} holds at most {limit:g}: "
                "weights or pixel values are far from what is usual. Freeze fewer layers, or get the weights again.",
                failed_at=0,
            )
        rows, views = zip(*squares, strict=True)
        self.values[list(rows), list(views)] = features
        if remember:
            self.fresh += [square for square in squares if not self.known[square]]
            if len(self.fresh) >= min(SHARD_ROWS, SHARD_BYTES // self.values[0, 0].nbytes):
                self.close()

    def close(self) -> None:
        """Writes down what is fresh, each view in its own space."""
        for view, (space, facts) in enumerate(zip(self.spaces, self.facts, strict=True)):
            rows = [row for row, of_view in self.fresh if of_view == view]
            cache.store(space, [self.keys[row] for row in rows], self.values[rows, view], facts=facts)
        self.fresh = []


def _facts(trunk: FrozenTrunk, tap: Tap, table: ImageTable, preprocessing: Preprocessing, view: str) -> dict[str, Any]:
    facts = trunk.facts(tap)
    return {
        **facts,
        "versions": {**facts["versions"], "pillow": installed("pillow")},
        "preprocessing": asdict(preprocessing),
        "view": view,
        "reading": READING_VERSION,
        "full_scale": table.full_scale,
    }


def _room(shape: tuple[int, ...], tap: Tap, *, progress: Progress) -> npt.NDArray[Any]:
    """Returns an array to fill: in memory, or in a temporary file that has no name and so needs no tidying up."""
    dtype = np.dtype(np.float16 if tap.pooling == "places" else np.float32)
    n_bytes = math.prod(shape) * dtype.itemsize
    large = n_bytes > MEMORY_LIMIT
    if large or tap.pooling == "places":
        where = f"a temporary file in {tempfile.gettempdir()}" if large else "memory"
        progress.say(
            f"Activations at {tap.group} of {shape[0]:,} pictures, {shape[1]} views each: {n_bytes / 2**20:,.0f} MiB, "
            f"in {where}."
        )
    if not large:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile() as file:
        _reserve(file.fileno(), n_bytes)
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def _reserve(handle: int, n_bytes: int) -> None:
    """Takes the room on the disk at once, where the system can: a map of a file dies without a word for want of it.

    Raises:
        DataError: there is not so much room.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, n_bytes)
        except OSError as error:
            raise DataError(
                f"{tempfile.gettempdir()} has no room for {n_bytes / 2**30:,.1f} GiB of activations: {error.strerror}. "
                "Set TMPDIR to a folder that has."
            ) from error
