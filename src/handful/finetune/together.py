"""Several trainings of new layers that advance together, on the same mini-batches; imports PyTorch."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor
from torch.nn import functional

from handful.backbones import keep_memory
from handful.core.config import FinetuneConfig
from handful.core.records import FloatArray, IntArray, Nonlinearity
from handful.core.training import Checkpoint, Iteration
from handful.finetune.batches import ActivationBatches
from handful.finetune.descent import Descent
from handful.finetune.history import explosion, pass_accuracy
from handful.finetune.layers import NewLayer
from handful.finetune.loop import mixup, why_stop
from handful.finetune.schedule import Schedule, rate
from handful.finetune.stack import build_head
from handful.finetune.stacks import Stacks

SHARED = ("optimizer", "nonlinearity", "mixup", "label_smoothing")
"""Options in which trainings that advance together must agree; `batch` and the sizes of layers are given once."""

WEIGHTS_TOGETHER = 1_500_000
MOST_TOGETHER = 128
"""Weights and trainings that advance together, at most (benchmarks/study_heads.py).

Up to there larger matrix products and shared mini-batches gain; beyond, weights and velocities of two threads leave the
cache of a laptop, and too few groups are left to keep its cores equally busy.
"""

ROUNDING = 1e-9
"""Two ways to add up a pass's accuracies may differ by so much at most, far less than by one picture."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one of several trainings stands.

    Attributes:
        stopped: why it ended, in plain words; empty while it goes on.
        failed_at: the update at which the loss was no longer a number.
        curve: one entry per epoch, as far as it went and as long as its numbers were finite.
        right: one per validation picture, whether the last weights answer it rightly; empty where it failed.
        given_up: whether it was dropped.
    """

    stopped: str = ""
    failed_at: int | None = None
    curve: tuple[Checkpoint, ...] = ()
    right: tuple[bool, ...] = ()
    given_up: bool = False


def group_size(n_weights: int) -> int:
    """Returns how many trainings should advance together, at most, for stacks of so many weights each.

    Example:
        >>> group_size(5 * 9216)
        32
    """
    return max(1, min(MOST_TOGETHER, WEIGHTS_TOGETHER // n_weights))


class Together:
    """P trainings of new layers on the same activations, with one seed, that differ in numbers only.

    Each gives what `loop.fit` gives for it alone with the last weights kept, without patience and time limit: the same
    mini-batches, views, dropout, MixUp, rates, updates and ends, up to rounding. It fails at the update whose loss is
    no number, or at the end of an epoch that leaves weights or a validation loss that are none. One that ends touches
    the others by no more than rounding, and by nothing within the epoch: matrix products of another size may add up
    in another order.

    Nothing is shared with other threads: groups that run at the same time, with one PyTorch thread each, give the same
    bits as one after the other.

    Attributes:
        running: the trainings that go on, as places in `recipes`.
        outcomes: how each of the P stands.
        stacks: weights of the running ones, in the order of `running`.

    Args:
        training: of N pictures, with features (N, V, D).
        validation: of M pictures, the first views of which are looked at after every epoch.
        recipes: P of them, resolved; equal in `SHARED`.
        layers: the new layers.
        seed: decides first weights, order, views, dropout and MixUp.
        group_names: of the network's layer groups, which factors may name too.
        dtype: of weights and multiplications.
    """

    def __init__(
        self,
        training: ActivationBatches,
        validation: ActivationBatches,
        recipes: Sequence[FinetuneConfig],
        *,
        layers: Sequence[NewLayer],
        seed: int,
        group_names: Sequence[str] = (),
        dtype: torch.dtype = torch.float32,
    ) -> None:
        _check_recipes(recipes)
        keep_memory()
        self.training, self.recipes, self.seed, self.dtype = training, tuple(recipes), seed, dtype
        self.running = tuple(range(len(recipes)))
        self.outcomes = [Outcome() for _ in recipes]
        plain = list(validation.plain())
        self._seen = torch.cat([inputs for inputs, _ in plain]).to(dtype), torch.cat([labels for _, labels in plain])
        heads = [
            build_head(
                layers,
                self._seen[0].shape[1],
                nonlinearity=cast(Nonlinearity, recipe.nonlinearity),
                init_scale=recipe.init_scale,
                seed=seed,
            )
            for recipe in recipes
        ]
        self.stacks = Stacks(heads, dtype=dtype)
        self._descent = Descent(self.stacks, recipes, group_names=group_names)
        self._dropping = Generator().manual_seed(seed)
        self._mixing = np.random.default_rng((seed, 0))
        self._epoch = self._step = 0
        self._recent: deque[FloatArray] = deque(maxlen=training.n_batches)
        self._n_steps = np.array([recipe.epochs * training.n_batches for recipe in recipes])
        self._goals = np.array([np.inf if recipe.stop_at is None else recipe.stop_at for recipe in recipes])

    def advance(self) -> dict[int, Checkpoint]:
        """Trains one epoch of every running training, and returns how each stands; one that failed has no entry."""
        if not self.running:
            return {}
        self._epoch += 1
        n_running, before, rates = len(self.running), self._step, self._rates()
        totals, n_updates, reasons = np.zeros((2, n_running)), np.zeros(n_running, dtype=np.int64), [""] * n_running
        for index, (inputs, labels) in enumerate(self.training.epoch(self._epoch, seed=self.seed)):
            live = np.array([not reason for reason in reasons])
            if not live.any():
                break
            self._step += 1
            figures = self._update(inputs, labels, rates[index] * live)
            self._recent.append(figures[1])
            totals += np.where(live, figures, 0.0)
            n_updates += live
            for place in np.flatnonzero(live & self._may_stop(figures[0])):
                reasons[place] = self._why_stop(int(place), float(figures[0, place]), eta=rates[index, place])
        return self._look(totals / n_updates, before + n_updates, reasons)

    def drop(self, member: int) -> None:
        """Gives up a training that goes on; it changes the others by no more than rounding."""
        if member not in self.running:
            raise ValueError(f"training {member} does not go on: {self.outcomes[member].stopped}")
        stopped = f"given up after epoch {self._epoch}"
        self.outcomes[member] = replace(self.outcomes[member], stopped=stopped, given_up=True)
        self._keep_running()

    def _update(self, inputs: Tensor, labels: Tensor, rates: FloatArray) -> FloatArray:
        """Takes one step, and returns loss and accuracy of the mini-batch before it: float64 (2, P)."""
        inputs, partners, share = mixup(inputs.to(self.dtype), self.recipes[0].mixup, rng=self._mixing)
        passed = self.stacks.apply(inputs, generator=self._dropping)
        logs = functional.log_softmax(passed.scores, dim=1)
        smoothing, n_classes = self.recipes[0].label_smoothing, logs.shape[1]
        targets = torch.full(logs.shape[1:], smoothing / n_classes, dtype=self.dtype)
        columns = torch.arange(len(labels))
        for truth, part in ((labels, share), (labels[partners], 1.0 - share)):
            targets[truth, columns] += (1.0 - smoothing) * part
        losses = -(targets * logs).sum(1).mean(1)
        self._descent.update(passed, (logs.exp() - targets) / len(labels), rates)
        accuracies = (passed.scores.max(1).indices == labels).double().mean(1)
        return torch.stack([losses.double(), accuracies]).numpy()

    def _rates(self) -> FloatArray:
        """Returns the base rate of every update of the epoch, for every running training: (mini-batches, P)."""
        rates = np.zeros((self.training.n_batches, len(self.running)))
        for place, member in enumerate(self.running):
            recipe, n_steps = self.recipes[member], int(self._n_steps[place])
            base, schedule = recipe.lr or 0.0, cast(Schedule, recipe.schedule)
            for index in range(len(rates)):
                step = self._step + index + 1
                rates[index, place] = rate(
                    step, base=base, schedule=schedule, tau=recipe.tau, alpha=recipe.alpha, n_steps=n_steps
                )
        return rates

    def _may_stop(self, losses: FloatArray) -> npt.NDArray[np.bool_]:
        """Returns which of the running trainings may end after this update; `_why_stop` decides."""
        may: npt.NDArray[np.bool_] = ~np.isfinite(losses) | (self._n_steps == self._step)
        if self._goals.min() < np.inf and len(self._recent) == self.training.n_batches:
            may |= np.mean(self._recent, axis=0) >= self._goals - ROUNDING
        return may

    def _why_stop(self, place: int, loss: float, *, eta: float) -> str:
        """Returns why a training ends after this update, or nothing; exactly as `loop.fit` sees it."""
        recipe, n_steps = self.recipes[self.running[place]], int(self._n_steps[place])
        recent = [Iteration(self._step, self._epoch, eta, loss, float(row[place])) for row in self._recent]
        accuracy = pass_accuracy(recent, self.training.n_batches)
        return why_stop(recent[-1], recipe, n_steps=n_steps, late=False, accuracy=accuracy)

    def _look(self, figures: FloatArray, steps: IntArray, reasons: Sequence[str]) -> dict[int, Checkpoint]:
        """Looks at the validation part, ends what has a reason to, and returns how the others and those done stand.

        Args:
            figures: loss and accuracy of each training in the epoch, (2, P).
            steps: updates of each so far, (P,).
            reasons: why each ended in the epoch; "" where it goes on.
        """
        inputs, labels = self._seen
        scores = self.stacks.apply(inputs).scores.double()
        losses = functional.cross_entropy(scores, labels.expand(len(scores), -1), reduction="none").mean(1)
        right = (scores.max(1).indices == labels).numpy()
        finite = (self.stacks.are_finite() & losses.isfinite()).numpy() & np.isfinite(figures[0])
        checkpoints = {}
        for place, (member, step) in enumerate(zip(self.running, steps.tolist(), strict=True)):
            before, why = self.outcomes[member], reasons[place]
            if not finite[place]:
                why = explosion(step) if np.isfinite(figures[0, place]) else why
                self.outcomes[member] = replace(before, stopped=why, failed_at=step, right=())
                continue
            checkpoints[member] = Checkpoint(
                epoch=self._epoch,
                step=step,
                loss=float(figures[0, place]),
                accuracy=float(figures[1, place]),
                validation_loss=float(losses[place]),
                validation_accuracy=float(right[place].mean()),
            )
            curve = (*before.curve, checkpoints[member])
            self.outcomes[member] = replace(before, stopped=why, curve=curve, right=tuple(right[place].tolist()))
        self._keep_running()
        return checkpoints

    def _keep_running(self) -> None:
        """Takes those that ended out of the tensors."""
        places = np.flatnonzero([not self.outcomes[member].stopped for member in self.running])
        if len(places) < len(self.running):
            self.running = tuple(self.running[place] for place in places)
            self._descent.keep(places)
            self._recent = deque((row[places] for row in self._recent), maxlen=self.training.n_batches)
            self._n_steps, self._goals = self._n_steps[places], self._goals[places]


def _check_recipes(recipes: Sequence[FinetuneConfig]) -> None:
    """Raises ValueError for recipes that cannot advance together."""
    for name in SHARED:
        values = sorted({str(getattr(recipe, name)) for recipe in recipes})
        if len(values) > 1:
            raise ValueError(f"{name} differs ({', '.join(values)}); trainings that advance together share it")
    if any(recipe.lr is None or recipe.l2 is None for recipe in recipes):
        raise ValueError("lr or l2 is None: resolve the configurations first (handful.finetune.resolve)")
    if any(recipe.ema or recipe.start != "random" for recipe in recipes):
        raise ValueError("trainings that advance together start at random and keep no averages of their weights")
