"""VGG-16 with torchvision's names (Simonyan & Zisserman 2015, configuration D); imports PyTorch."""

from __future__ import annotations

from torch import nn

from handful.backbones.alexnet import N_CLASSES
from handful.backbones.grouped import Body

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the 3 x 3 convolutions of each block; a 2 x 2 pooling ends a block (table 1, column D)."""


class Vgg16(Body):
    """Thirteen convolutions in five blocks, three fully connected layers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_before = 3
        for block in BLOCKS:
            for n_channels in block:
                layers += [nn.Conv2d(n_before, n_channels, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                n_before = n_channels
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, N_CLASSES),
        )

    def groups(self) -> dict[str, nn.Module]:
        """Returns block1 to block5 (each with its pooling), fc6, fc7 and the classifier."""
        groups: dict[str, nn.Module] = {}
        start = 0
        for index, block in enumerate(BLOCKS, start=1):
            end = start + 2 * len(block) + 1
            groups[f"block{index}"] = self.features[start:end]
            start = end
        groups["block5"] = nn.Sequential(groups["block5"], self.avgpool)
        groups["fc6"] = nn.Sequential(nn.Flatten(), self.classifier[0:3])
        groups["fc7"] = self.classifier[3:6]
        groups["classifier"] = self.classifier[6:7]
        return groups
