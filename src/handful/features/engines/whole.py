"""A network with its normalisation, from uint8 squares to features: what other libraries convert; imports PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from handful.backbones import Network, Tap, for_inference
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable


class WholeNetwork(nn.Module):
    """Uint8 (B, S, S, 3) to features at each tap."""

    mean: Tensor
    scale: Tensor

    def __init__(self, network: Network, taps: Sequence[Tap], preprocessing: Preprocessing) -> None:
        super().__init__()
        self.layers = network.body
        self.activations: Callable[[Tensor, Sequence[Tap]], tuple[Tensor, ...]] = network.activations
        self.taps = tuple(taps)
        self.register_buffer("mean", torch.tensor(preprocessing.mean, dtype=torch.float32).view(1, 3, 1, 1))
        std = torch.tensor(preprocessing.std, dtype=torch.float32).view(1, 3, 1, 1)
        self.register_buffer("scale", 1.0 / std)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Returns float32 (B, D) for each tap."""
        pixels = pictures.permute(0, 3, 1, 2).to(torch.float32)
        return self.activations((pixels - self.mean) * self.scale, self.taps)


def whole_network(network: Network, taps: Sequence[Tap], preprocessing: Preprocessing) -> WholeNetwork:
    """Returns a frozen copy of a network that takes pictures as they are decoded."""
    return WholeNetwork(for_inference(network), taps, preprocessing).eval()
