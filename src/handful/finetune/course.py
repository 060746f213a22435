"""All that changes while a training runs, and how it is kept between two epochs; imports PyTorch."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor

from handful.core.config import FinetuneConfig
from handful.core.progress import Progress
from handful.core.training import Iteration
from handful.finetune.freeze import Trainable
from handful.finetune.history import Average, Keeper, standing
from handful.finetune.kept import Array, Place, Written
from handful.finetune.optimiser import Optimiser
from handful.finetune.parameters import parameter_groups

BEST = "best."
"""Begins the names of the best weights in a checkpoint."""

CARD = "random_on_the_card"
"""Names the state of an NVIDIA card's generator in a checkpoint of a training there."""


@dataclass(frozen=True, slots=True)
class Course:
    """A training that runs.

    Attributes:
        model: what is trained.
        optimiser: of its weights.
        average: of its weights, where one is kept.
        keeper: has its best weights.
        mixing: draws for MixUp.
        epochs: passes over the pictures that it will take, at most.
        iterations: every update so far.
    """

    model: Trainable
    optimiser: Optimiser
    average: Average
    keeper: Keeper
    mixing: np.random.Generator
    epochs: int
    iterations: list[Iteration]

    @classmethod
    def begin(cls, model: Trainable, config: FinetuneConfig, *, seed: int) -> Course:
        """Returns a training before its first update, and seeds PyTorch's generator and that of the new layers."""
        torch.manual_seed(seed)  # for dropout inside the network's own layers
        model.head.seed_dropout(seed)
        return cls(
            model,
            Optimiser(parameter_groups(model, config), config),
            Average(model, config.ema),
            Keeper(model, keeps=config.keep == "best"),
            np.random.default_rng((seed, 0)),  # epochs count from 1, so no epoch draws the same
            config.epochs,
            [],
        )

    @property
    def n_epochs(self) -> int:
        """Epochs that were begun."""
        return self.iterations[-1].epoch if self.iterations else 0

    def recent(self, n_batches: int) -> list[Iteration]:
        """Returns the last updates: those of a pass, or what there is of it."""
        return self.iterations[-n_batches:]

    def stands(self, n_batches: int) -> str:
        """Returns how it stands after the last pass, or what there is of it; see `history.standing`."""
        return standing(self.keeper, self.recent(n_batches), epochs=self.epochs)

    def validated(self, loss: float, accuracy: float) -> None:
        """Takes note of what validation says after the last update."""
        self.iterations[-1] = replace(self.iterations[-1], validation_loss=loss, validation_accuracy=accuracy)
        self.keeper.look(self.iterations[-1])

    def save(self, place: Place, *, seconds: float, stopped: str, progress: Progress) -> None:
        """Writes down how it stands at the end of an epoch or at its own end, where that is worth the time.

        A training that failed is not kept. Where it cannot be written, that is said, and it goes on.

        Args:
            place: of this training.
            seconds: that it has taken.
            stopped: why it ended; "" where it goes on.
            progress: told where it cannot be written.
        """
        if stopped.startswith("failed") or not place.is_due(seconds=seconds, is_over=bool(stopped)):
            return
        keeper = self.keeper
        facts = {
            "seconds": seconds,
            "stopped": stopped,
            "n_updates": self.optimiser.n_updates,
            "best": keeper.best.step if keeper.best else 0,
            "latest": keeper.latest.step if keeper.latest else 0,
            "n_since": keeper.n_since,
            "mixing": self.mixing.bit_generator.state,
        }
        tensors = {
            **self._tensors(),
            **{f"{BEST}{name}": tensor for name, tensor in keeper.weights.items()},
            "random": torch.get_rng_state(),
            "dropout": self.model.head.generator.get_state(),
        }
        if self._on_a_card:
            tensors[CARD] = torch.cuda.get_rng_state()
        arrays: dict[str, Array] = {
            name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()
        }
        arrays["iterations"] = _as_array(self.iterations)
        place.write(Written(self.n_epochs, arrays, facts, self._reached), progress=progress)

    def restore(self, place: Place, *, progress: Progress) -> tuple[float, str]:
        """Takes up what was kept, says so, and returns how long that took and why it ended; 0 and "" where nothing was.

        Args:
            place: of this training.
            progress: told from where it goes on, and what was damaged.
        """
        seconds, stopped = 0.0, ""
        for path in place.checkpoints():
            with suppress(safetensors.SafetensorError, KeyError, ValueError, TypeError, OSError):
                seconds, stopped = self._take(path)
                place.went_on(seconds, reached=self._reached)
                break
        if place.n_damaged:
            progress.say("The last checkpoint of the training was damaged, and is not used.")
        if stopped:
            progress.say("A training that was finished before is taken as it is.")
        elif self.iterations:
            progress.say(f"The training goes on from epoch {self.n_epochs + 1} of {self.epochs}.")
        return seconds, stopped

    @property
    def _on_a_card(self) -> bool:
        return next(self.model.parameters()).is_cuda

    @property
    def _reached(self) -> str:
        return f"up to epoch {self.n_epochs} of {self.epochs}"

    def _tensors(self) -> dict[str, Tensor]:
        """Returns the tensors that training changes in place."""
        return {
            **{f"weights.{name}": tensor for name, tensor in self.model.state_dict().items()},
            **{f"average.{place}": tensor for place, tensor in enumerate(self.average.averages)},
            **{f"optimiser.{place}": tensor for place, tensor in enumerate(self.optimiser.tensors)},
        }

    def _take(self, path: Path) -> tuple[float, str]:
        """Takes up a checkpoint, all of it or nothing, and returns the seconds and the end that it tells of."""
        with safetensors.safe_open(path, framework="pt") as file:
            kept: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        own, keeper = self._tensors(), self.keeper
        if any(kept[name].shape != tensor.shape for name, tensor in own.items()):
            raise ValueError(f"{path} holds tensors of other shapes")
        seconds, stopped = float(facts["seconds"]), str(facts["stopped"])
        iterations = _from_array(kept["iterations"].numpy())
        best, latest = (iterations[facts[key] - 1] if facts[key] else None for key in ("best", "latest"))
        n_updates, n_since = int(facts["n_updates"]), int(facts["n_since"])
        self.mixing.bit_generator.state = facts["mixing"]
        torch.set_rng_state(kept["random"])
        if self._on_a_card:
            torch.cuda.set_rng_state(kept[CARD])
        self.model.head.generator.set_state(kept["dropout"])
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(kept[name])
        self.optimiser.n_updates = n_updates
        keeper.best, keeper.latest, keeper.n_since = best, latest, n_since
        keeper.weights = {name[len(BEST) :]: tensor for name, tensor in kept.items() if name.startswith(BEST)}
        self.iterations[:] = iterations
        return seconds, stopped


def _as_array(iterations: list[Iteration]) -> Array:
    """Returns a float64 row for every update: its fields in order, and whether it was validated."""
    rows = [
        (
            *(each.step, each.epoch, each.rate, each.loss, each.accuracy),
            *(np.nan if value is None else value for value in (each.validation_loss, each.validation_accuracy)),
            each.validation_loss is not None,
        )
        for each in iterations
    ]
    return np.array(rows, dtype=np.float64)


def _from_array(rows: Array) -> list[Iteration]:
    return [
        Iteration(int(step), int(epoch), *figures, *(validation if validated else (None, None)))
        for step, epoch, *figures, validation_loss, validation_accuracy, validated in rows.tolist()
        for validation in [(validation_loss, validation_accuracy)]
    ]
