"""A network cut in two: lower layer groups that stay as they are, upper ones that train; imports PyTorch."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from handful.backbones import Network, Tap, for_inference
from handful.backbones.pooling import L2Pooled
from handful.backbones.spec import Pooling as TapPooling
from handful.finetune.recipe import body_layer, count_frozen, groups_below
from handful.finetune.stack import Stack

FRESH_MOMENTUM = 0.1
"""Weight of a mini-batch in the statistics of batch normalisation that begin at 0 and 1: PyTorch's own.

Networks that saw a million pictures have 0.01, with which a set of a few hundred would hardly be felt in ten epochs.
"""


class Pooling(nn.Module):
    """What stands between the layer groups and the new layers; leaves features that are pooled already alone."""

    def __init__(self, kind: TapPooling) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, values: Tensor) -> Tensor:
        """Returns (N, D) of (N, D) or (N, channels, H, W)."""
        if values.ndim == 4 and self.kind == "average":
            values = values.mean(dim=(2, 3))
        return values.flatten(1)


class Frozen(nn.Module):
    """Layers in evaluation mode for good: no gradients, no dropout, and normalisation by its stored statistics."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*modules).requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Frozen:
        """Stays in evaluation mode, whatever the model around it does."""
        return super().train(False)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its weights."""
        return next((parameter.dtype for parameter in self.parameters()), torch.float32)

    def forward(self, values: Tensor) -> Tensor:
        """Returns the activations at the cut, without a graph behind them."""
        with torch.no_grad():
            cut: Tensor = self.layers(values)
        return cut


class Trainable(nn.Module):
    """The upper layer groups, pooling, and the new layers: everything that training changes.

    Args:
        groups: the upper layer groups by name, from bottom to top.
        pooling: between them and the new layers.
        head: the new layers.
        group_names: names of all the network's groups, the frozen ones too.
        own_statistics: normalise by each mini-batch's statistics and learn them, as random weights need. Otherwise the
            stored ones stay, and only the scales and shifts of batch normalisation are trained.
    """

    def __init__(
        self,
        groups: Sequence[tuple[str, nn.Module]],
        pooling: Pooling,
        head: Stack,
        *,
        group_names: Sequence[str],
        own_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.group_names = tuple(group_names)
        self.groups = nn.ModuleDict(dict(groups))
        self.pooling = pooling
        self.head = head
        self.own_statistics = own_statistics

    def train(self, mode: bool = True) -> Trainable:
        """Changes the mode of all layers, but of batch normalisation only where it learns statistics of its own."""
        super().train(mode)
        for layer in self.groups.modules():
            if isinstance(layer, nn.BatchNorm2d) and not self.own_statistics:
                layer.eval()
        return self

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its weights."""
        return next(self.head.parameters()).dtype

    def features(self, values: Tensor) -> Tensor:
        """Returns features (N, D) of activations at the cut."""
        for group in self.groups.values():
            values = group(values)
        features: Tensor = self.pooling(values)
        return features

    def forward(self, values: Tensor) -> Tensor:
        """Returns scores (N, C) of activations at the cut."""
        return self.scores_and_hidden(values)[0]

    def scores_and_hidden(self, values: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns scores (N, C), and the activations of every new hidden layer."""
        return self.head.scores_and_hidden(self.features(values))

    def layers(self) -> dict[str, nn.Module]:
        """Returns what has a learning-rate factor of its own, under the names of `recipe.layer_factors`."""
        body = {body_layer(name): group for name, group in self.groups.items()}
        return body | {f"head.{index}": layer for index, layer in enumerate(self.head.layers)}


@dataclass(frozen=True, slots=True)
class Cut:
    """A network cut in two.

    Attributes:
        network: a copy of the network that was given; `upper` shares its layers, so that after training its features
            are the trained ones and `handful.backbones.state_of` saves them.
        tap: where the features are taken; what stood above is gone.
        lower: the k lowest groups, with batch normalisation folded; with pooling where no other group follows.
        upper: the others up to the tap, by name, from bottom to top.
        group_names: all names, from bottom to top.
    """

    network: Network
    tap: Tap
    lower: Frozen
    upper: tuple[tuple[str, nn.Module], ...]
    group_names: tuple[str, ...]

    def with_head(self, head: Stack, *, own_statistics: bool = False) -> Trainable:
        """Returns what is to be trained: the upper groups and new layers, convolutions in channels-last order.

        Args:
            head: the new layers.
            own_statistics: of batch normalisation, as in `Trainable`; for groups whose weights are random.
        """
        model = Trainable(
            self.upper, Pooling(self.tap.pooling), head, group_names=self.group_names, own_statistics=own_statistics
        )
        return model.requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def split_network(
    network: Network, frozen: int | str, *, tap: Tap | None = None, pool: Literal["max", "l2"] = "max"
) -> Cut:
    """Returns a copy of a network, cut above its k lowest layer groups.

    Args:
        network: pre-trained; it is left as it is.
        frozen: k, or the name of the highest frozen group.
        tap: where the features are taken; the spec's default where it is None.
        pool: "l2" replaces max pooling by the square root of the sum of squares (the paper's section 3.1).

    Raises:
        ConfigError: k larger than n, an unknown name, or no max pooling to replace.
    """
    tap = tap or network.spec.default_tap
    own = copy.deepcopy(network) if pool == "max" else L2Pooled(network)
    n_used = len(groups_below(tap, [name for name, _ in own.groups()]))
    groups = own.groups()[:n_used]
    names = tuple(name for name, _ in groups)
    n_frozen = count_frozen(frozen, names)
    lower = [group for _, group in for_inference(own).groups()[:n_frozen]]
    if n_frozen == n_used:
        lower.append(Pooling(tap.pooling))
    return Cut(own, tap, Frozen(lower), tuple(groups[n_frozen:]), names)


def draw_weights(groups: Sequence[tuple[str, nn.Module]], *, init_scale: float, seed: int) -> None:
    """Draws all weights of some layer groups at random: the paper's "architecture only".

    Weights are normal with standard deviation init_scale * sqrt(2 / inputs of a neuron) (He et al. 2015, equation 10),
    biases zero; batch normalisation starts as the identity with fresh statistics, which follow the mini-batches
    soon (`FRESH_MOMENTUM`).

    Args:
        groups: changed in place.
        init_scale: 1 keeps the size of signals from layer to layer.
        seed: equal arguments give equal weights.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, group in groups:
            for layer in group.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    n_inputs = layer.weight[0].numel()
                    layer.weight.normal_(0.0, init_scale * math.sqrt(2.0 / n_inputs), generator=generator)
                    if layer.bias is not None:
                        layer.bias.zero_()
                elif isinstance(layer, nn.BatchNorm2d):
                    layer.reset_parameters()
                    layer.momentum = FRESH_MOMENTUM
