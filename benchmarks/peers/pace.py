"""How a peer without a time limit of its own keeps one: it measures its first seconds, and plans the rest by them.

What a person would do with a stopwatch: take smaller pictures where the network's own size does not fit into the
budget, and as many epochs as fit. Runs in the peers' environments; imports PyTorch when something is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.peers.job import Clock

if TYPE_CHECKING:
    from torch import Tensor, nn

SIZES = (224, 192, 160, 128, 96)
"""Sides in pixels of the squares that the network may be shown, the network's own first."""

ENOUGH_EPOCHS = 3
"""Pictures are made smaller until so many epochs fit."""

MARGIN = 0.85
"""Share of what is left that is planned for; the rest is for what the first seconds did not show."""

N_TIMED = 64
"""Pictures by which a step is timed."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds per picture, at one size.

    Attributes:
        size: side of the square in pixels.
        load: reading a training picture and making it a square, by all processes that read together.
        answer: the network forward.
        head: a step of training with all pre-trained layers fixed.
        all: a step of training with none fixed.
    """

    size: int
    load: float
    answer: float
    head: float
    all: float

    def at(self, size: int) -> Pace:
        """Returns the pace to be expected at another size: work grows with the number of pixels."""
        factor = (size / self.size) ** 2
        return Pace(size, self.load * factor, self.answer * factor, self.head * factor, self.all * factor)


@dataclass(frozen=True, slots=True)
class Plan:
    """What fits.

    Attributes:
        size: side of the square in pixels.
        epochs: of the last phase of training, at least 1.
        reserve: seconds to keep for the test pictures.
    """

    size: int
    epochs: int
    reserve: float


def plan(
    pace: Pace,
    left: float,
    *,
    n_train: int,
    n_test: int,
    layers: str,
    head_epochs: int = 0,
    most_epochs: int = 25,
    sizes: tuple[int, ...] = SIZES,
) -> Plan:
    """Returns the largest size at which enough epochs fit, and how many do; the smallest size where none is enough.

    Args:
        pace: measured, at any size.
        left: seconds until the predictions have to be written.
        n_train: training pictures.
        n_test: test pictures.
        layers: which are trained in the last phase, "head" or "all".
        head_epochs: epochs with fixed layers before that.
        most_epochs: more are not wanted.
        sizes: to choose from, the largest first.
    """
    for size in sizes:
        here = pace.at(size)
        reserve = n_test * (here.load + here.answer)
        step = here.load + (here.head if layers == "head" else here.all)
        first = head_epochs * n_train * (here.load + here.head)
        epochs = int((MARGIN * left - reserve - first) / (n_train * step))
        if epochs >= ENOUGH_EPOCHS or size == sizes[-1]:
            return Plan(size, max(1, min(epochs, most_epochs)), reserve / MARGIN)
    raise AssertionError("sizes is empty")


def is_due(clock: Clock, chosen: Plan) -> bool:
    """Returns whether training has to stop, so that the test pictures still fit."""
    return clock.left() < chosen.reserve


def measure(
    model: nn.Module,
    pictures: Iterable[tuple[Tensor, Tensor]],
    *,
    size: int,
    loss: Callable[[Any, Any], Any],
    fix: Callable[[bool], None],
    at_once: int,
    processes: int,
) -> Pace:
    """Returns the pace of a model on its first training pictures; its parameters and statistics stay as they were.

    Args:
        model: in training mode.
        pictures: training pictures in batches as the model takes them, `N_TIMED` and a batch or more, read by this
            process alone: the start of others would be counted as if every picture took it.
        size: their side.
        loss: of scores and labels.
        fix: fixes all pre-trained layers (True) or none (False).
        at_once: pictures in a mini-batch, at most `N_TIMED`.
        processes: how many will read pictures when the model is trained, a core each.
    """
    import torch

    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    started = time.perf_counter()
    batches = iter(pictures)
    loaded: list[tuple[Tensor, Tensor]] = []
    while sum(len(labels) for _, labels in loaded) < N_TIMED + at_once:
        loaded.append(next(batches))
    load = (time.perf_counter() - started) / sum(len(labels) for _, labels in loaded) / processes
    pixels, labels = (torch.cat(parts)[: N_TIMED + at_once].split(at_once) for parts in zip(*loaded, strict=True))

    def train_step(number: int) -> None:
        loss(model(pixels[number]), labels[number]).backward()
        model.zero_grad(set_to_none=True)

    def answer_step(number: int) -> None:
        with torch.no_grad():
            model(pixels[number])

    def seconds(step: Callable[[int], None]) -> float:
        step(0)  # also prepares the layers for the shape
        began = time.perf_counter()
        for number in range(1, len(pixels)):
            step(number)
        return (time.perf_counter() - began) / N_TIMED

    fix(True)
    head = seconds(train_step)
    fix(False)
    every = seconds(train_step)
    model.eval()
    answer = seconds(answer_step)
    model.train()
    model.load_state_dict(before)
    return Pace(size, load, answer, head, every)
