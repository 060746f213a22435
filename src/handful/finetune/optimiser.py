"""Gradient descent in the paper's form and in the common one, a rate and a decay for each group; imports PyTorch.

With theta a weight, g its gradient, lambda the decay and eta the rate of its group, every update is, in this order:

| | sgd | adamw |
|---|---|---|
| decay, common form | g <- g + lambda theta | theta <- theta - eta lambda theta |
| decay, paper form | g <- g + 2 lambda theta | theta <- theta - eta 2 lambda theta |
| L1 | g <- g + lambda_1 sign(theta) | theta <- theta - eta lambda_1 sign(theta) |
| momentum, common form | v <- m v + g | v <- m v + (1 - m) g |
| momentum, paper form | v <- (1 - m) v + m g | v <- (1 - m) v + m g |
| step | theta <- theta - eta v | theta <- theta - eta v' / (sqrt(s') + 1e-8) |

In the paper's form (section 3.4, after Bengio 2012) m weighs the *new* gradient: m = 0.1 there looks back as far as
m = 0.9 in the common form, whose steady step is ten times longer. AdamW (Loshchilov & Hutter 2019, algorithm 2) has
decay apart from the gradient; s is its mean square, and v' and s' are corrected for their start at zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from handful.core.config import FinetuneConfig

SQUARE_DECAY = 0.999
EPSILON = 1e-8
"""AdamW's second moment and the guard of its division, as in the paper and in PyTorch."""


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Tensors of one layer that share a rate and a decay.

    Attributes:
        layer: name of the layer group, for the record.
        tensors: updated in place.
        factor: multiplies the base rate.
        decays: whether weight decay applies.
    """

    layer: str
    tensors: tuple[Tensor, ...]
    factor: float = 1.0
    decays: bool = True


class Optimiser:
    """Updates groups of tensors from their gradients; the module's table has the formulas.

    Args:
        groups: what to update.
        config: optimizer, momentum, its form, l2, its form, and l1; `l2` is a number here, not None.
    """

    def __init__(self, groups: Sequence[ParameterGroup], config: FinetuneConfig) -> None:
        if config.l2 is None:
            raise ValueError("l2 is None: resolve the configuration first (handful.finetune.resolve)")
        self.groups = tuple(group for group in groups if group.factor > 0.0)
        self.adaptive = config.optimizer == "adamw"
        self.old_share = config.momentum if config.momentum_form == "common" else 1.0 - config.momentum
        self.new_share = 1.0 if config.momentum_form == "common" and not self.adaptive else 1.0 - self.old_share
        self.l2 = config.l2 * (2.0 if config.l2_form == "paper" else 1.0)
        self.l1 = config.l1
        self.n_updates = 0
        self._velocity = [[torch.zeros_like(tensor) for tensor in group.tensors] for group in self.groups]
        self._square = (
            [[torch.zeros_like(tensor) for tensor in group.tensors] for group in self.groups] if self.adaptive else []
        )

    @property
    def tensors(self) -> list[Tensor]:
        """What the updates so far left behind, changed in place by the next."""
        return [tensor for kind in (self._velocity, self._square) for group in kind for tensor in group]

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """Takes one step.

        Args:
            rate: the base learning rate of this update.
        """
        self.n_updates += 1
        for index, group in enumerate(self.groups):
            moving = [place for place, tensor in enumerate(group.tensors) if tensor.grad is not None]
            for place in moving:
                if self.adaptive:
                    self._adamw(index, place, rate * group.factor)
                else:
                    self._sgd(index, place, rate * group.factor)

    def _sgd(self, index: int, place: int, rate: float) -> None:
        group = self.groups[index]
        theta = group.tensors[place]
        gradient = theta.grad
        assert gradient is not None
        if group.decays and self.l2:
            gradient = gradient.add(theta, alpha=self.l2)
        if group.decays and self.l1:
            gradient = gradient.add(theta.sign(), alpha=self.l1)
        velocity = self._velocity[index][place]
        velocity.mul_(self.old_share).add_(gradient, alpha=self.new_share)
        theta.add_(velocity, alpha=-rate)

    def _adamw(self, index: int, place: int, rate: float) -> None:
        group = self.groups[index]
        theta = group.tensors[place]
        gradient = theta.grad
        assert gradient is not None
        signs = theta.sign() if group.decays and self.l1 else None
        if group.decays and self.l2:
            theta.mul_(1.0 - rate * self.l2)
        if signs is not None:
            theta.add_(signs, alpha=-rate * self.l1)
        mean, square = self._velocity[index][place], self._square[index][place]
        mean.mul_(self.old_share).add_(gradient, alpha=self.new_share)
        square.mul_(SQUARE_DECAY).addcmul_(gradient, gradient, value=1.0 - SQUARE_DECAY)
        started = 1.0 - self.old_share**self.n_updates
        root = square.sqrt().div_(math.sqrt(1.0 - SQUARE_DECAY**self.n_updates)).add_(EPSILON)
        theta.addcdiv_(mean, root, value=-rate / started)
