"""Convolutions with what follows them done in the same pass, by oneDNN; imports PyTorch.

A convolution in PyTorch writes its result to memory, and the activation behind it reads and writes all of it again.
oneDNN, which PyTorch carries, does both at once, and takes weights in a layout of its own, turned once. These are the
operations that `torch.compile` uses on a processor, without the half minute of compiling and without a compiler.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from handful.backbones.efficientnet_lite import SameConv2d
from handful.backbones.grouped import GroupedNetwork
from handful.backbones.rows import Part

if TYPE_CHECKING:
    from handful.backbones.grouped import Body
    from handful.backbones.network import Network

Border = tuple[int, int]
"""Zeros before and after."""

Activation = tuple[str, list[float]]
NONE: Activation = ("none", [])
RELU: Activation = ("relu", [])
RELU6: Activation = ("hardtanh", [0.0, 6.0])
"""What follows a convolution, in oneDNN's words, with its numbers."""


def can_fuse() -> bool:
    """Returns whether this build of PyTorch has oneDNN's fused convolutions."""
    built = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(built) and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


class FusedNetwork(GroupedNetwork):
    """A frozen network whose convolutions do the activations behind them; takes channels-last pictures.

    Args:
        network: a copy of its own, with batch normalisation folded; its layers are taken over.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network.spec, cast("Body", network.body), len(network.groups()))
        self._groups = network.groups()  # kept: some bodies make their groups anew at every call
        for _, group in self._groups:
            if not isinstance(group, Part):
                _fuse(group, with_activations=not network.spec.library)

    def groups(self) -> list[tuple[str, nn.Module]]:
        """Returns the layer groups from bottom to top."""
        return list(self._groups)


class FusedConv2d(nn.Module):
    """A convolution and the activation behind it.

    The weights are turned into oneDNN's layout when a picture size is first seen; after that any number of threads may
    call it with pictures of that size.
    """

    def __init__(self, conv: nn.Conv2d, activation: Activation) -> None:
        super().__init__()
        self.conv = conv
        self.activation, self.bounds = activation
        self._ready: dict[torch.Size, tuple[Border, Tensor]] = {}

    def forward(self, values: Tensor) -> Tensor:
        """Returns (N, channels, H', W') of (N, channels, H, W)."""
        conv = self.conv
        if values.shape not in self._ready:
            self._ready[values.shape] = self._laid_out(values)
        padding, weight = self._ready[values.shape]
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            values,
            weight,
            conv.bias,
            padding,
            conv.stride,
            conv.dilation,
            conv.groups,
            self.activation,
            self.bounds,
            "",
        )
        return result

    def _laid_out(self, values: Tensor) -> tuple[Border, Tensor]:
        """Returns a padding that is the same on both sides, and the weights that go with it, in oneDNN's layout.

        TensorFlow's padding has one row and column more at the end. Zeros in front of the kernel make up for a row and
        a column more at the start, which saves a copy of the largest activations.
        """
        conv, kernel = self.conv, self.conv.weight
        padding = cast(Border, conv.padding)
        if isinstance(conv, SameConv2d) and conv.stride[0] > 1:
            (top, bottom), (left, right) = conv.borders(*values.shape[2:])
            kernel = functional.pad(kernel, (right - left, 0, bottom - top, 0))
            padding = (bottom, right)
        weight = torch.ops.mkldnn._reorder_convolution_weight(
            kernel.contiguous(memory_format=torch.channels_last),
            padding,
            conv.stride,
            conv.dilation,
            conv.groups,
            list(values.shape),
        )
        return padding, weight


def _fuse(module: nn.Module, *, with_activations: bool) -> None:
    """Replaces every convolution among a module's children, and takes in the activation behind it.

    Libraries use one activation in several places, and not always behind the convolution that it stands behind.
    """
    children = [(name, child) for name, child in module.named_children() if not isinstance(child, nn.Identity)]
    for (name, child), (next_name, follower) in pairwise([*children, ("", None)]):
        if isinstance(child, nn.Conv2d) and type(child) in (nn.Conv2d, SameConv2d):
            activation = RELU if isinstance(follower, nn.ReLU) else RELU6 if isinstance(follower, nn.ReLU6) else NONE
            activation = activation if with_activations else NONE
            setattr(module, name, FusedConv2d(child, activation))
            if activation is not NONE:
                setattr(module, next_name, nn.Identity())
        elif child is not None:
            _fuse(child, with_activations=with_activations)
