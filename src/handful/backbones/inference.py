"""The fast form of a frozen network, and an allocator that keeps its memory."""

from __future__ import annotations

import copy
import ctypes
import platform
from itertools import pairwise
from typing import TYPE_CHECKING

from handful.backbones.network import Network

if TYPE_CHECKING:
    from torch import nn

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEEP_BYTES = 1 << 30
"""Blocks up to this size stay with the process; the activations of a batch are some hundred megabytes."""


def for_inference(network: Network, *, fuse: bool = False) -> Network:
    """Returns a frozen copy for forward passes: batch normalisation folded into convolutions, channels last.

    Its features equal the network's to about 1e-6 (another order of the same sums). It cannot be trained, and
    `state_of` does not know it. A network of another library stays as it is unless `fuse` is asked for: which of its
    layers follow each other is not known, only guessed, and whoever asks for that compares the results.

    Args:
        network: left as it is.
        fuse: do activations together with the convolutions before them, where `can_fuse` says that this is possible.
    """
    import torch

    fast = copy.deepcopy(network)
    fast.body.eval()
    if fuse or not network.spec.library:
        _fold(fast.body)
    fast.body.requires_grad_(False)
    for parameter in fast.body.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    if not fuse:
        return fast
    from handful.backbones.fused import FusedNetwork

    return FusedNetwork(fast)


def keep_memory() -> bool:
    """Tells glibc to keep freed memory instead of returning it; three times as many pictures per second on a laptop.

    By default glibc gives every large activation back to the system and fetches zeroed pages for the next. Call it
    once before the first forward pass; elsewhere than on glibc it does nothing.

    Returns:
        True when the allocator was told.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, KEEP_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEEP_BYTES))


def _fold(module: nn.Module) -> None:
    """Folds every batch normalisation into the convolution that stands before it among a module's children."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    children = list(module.named_children())
    for (name, child), (next_name, next_child) in pairwise(children):
        if isinstance(child, nn.Conv2d) and type(next_child) is nn.BatchNorm2d:  # others do more than normalise
            setattr(module, name, fuse_conv_bn_eval(child, next_child))
            setattr(module, next_name, nn.Identity())
    for _, child in module.named_children():
        _fold(child)
