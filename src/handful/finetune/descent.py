"""The updates of `optimiser` for several trainings at once, each with its own numbers; imports PyTorch.

The formulas are those of the table there. What differs between the trainings is a column (P, 1, 1), and what is zero
for all of them is left out. With sgd, gradients are added to the velocities by the matrix product that makes them:
updates are bound by memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from handful.core.config import FinetuneConfig
from handful.core.records import FloatArray, IntArray
from handful.finetune.optimiser import EPSILON, SQUARE_DECAY
from handful.finetune.recipe import HEAD, layer_factors
from handful.finetune.stacks import Passed, Stacks, add_gradient


class Descent:
    """Updates P stacks. Numbers of the trainings are float64 (P,), or (T, P) where the T tensors differ.

    Args:
        stacks: what is updated.
        recipes: P of them, resolved, with one optimiser.
        group_names: of the network's layer groups, which factors may name too.
    """

    def __init__(self, stacks: Stacks, recipes: Sequence[FinetuneConfig], *, group_names: Sequence[str]) -> None:
        self.stacks = stacks
        self.adaptive = recipes[0].optimizer == "adamw"
        self.n_updates = 0
        n_tensors = len(stacks.tensors)
        self.old_share = np.array([r.momentum if r.momentum_form == "common" else 1.0 - r.momentum for r in recipes])
        plain_sum = np.array([r.momentum_form == "common" and not self.adaptive for r in recipes])
        self.new_share = np.where(plain_sum, 1.0, 1.0 - self.old_share)
        self.sparsity = np.array([recipe.sparsity for recipe in recipes])
        self.factors = np.array([_factors(recipe, n_tensors // 2, group_names) for recipe in recipes]).T
        decaying = np.array([[1.0, recipe.decay_biases] * (n_tensors // 2) for recipe in recipes]).T
        self.l2 = decaying * [(recipe.l2 or 0.0) * (2.0 if recipe.l2_form == "paper" else 1.0) for recipe in recipes]
        self.l1 = decaying * [recipe.l1 for recipe in recipes]
        self._velocity = [torch.zeros_like(tensor) for tensor in stacks.tensors]
        self._square = [torch.zeros_like(tensor) for tensor in stacks.tensors] if self.adaptive else []

    def keep(self, places: IntArray) -> None:
        """Drops all stacks but some."""
        rows = torch.from_numpy(places)
        self.stacks.keep(rows)
        self._velocity = [tensor[rows] for tensor in self._velocity]
        self._square = [tensor[rows] for tensor in self._square]
        self.old_share, self.new_share = self.old_share[places], self.new_share[places]
        self.sparsity = self.sparsity[places]
        self.factors, self.l2, self.l1 = self.factors[:, places], self.l2[:, places], self.l1[:, places]

    def update(self, passed: Passed, errors: Tensor, rates: FloatArray) -> None:
        """Takes one step.

        Args:
            passed: from `Stacks.apply`.
            errors: the derivative of each loss by the scores, (P, C, B).
            rates: base rate of each training, (P,); 0 leaves its weights as they are.
        """
        self.n_updates += 1
        signals = self.stacks.signals(passed, errors, sparsity=self._column(self.sparsity))
        take = self._adamw if self.adaptive else self._sgd
        for layer, (signal, below) in enumerate(zip(signals, passed.below, strict=True)):
            take(2 * layer, signal, below, rates)
            take(2 * layer + 1, signal, None, rates)

    def _sgd(self, index: int, signal: Tensor, below: Tensor | None, rates: FloatArray) -> None:
        theta, velocity, new = self.stacks.tensors[index], self._velocity[index], self.new_share
        velocity.mul_(self._column(self.old_share))
        add_gradient(velocity, signal * self._column(new), below)
        if self.l2[index].any():
            velocity.addcmul_(theta, self._column(new * self.l2[index]))
        if self.l1[index].any():
            velocity.addcmul_(theta.sign(), self._column(new * self.l1[index]))
        theta.addcmul_(velocity, self._column(-rates * self.factors[index]))

    def _adamw(self, index: int, signal: Tensor, below: Tensor | None, rates: FloatArray) -> None:
        theta, mean, square = self.stacks.tensors[index], self._velocity[index], self._square[index]
        rates = rates * self.factors[index]
        signs = theta.sign() if self.l1[index].any() else None
        if self.l2[index].any():
            theta.mul_(self._column(1.0 - rates * self.l2[index]))
        if signs is not None:
            theta.addcmul_(signs, self._column(-rates * self.l1[index]))
        gradient = torch.zeros_like(theta)
        add_gradient(gradient, signal, below)
        mean.lerp_(gradient, self._column(self.new_share))
        square.mul_(SQUARE_DECAY).addcmul_(gradient, gradient, value=1.0 - SQUARE_DECAY)
        # the correction of the squares' start is moved out of the root, which saves a way through memory
        started = math.sqrt(1.0 - SQUARE_DECAY**self.n_updates)
        root = torch.sqrt(square, out=gradient).add_(EPSILON * started)
        step = torch.div(mean, root, out=root)
        theta.addcmul_(step, self._column(-rates * started / (1.0 - self.old_share**self.n_updates)))

    def _column(self, numbers: FloatArray) -> Tensor:
        return torch.from_numpy(numbers).to(self.stacks.tensors[0].dtype).view(-1, 1, 1)


def _factors(recipe: FinetuneConfig, n_layers: int, group_names: Sequence[str]) -> list[float]:
    """Returns the learning-rate factor of every tensor."""
    options = {"weight_factor": recipe.weight_factor, "bias_factor": recipe.bias_factor}
    factors = [
        layer_factors(text, option=option, groups=group_names, n_new=n_layers) for option, text in options.items()
    ]
    return [kind[f"{HEAD}.{layer}"] for layer in range(n_layers) for kind in factors]
