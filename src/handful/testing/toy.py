"""The toy network's layers; imports PyTorch."""

from __future__ import annotations

from torch import nn

from handful.backbones.grouped import Body


class Toy(Body):
    """Three convolutions with batch normalisation and a 1000-way classifier: like a real network, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.stage1 = nn.Sequential(nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.head = nn.Sequential(nn.Conv2d(12, 16, 1, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 1000))

    def groups(self) -> dict[str, nn.Module]:
        """Returns the stem, stage1, the head and the classifier."""
        return {"stem": self.stem, "stage1": self.stage1, "head": self.head, "classifier": self.classifier}
