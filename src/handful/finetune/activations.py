"""What the layers that are trained see of pictures: activations at the cut; imports PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from handful.core.records import PixelArray
from handful.features import Preprocessing
from handful.finetune.freeze import Frozen
from handful.finetune.precision import Precision, autocast


@dataclass(frozen=True, slots=True)
class Activations:
    """What the trainable part sees of some pictures.

    Attributes:
        values: float32 (N, V, D), or float16 or float32 (N, V, H, W, channels). In memory or in a temporary file.
    """

    values: npt.NDArray[Any]

    def carried(self) -> Activations:
        """Returns the same as an array in memory, which travels to other machines as it is."""
        return Activations(np.asarray(self.values))

    def batch(self, rows: npt.NDArray[np.int64], views: npt.NDArray[np.int64]) -> Tensor:
        """Returns one view of each of some pictures: float (B, D), or (B, channels, H, W) in channels-last order."""
        taken = np.ascontiguousarray(self.values[rows, views])
        values = torch.from_numpy(taken.astype(np.float32) if taken.dtype == np.float16 else taken)
        return values.permute(0, 3, 1, 2) if values.ndim == 4 else values


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
