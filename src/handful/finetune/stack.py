"""New layers as a PyTorch module, and as arrays after training; imports PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from handful.core.records import Head, Nonlinearity, StackedHead
from handful.finetune.layers import NewLayer

NEURONS: dict[Nonlinearity, Callable[[Tensor], Tensor]] = {
    "rectifier": functional.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hard-tanh": functional.hardtanh,
}

GAIN: dict[Nonlinearity, float] = {"rectifier": math.sqrt(2.0), "sigmoid": 1.0, "tanh": 1.0, "hard-tanh": 1.0}
"""Of a hidden layer's weights: a rectifier halves the mean square (He et al. 2015, section 2.2), the others do not."""


class Stack(nn.Module):
    """Fully connected layers with one kind of neuron between them.

    Dropout draws from a generator of the stack's own (`seed_dropout`), so that trainings in several threads do not
    disturb each other, and trainings of one seed drop the same.
    """

    def __init__(self, layers: Sequence[NewLayer], n_features: int, nonlinearity: Nonlinearity) -> None:
        super().__init__()
        widths = [n_features, *(layer.size for layer in layers)]
        # without PyTorch's own first weights, which would draw from the generator that everybody shares
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, below, above)  # type: ignore[no-untyped-call]
            for below, above in pairwise(widths)
        )
        self.dropout = tuple(layer.dropout for layer in layers)
        self.nonlinearity: Nonlinearity = nonlinearity
        self.generator = Generator()

    def seed_dropout(self, seed: int) -> None:
        """Decides what dropout drops from here on."""
        self.generator.manual_seed(seed)

    def forward(self, features: Tensor) -> Tensor:
        """Returns scores (N, C) of features (N, D)."""
        return self.scores_and_hidden(features)[0]

    def scores_and_hidden(self, features: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns scores (N, C), and the activations of every hidden layer before dropout, each (N, size)."""
        values, hidden = features, []
        for index, layer in enumerate(self.layers):
            values = layer(values)
            if index < len(self.layers) - 1:
                values = NEURONS[self.nonlinearity](values)
                hidden.append(values)
                if self.training and self.dropout[index]:
                    share = self.dropout[index]
                    mask = dropout_mask(values.shape, share, generator=self.generator, dtype=values.dtype)
                    values = values * mask.to(values.device)
        return values, tuple(hidden)


def dropout_mask(shape: Sequence[int], share: float, *, generator: Generator, dtype: torch.dtype) -> Tensor:
    """Returns what a layer's outputs are multiplied with: 0 for a random share of them, 1 / (1 - share) for the others.

    Args:
        shape: (B, size), pictures first.
        share: of the outputs that are dropped, in [0, 1).
        generator: drawn from.
        dtype: of the mask; every precision drops the same outputs.
    """
    return torch.empty(shape).bernoulli_(1.0 - share, generator=generator).to(dtype).div_(1.0 - share)


def build_head(
    layers: Sequence[NewLayer], n_features: int, *, nonlinearity: Nonlinearity, init_scale: float, seed: int
) -> Stack:
    """Returns new layers with random weights: normal, of standard deviation gain * init_scale / sqrt(inputs); biases 0.

    Args:
        layers: from bottom to top.
        n_features: D, the inputs of the first.
        nonlinearity: of the hidden layers.
        init_scale: 1 keeps the size of signals from layer to layer.
        seed: equal arguments give equal weights.
    """
    stack = Stack(layers, n_features, nonlinearity)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for index, layer in enumerate(_linear_layers(stack)):
            gain = GAIN[nonlinearity] if index < len(layers) - 1 else 1.0
            layer.weight.normal_(0.0, gain * init_scale / math.sqrt(layer.in_features), generator=generator)
            layer.bias.zero_()
    return stack


def begin_with(stack: Stack, head: Head) -> None:
    """Gives the one layer of a stack the weights of an output layer that was solved for, so that its scores are that's.

    Args:
        stack: of one layer; changed in place.
        head: linear; its temperature goes into the weights.
    """
    (layer,) = _linear_layers(stack)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.weight.T / head.temperature))
        layer.bias.copy_(torch.from_numpy(head.bias / head.temperature))


def head_arrays(stack: Stack) -> StackedHead:
    """Returns the layers as float64 arrays, with temperature 1; `handful.heads.stacked_scores` applies them."""
    layers = tuple(
        (layer.weight.detach().double().numpy().T.copy(), layer.bias.detach().double().numpy().copy())
        for layer in _linear_layers(stack)
    )
    return StackedHead(layers, stack.nonlinearity, temperature=1.0)


def _linear_layers(stack: Stack) -> list[nn.Linear]:
    return [layer for layer in stack.layers if isinstance(layer, nn.Linear)]
