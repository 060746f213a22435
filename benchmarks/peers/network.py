"""handful's networks and weights for the peers, who cannot all reach a hub; imports PyTorch, in any build."""

from __future__ import annotations

from torch import nn

from handful import backbones

USUAL_MOMENTUM = 0.1
"""Of batch normalisation in PyTorch, which a user of torchvision or timm has. With the 0.01 of the published file the
statistics would lag behind a short training, to the peers' disadvantage."""


def convolutions(name: str) -> tuple[nn.Sequential, backbones.BackboneSpec]:
    """Returns a network up to its last convolutions, float32 (N, 3, S, S) to (N, channels, h, w), and its facts.

    Raises:
        WeightsError: its weights are not on this machine; the message says how to get them.
    """
    spec = backbones.find(name)
    network = backbones.load(spec, backbones.locate(spec))
    last = [group for group, _ in network.groups()].index(spec.default_tap.group)
    body = nn.Sequential(*(module for _, module in network.groups()[: last + 1]))
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = USUAL_MOMENTUM
    return body.train(), spec


def classifier(name: str, n_classes: int) -> tuple[nn.Sequential, backbones.BackboneSpec]:
    """Returns a network whose last layer is new, as the tutorials make it: (N, 3, S, S) to scores (N, n_classes)."""
    body, spec = convolutions(name)
    pool = nn.AdaptiveAvgPool2d(1 if spec.default_tap.pooling == "average" else 6)
    head = nn.Sequential(pool, nn.Flatten(), nn.Linear(spec.default_tap.n_features, n_classes))
    return nn.Sequential(body, head), spec


def normalisation(spec: backbones.BackboneSpec) -> tuple[list[float], list[float]]:
    """Returns the mean and the standard deviation of the channels, for pixel values from 0 to 1."""
    return [value / 255 for value in spec.mean], [value / 255 for value in spec.std]
