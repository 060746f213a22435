"""Several stacks of new layers of one shape, side by side in the same tensors; imports PyTorch.

P stacks see the same mini-batch. Their first layers are then one matrix product of (P * size, D) and (D, B), which
keeps a processor busy where P small ones do not; the layers above are a batched product. Values stand in columns, one
per picture, so that every stack's part is a block of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from handful.core.records import Nonlinearity
from handful.finetune.stack import NEURONS, Stack, dropout_mask

SLOPES: dict[Nonlinearity, Callable[[Tensor], Tensor]] = {
    "rectifier": lambda values: values > 0.0,
    "sigmoid": lambda values: values * (1.0 - values),
    "tanh": lambda values: 1.0 - values.square(),
    "hard-tanh": lambda values: values.abs() < 1.0,
}
"""Derivative of every neuron, from its output."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass through the layers leaves behind.

    Attributes:
        below: what each layer saw: the features (B, D), then (P, size, B) after dropout.
        hidden: what each hidden layer gave before dropout, (P, size, B).
        masks: dropout of each hidden layer, (size, B); None without one.
        scores: (P, C, B).
    """

    below: tuple[Tensor, ...]
    hidden: tuple[Tensor, ...]
    masks: tuple[Tensor | None, ...]
    scores: Tensor


class Stacks:
    """P stacks: `tensors` holds weights (P, size, inputs) and biases (P, size, 1) in turns, from bottom to top."""

    def __init__(self, stacks: Sequence[Stack], *, dtype: torch.dtype) -> None:
        self.dropout = stacks[0].dropout
        self.nonlinearity = stacks[0].nonlinearity
        alike = zip(*(stack.parameters() for stack in stacks), strict=True)
        together = [torch.stack([tensor.detach() for tensor in tensors]).to(dtype) for tensors in alike]
        self.tensors = [tensor if tensor.ndim == 3 else tensor.unsqueeze(2) for tensor in together]

    def keep(self, places: Tensor) -> None:
        """Drops all stacks but some."""
        self.tensors = [tensor[places] for tensor in self.tensors]

    def are_finite(self) -> Tensor:
        """Returns whether every weight of each stack is a finite number: bool (P,)."""
        return torch.stack([tensor.isfinite().flatten(1).all(1) for tensor in self.tensors]).all(0)

    def apply(self, features: Tensor, *, generator: Generator | None = None) -> Passed:
        """Returns what the layers make of features.

        Args:
            features: (B, D), the same for every stack.
            generator: of dropout, the same for every stack; without one nothing is dropped.
        """
        below, hidden, masks = [features], [], []
        for index, dropped in enumerate(self.dropout[:-1]):
            hidden.append(NEURONS[self.nonlinearity](self._sums(index, below[-1])))
            values, mask = hidden[-1], None
            if dropped and generator is not None:
                shape = (len(features), values.shape[1])
                mask = dropout_mask(shape, dropped, generator=generator, dtype=values.dtype).T
                values = values * mask
            below.append(values)
            masks.append(mask)
        return Passed(tuple(below), tuple(hidden), tuple(masks), self._sums(len(hidden), below[-1]))

    def signals(self, passed: Passed, errors: Tensor, *, sparsity: Tensor) -> list[Tensor]:
        """Returns the derivative of each stack's loss by the sums of each layer, from bottom to top: (P, size, B).

        Args:
            passed: from `apply`.
            errors: the derivative by the scores, (P, C, B).
            sparsity: penalty on the mean absolute activation of each hidden layer, (P, 1, 1).
        """
        signals = [errors]
        for index in range(len(passed.hidden), 0, -1):
            values, mask = passed.hidden[index - 1], passed.masks[index - 1]
            signal = torch.bmm(self.tensors[2 * index].transpose(1, 2), signals[0])
            if mask is not None:
                signal *= mask
            signal += values.sign() * (sparsity / values[0].numel())
            signals.insert(0, signal * SLOPES[self.nonlinearity](values))
        return signals

    def _sums(self, index: int, below: Tensor) -> Tensor:
        """Returns weights times what is below, plus biases: (P, size, B)."""
        weights, biases = self.tensors[2 * index : 2 * index + 2]
        if below.ndim == 3:
            return torch.baddbmm(biases, weights, below)
        # pictures in rows here: with them in columns MKL takes twice as long for odd numbers of pictures
        sums = torch.addmm(biases.view(-1), below, weights.view(-1, weights.shape[2]).T)
        return sums.T.reshape(*weights.shape[:2], len(below))


def add_gradient(total: Tensor, signal: Tensor, below: Tensor | None) -> None:
    """Adds the gradient of a layer's weights or biases to a tensor of their shape.

    Args:
        total: (P, size, inputs), or (P, size, 1) for biases.
        signal: from `Stacks.signals`.
        below: what the layer saw; None for biases.
    """
    if below is None:
        total += signal.sum(2, keepdim=True)
    elif below.ndim == 2:
        total.view(-1, total.shape[2]).addmm_(signal.reshape(-1, len(below)), below)
    else:
        total.baddbmm_(signal, below.transpose(1, 2))
