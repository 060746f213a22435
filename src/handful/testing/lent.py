"""The stand-in library's network; imports PyTorch."""

from __future__ import annotations

from torch import Tensor, nn


class Lent(nn.Module):
    """Two stages that share a rectifier, and a pooling; its children stand in the order in which they run."""

    def __init__(self, width: int, n_features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(Residual(width), Residual(width))
        self.layer2 = nn.Sequential(nn.Conv2d(width, n_features, 1, stride=2), nn.GELU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Flatten()

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns float32 (N, n_features)."""
        values = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(pixels)))))
        features: Tensor = self.fc(self.avgpool(values))
        return features


class Residual(nn.Module):
    """Two convolutions, added to their input; one rectifier stands for both places where it is used."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        """Returns float32 (N, width, H, W)."""
        inner: Tensor = self.conv2(self.relu(self.bn1(self.conv1(values))))
        after: Tensor = self.relu(inner + values)
        return after
