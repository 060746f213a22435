"""Features on their way: an array that is filled in, and the disk that remembers its rows."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from handful.backbones import Tap
from handful.core.errors import DataError
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
        fresh: squares that were filled in and not yet written down.
    """

    tap: Tap
    values: npt.NDArray[Any]
    keys: list[str]
    facts: list[dict[str, Any]]
    spaces: list[str]
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
        return cls(tap, values, [picture.file_sha256 for picture in pictures], facts, list(map(cache.space_key, facts)))

    @property
    def space(self) -> str:
        """Names what all the numbers mean."""
        return cache.space_key({"views": self.spaces})

    def look_up(self) -> npt.NDArray[np.bool_]:
        """Fills in what the disk remembers, and returns what that is, bool (N, V)."""
        columns = enumerate(self.spaces)
        return np.stack([cache.lookup(space, self.keys, self.values[:, view]) for view, space in columns], axis=1)

    def nothing(self) -> npt.NDArray[np.bool_]:
        """Returns what `look_up` does where nothing is remembered."""
        return np.zeros(self.values.shape[:2], dtype=bool)

    def fill(self, squares: Sequence[Square], features: FeatureArray, *, remember: bool) -> None:
        """Puts features in their places, float32 (squares, D), rounded where the places are of half precision.

        Raises:
            DataError: they are too large for half precision.
        """
        limit, largest = float(np.finfo(self.values.dtype).max), float(np.abs(features).max())
        if largest > limit:
            raise DataError(
                f"an activation at {self.tap.name} is {largest:g}, larger than half precision holds ({limit:g}). "
                "Freeze fewer layers."
            )
        rows, views = zip(*squares, strict=True)
        self.values[list(rows), list(views)] = features
        if remember:
            self.fresh += squares
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
        "versions": {**facts["versions"], "pillow": version("pillow")},
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
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
