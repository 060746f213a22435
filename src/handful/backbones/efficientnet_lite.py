"""EfficientNet-Lite 0, 1 and 2 under the names of their published PyTorch files; imports PyTorch.

EfficientNet (Tan & Le 2019) without squeeze-and-excitation and with ReLU6, as Google published it for small devices
(Liu 2020). The weights come from TensorFlow, and so does the way of padding: at stride 2 the extra row and column
stand at the bottom and the right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from handful.backbones.grouped import Body

EPSILON = 1e-3
"""Of batch normalisation: TensorFlow's, not PyTorch's 1e-5."""
MOMENTUM = 0.01
"""Weight of the new batch's statistics in training; TensorFlow's 0.99 is the weight of the old ones."""
STEM_WIDTH = 32
HEAD_WIDTH = 1280
N_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of blocks with one width (table 1 of the paper); the first block has the stride."""

    n_blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite(Body):
    """A stem, seven stages of inverted bottlenecks, a head; `width` and `depth` multiply channels and blocks."""

    def __init__(self, width: float, depth: float, *, dropout: float) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, STEM_WIDTH, kernel=3, stride=2)
        self._bn0 = _normalisation(STEM_WIDTH)
        self._blocks = nn.ModuleList()
        self.stage_ends: list[int] = []
        n_before = STEM_WIDTH
        for index, stage in enumerate(STAGES):
            n_channels = scaled_width(stage.width, width)
            fixed = index in (0, len(STAGES) - 1)  # Lite repeats its first and last stage no more often
            for repeat in range(stage.n_blocks if fixed else math.ceil(stage.n_blocks * depth)):
                stride = stage.stride if repeat == 0 else 1
                self._blocks.append(Block(n_before, n_channels, stage=stage, stride=stride))
                n_before = n_channels
            self.stage_ends.append(len(self._blocks))
        self._conv_head = SameConv2d(n_before, HEAD_WIDTH, kernel=1)
        self._bn1 = _normalisation(HEAD_WIDTH)
        self._pool = nn.AdaptiveAvgPool2d(1)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(HEAD_WIDTH, N_CLASSES)

    def groups(self) -> dict[str, nn.Module]:
        """Returns the stem, stage1 to stage7, the head, and the classifier with its pooling."""
        starts = [0, *self.stage_ends]
        return {
            "stem": nn.Sequential(self._conv_stem, self._bn0, nn.ReLU6()),
            **{
                f"stage{index}": nn.Sequential(*self._blocks[start:end])
                for index, (start, end) in enumerate(zip(starts, self.stage_ends, strict=False), start=1)
            },
            "head": nn.Sequential(self._conv_head, self._bn1, nn.ReLU6()),
            "classifier": nn.Sequential(self._pool, nn.Flatten(), self._dropout, self._fc),
        }


class Block(nn.Module):
    """An inverted bottleneck: widen, filter each channel, narrow; added to its input where the shape allows."""

    def __init__(self, n_inputs: int, n_outputs: int, *, stage: Stage, stride: int) -> None:
        super().__init__()
        n_inner = n_inputs * stage.expansion
        self.widens = stage.expansion != 1
        self.adds = stride == 1 and n_inputs == n_outputs
        if self.widens:
            self._expand_conv = SameConv2d(n_inputs, n_inner, kernel=1)
            self._bn0 = _normalisation(n_inner)
            self._relu0 = nn.ReLU6(inplace=True)
        self._depthwise_conv = SameConv2d(n_inner, n_inner, kernel=stage.kernel, stride=stride, groups=n_inner)
        self._bn1 = _normalisation(n_inner)
        self._relu1 = nn.ReLU6(inplace=True)
        self._project_conv = SameConv2d(n_inner, n_outputs, kernel=1)
        self._bn2 = _normalisation(n_outputs)

    def forward(self, values: Tensor) -> Tensor:
        """Returns float32 (N, n_outputs, H / stride, W / stride) of float32 (N, n_inputs, H, W)."""
        inner: Tensor = values
        if self.widens:
            inner = self._relu0(self._bn0(self._expand_conv(inner)))
        inner = self._relu1(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + values if self.adds else inner


class SameConv2d(nn.Conv2d):
    """A convolution without bias and with TensorFlow's "same" padding: ceil(size / stride) places come out."""

    def __init__(self, n_inputs: int, n_outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> None:
        symmetric = kernel // 2 if stride == 1 else 0
        super().__init__(n_inputs, n_outputs, kernel, stride=stride, padding=symmetric, groups=groups, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        """Returns float32 (N, n_outputs, ceil(H / stride), ceil(W / stride))."""
        if self.stride[0] > 1:
            (top, bottom), (left, right) = self.borders(values.shape[2], values.shape[3])
            values = functional.pad(values, (left, right, top, bottom))
        return super().forward(values)

    def borders(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Returns how many rows of zeros stand above and below, and how many columns left and right."""
        return self._border(height), self._border(width)

    def _border(self, size: int) -> tuple[int, int]:
        stride, kernel = self.stride[0], self.kernel_size[0]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


def scaled_width(width: int, factor: float) -> int:
    """Returns a width times a factor, rounded to a multiple of 8 that loses at most a tenth (Tan & Le's code)."""
    scaled = width * factor
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def _normalisation(n_channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n_channels, eps=EPSILON, momentum=MOMENTUM)
