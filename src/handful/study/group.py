"""Trials that are trained as one problem: what they must agree in, and their training, here or on another machine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from handful.backbones import BackboneSpec
from handful.core.choices import HEADS
from handful.core.config import FinetuneConfig, TrainConfig
from handful.core.files import dump_json
from handful.core.records import IntArray
from handful.core.study import Trial, TrialResult
from handful.core.training import Checkpoint
from handful.finetune import NewLayer, groups_below, parse_head, resolve
from handful.study.shared import FrozenFeatures, Learning, share_key
from handful.study.trials import trial_config
from handful.transfer import choose_backbones

if TYPE_CHECKING:
    from handful.finetune.together import Outcome, Together

ALIKE = ("optimizer", "batch", "mixup", "label_smoothing", "nonlinearity")
"""Options of training in which the trials of a group agree; with what they share, and the new layers."""


@dataclass(frozen=True, slots=True)
class Group:
    """Trials that are run as one, always together, so that their numbers do not depend on what was finished before.

    Attributes:
        members: places of its trials in the list that was asked for.
        configs: their options.
        shares: names the frozen activations that they need.
        together: whether they are trained as one batched problem; otherwise it is a single trial.
    """

    members: tuple[int, ...]
    configs: tuple[TrainConfig, ...]
    shares: str
    together: bool


def groups(trials: Sequence[Trial], *, n_classes: int) -> list[Group]:
    """Returns the trials in groups, those that share activations one after the other; equal lists, equal groups.

    Args:
        trials: all of them, finished or not.
        n_classes: C.
    """
    by_key: dict[str, list[tuple[int, TrainConfig]]] = {}
    for place, trial in enumerate(trials):
        config = trial_config(trial)
        alone = {} if advances_together(config) else {"alone": place}
        by_key.setdefault(dump_json([share_key(config), _alike(config), alone]), []).append((place, config))
    made = []
    for members in by_key.values():
        together = advances_together(members[0][1])
        size = _group_size(members[0][1], n_classes) if together else 1
        n_groups = -(-len(members) // size)
        for part in np.array_split(np.arange(len(members)), n_groups):
            places, configs = zip(*(members[index] for index in part), strict=True)
            made.append(Group(places, configs, share_key(configs[0]), together))
    first = {group.shares: place for place, group in reversed(list(enumerate(made)))}
    return sorted(made, key=lambda group: first[group.shares])


def advances_together(config: TrainConfig) -> bool:
    """Returns whether a trial's training can be one of many: of random new layers, on a network that stays as it is."""
    tune = config.finetune
    new_layers_only = config.transfer.strategy == "features" and config.heads.head not in HEADS
    return new_layers_only and tune.start == "random" and not tune.ema


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the pictures of some trials are in the activations of all, and their classes.

    Attributes:
        train, validation: int64 (N,), rows of `FrozenFeatures`.
        train_labels, validation_labels: int64 (N,), class indices.
    """

    train: IntArray
    train_labels: IntArray
    validation: IntArray
    validation_labels: IntArray


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything that decides how a group's training goes but the activations: what another process is told.

    Attributes:
        rows: its pictures; one record for all groups that have the same.
        recipes: one per member, resolved.
        batch: pictures in a mini-batch, at most.
        layers: the new layers.
        seed: of everything that is drawn.
        group_names: of the network's layer groups, which factors may name.
    """

    rows: Rows
    recipes: tuple[FinetuneConfig, ...]
    batch: int
    layers: tuple[NewLayer, ...]
    seed: int
    group_names: tuple[str, ...]


def problems(wanted: Sequence[Group], learning: Learning) -> list[Problem]:
    """Returns what is to be trained, one for each group."""
    known: dict[str, Rows] = {}
    made = []
    for group in wanted:
        config = group.configs[0]
        drawn = dump_json([config.run.seed, config.split.test, config.split.images])
        if drawn not in known:
            known[drawn] = _rows(config, learning)
        spec = _spec(config)
        made.append(
            Problem(
                known[drawn],
                tuple(resolve(member.finetune)[0] for member in group.configs),
                config.finetune.batch,
                tuple(parse_head(config.heads.head, len(learning.table.classes))),
                config.run.seed,
                tuple(groups_below(spec.default_tap, spec.groups)),
            )
        )
    return made


