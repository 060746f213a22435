"""Activations at the cut, computed once for every view of every picture; imports PyTorch."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from handful.backbones import keep_memory
from handful.core.progress import Progress
from handful.core.records import PixelArray
from handful.features import Preprocessing
from handful.finetune.freeze import Frozen
from handful.finetune.pictures import Shown
from handful.finetune.precision import Precision, autocast

BATCH = 32
"""Squares per pass of the lower layers: enough to keep two cores busy, some hundred megabytes."""

MEMORY_LIMIT = 1 << 30
"""Bytes of activations up to which they stay in memory; larger ones lie in a temporary file that the system caches."""


@dataclass(frozen=True, slots=True)
class Activations:
    """What the trainable part sees of some pictures.

    Attributes:
        values: float32 (N, V, D) or (N, V, H, W, channels); or uint8 (N, V, S, S, 3), the pictures themselves, where no
            layer is frozen. In memory or in a temporary file that vanishes with it.
        preprocessing: how uint8 values become the network's input.
    """

    values: npt.NDArray[Any]
    preprocessing: Preprocessing

    def batch(self, rows: npt.NDArray[np.int64], views: npt.NDArray[np.int64]) -> Tensor:
        """Returns one view of each of some pictures: float (B, D), or (B, channels, H, W) in channels-last order."""
        taken = np.ascontiguousarray(self.values[rows, views])
        if taken.dtype == np.uint8:
            return normalised(taken, self.preprocessing)
        values = torch.from_numpy(taken)
        return values.permute(0, 3, 1, 2) if values.ndim == 4 else values


def activations_at(
    lower: Frozen, shown: Shown, *, n_views: int, progress: Progress, precision: Precision = "float32"
) -> Activations:
    """Returns the activations at the cut for V views of each picture.

    Memory: N * V * (numbers per view) * 4 bytes, in a temporary file when that is more than 1 GiB.

    Args:
        lower: the frozen layers; with none of them the pictures are kept as uint8.
        shown: N pictures, and how they are shown.
        n_views: V; views differ where there is an augmentation, so more than 1 without one is wasted.
        progress: told about every view computed.
        precision: of multiplications; "bfloat16" is about twice as quick where `training_precision` says so, and moves
            the activations by about a hundredth.
    """
    keep_memory()
    n_pictures = len(shown.pictures)
    wanted = [(row, view) for row in range(n_pictures) for view in range(n_views)]
    squares = shown.squares(wanted)
    values: npt.NDArray[Any] | None = None
    with progress.stage("Activations below the trained layers", len(wanted)) as advance:
        for start in range(0, len(wanted), BATCH):
            chunk = wanted[start : start + BATCH]
            stacked = np.stack(list(islice(squares, len(chunk))))
            computed: npt.NDArray[Any] = stacked
            if len(lower.layers):
                computed = lower_pass(lower, stacked, shown.preprocessing, precision=precision)
            if values is None:
                values = _room((n_pictures, n_views, *computed.shape[1:]), computed.dtype, progress=progress)
            values.reshape(len(wanted), *computed.shape[1:])[start : start + len(chunk)] = computed
            advance(len(chunk))
    if values is None:
        raise ValueError("there are no pictures to compute activations of")
    return Activations(values, shown.preprocessing)


def lower_pass(
    lower: Frozen, squares: PixelArray, preprocessing: Preprocessing, *, precision: Precision
) -> npt.NDArray[Any]:
    """Returns activations of squares, uint8 (B, S, S, 3): (B, D) or (B, H, W, channels), in the layers' precision."""
    with autocast(precision):
        cut = lower(normalised(squares, preprocessing).to(lower.dtype)).to(lower.dtype)
    values: npt.NDArray[Any] = (cut.permute(0, 2, 3, 1) if cut.ndim == 4 else cut).contiguous().numpy()
    return values


def normalised(squares: PixelArray, preprocessing: Preprocessing) -> Tensor:
    """Returns the network's input, float32 (B, 3, S, S) in channels-last order, of squares, uint8 (B, S, S, 3)."""
    mean = torch.tensor(preprocessing.mean, dtype=torch.float32).view(1, 3, 1, 1)
    scale = 1.0 / torch.tensor(preprocessing.std, dtype=torch.float32).view(1, 3, 1, 1)
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2)
    return pixels.to(torch.float32, memory_format=torch.channels_last).sub_(mean).mul_(scale)


def _room(shape: tuple[int, ...], dtype: np.dtype[Any], *, progress: Progress) -> npt.NDArray[Any]:
    """Returns an array to fill: in memory, or in a temporary file that has no name and so needs no tidying up."""
    n_bytes = math.prod(shape) * dtype.itemsize
    where = "in a temporary file" if n_bytes > MEMORY_LIMIT else "in memory"
    progress.say(f"Activations of {shape[0]} pictures, {shape[1]} views each: {n_bytes / 2**20:,.0f} MiB {where}.")
    if n_bytes <= MEMORY_LIMIT:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
