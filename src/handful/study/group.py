"""Trials that are trained as one problem: what they must agree in, and their training."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from handful.backbones import BackboneSpec
from handful.core.choices import HEADS
from handful.core.config import TrainConfig
from handful.core.files import dump_json
from handful.core.study import Trial, TrialResult
from handful.finetune import groups_below, parse_head, resolve
from handful.study.shared import FrozenFeatures, Learning, share_key
from handful.study.trials import trial_config
from handful.transfer import choose_backbones

if TYPE_CHECKING:
    from handful.finetune.together import Together

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


def start(group: Group, learning: Learning, features: FrozenFeatures) -> Together:
    """Returns the training of a group, ready for its first epoch.

    Args:
        group: of trials that are trained together.
        learning: the pictures.
        features: of all of them.
    """
    from handful.finetune.batches import ActivationBatches
    from handful.finetune.together import Together

    config = group.configs[0]
    parts = learning.parts(config)
    labels, places = learning.table.labels, learning.places
    spec = _spec(config)
    train, validation = (
        ActivationBatches(activations, labels[rows], config.finetune.batch, places(rows))
        for activations, rows in ((features.changed, parts.train), (features.plain, parts.validation))
    )
    return Together(
        train,
        validation,
        [resolve(member.finetune)[0] for member in group.configs],
        layers=parse_head(config.heads.head, len(learning.table.classes)),
        seed=config.run.seed,
        group_names=groups_below(spec.default_tap, spec.groups),
    )


def results(
    group: Group, together: Together, trials: Sequence[Trial], *, given_up: Collection[int] = ()
) -> list[TrialResult]:
    """Returns how the trials of a group ended.

    Args:
        group: the group.
        together: its training.
        trials: the list that the group's places point into.
        given_up: places of those that a search gave up.
    """
    return [
        TrialResult(
            trial=trials[place],
            status="failed" if outcome.failed_at is not None else "pruned" if place in given_up else "done",
            stopped=outcome.stopped,
            curve=outcome.curve,
            failed_at=outcome.failed_at,
            n_train=together.training.n_pictures,
            right=outcome.right,
        )
        for place, outcome in zip(group.members, together.outcomes, strict=True)
    ]


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