def start(problem: Problem, features: FrozenFeatures) -> Together:
    """Returns a group's training, ready for its first epoch.

    Args:
        problem: what is trained.
        features: of all pictures.
    """
    from handful.finetune.batches import ActivationBatches
    from handful.finetune.together import Together

    rows = problem.rows
    return Together(
        ActivationBatches(features.changed, rows.train_labels, problem.batch, rows.train),
        ActivationBatches(features.plain, rows.validation_labels, problem.batch, rows.validation),
        problem.recipes,
        layers=problem.layers,
        seed=problem.seed,
        group_names=problem.group_names,
    )


def train(problem: Problem, features: FrozenFeatures) -> tuple[Outcome, ...]:
    """Trains a group to its end, and returns how each member ended."""
    together = start(problem, features)
    while together.running:
        together.advance()
    return tuple(together.outcomes)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a group that is led stands.

    Attributes:
        checkpoints: of the members that trained in the last epoch, but for those that failed in it.
        outcomes: of all members, once none of them goes on; empty before.
    """

    checkpoints: dict[int, Checkpoint]
    outcomes: tuple[Outcome, ...]


class Led:
    """A group's training that is led an epoch at a time; begun again somewhere else, it comes to where it was.

    Args:
        problem: what is trained.
        features: of all pictures.
    """

    def __init__(self, problem: Problem, features: FrozenFeatures) -> None:
        self._together = start(problem, features)
        self._n_epochs = 0
        self._seen: dict[int, Checkpoint] = {}

    def stand(self, given_up: Sequence[Collection[int]]) -> Standing:
        """Returns how the group stands after one more epoch than is told of; asked twice, it answers the same.

        Args:
            given_up: for every epoch before, the members that were given up after it, where they still went on.
        """
        while self._n_epochs <= len(given_up):
            for member in sorted(given_up[self._n_epochs - 1]) if self._n_epochs else ():
                if member in self._together.running:
                    self._together.drop(member)
            self._seen = self._together.advance()
            self._n_epochs += 1
        return Standing(self._seen, () if self._together.running else tuple(self._together.outcomes))


def results(group: Group, problem: Problem, outcomes: Sequence[Outcome], trials: Sequence[Trial]) -> list[TrialResult]:
    """Returns the results of a group's trials.

    Args:
        group: the group.
        problem: what was trained.
        outcomes: how each member ended.
        trials: the list that the group's places point into.
    """
    return [
        TrialResult(
            trial=trials[place],
            status="failed" if outcome.failed_at is not None else "pruned" if outcome.given_up else "done",
            stopped=outcome.stopped,
            curve=outcome.curve,
            failed_at=outcome.failed_at,
            n_train=len(problem.rows.train),
            right=outcome.right,
        )
        for place, outcome in zip(group.members, outcomes, strict=True)
    ]


def _rows(config: TrainConfig, learning: Learning) -> Rows:
    parts, labels = learning.parts(config), learning.table.labels
    return Rows(
        learning.places(parts.train), labels[parts.train], learning.places(parts.validation), labels[parts.validation]
    )


def _alike(config: TrainConfig) -> dict[str, object]:
    tune = asdict(config.finetune)
    return {
        "seed": config.run.seed,
        "images": config.split.images,
        "test": config.split.test,
        "head": config.heads.head,
        **{name: tune[name] for name in ALIKE},
    }


def _spec(config: TrainConfig) -> BackboneSpec:
    (spec,), _ = choose_backbones(config)
    return spec


def _group_size(config: TrainConfig, n_classes: int) -> int:
    from handful.finetune.together import group_size

    spec = _spec(config)
    widths = [spec.default_tap.n_features, *(layer.size for layer in parse_head(config.heads.head, n_classes))]
    return group_size(sum(below * above + above for below, above in pairwise(widths)))
