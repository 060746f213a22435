"""Feature extraction, the first of the paper's three ways (section 3.3): the network fixed, a new output layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from handful.backbones import BackboneSpec, LocatedWeights, Tap, locate, random_weights
from handful.core.config import TrainConfig
from handful.core.progress import Progress
from handful.core.records import (
    FeatureArray,
    FittedHead,
    FloatArray,
    ImageTable,
    IntArray,
    Picture,
    Resolved,
    Split,
    WeightsUsed,
)
from handful.core.search import Search
from handful.core.training import Training
from handful.features import FrozenTrunk, Preprocessing, extract, extract_at
from handful.heads import balanced_weights, fit_head, pool_views
from handful.split import can_hold_out, units
from handful.transfer.frozen import engine_options, frozen_trunk
from handful.transfer.gate import Gate, examine_precision
from handful.transfer.model import Member, Model
from handful.transfer.plan import choose_backbones, plan_features, taps_to_try

TRIAL_PICTURES = 1000
"""Training pictures on which preprocessings are compared, at most."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training made, and how every choice was made.

    Attributes:
        model: the classifier.
        heads: one per member: how its output layer was chosen.
        held_out: int64 (M,), indices of the pictures that choices were made by, the members' or the search's; none
            where no class has two training pictures that can be told apart.
        held_out_proba: float64 (M, C), rows sum to 1: the average of the members' probabilities for these pictures,
            each from a model that did not see the picture.
        options: the options of the features and heads rooms, resolved.
        weights: one per member.
        training: how layers were trained by gradient descent, one per trained member; empty where none were.
        search: what the time was spent on, where there was a search.
    """

    model: Model
    heads: tuple[FittedHead, ...]
    held_out: IntArray
    held_out_proba: FloatArray
    options: dict[str, Resolved]
    weights: tuple[WeightsUsed, ...]
    training: tuple[Training, ...] = ()
    search: Search | None = None


def locate_weights(config: TrainConfig) -> tuple[tuple[BackboneSpec, LocatedWeights], ...]:
    """Returns the backbones of a run with their weights, found on this machine; quick, and without torch.

    Strategy scratch needs none.

    Raises:
        ConfigError: an unknown backbone.
        WeightsError: weights that are not at hand.
    """
    specs, _ = choose_backbones(config)
    if config.transfer.strategy == "scratch":
        return tuple((spec, random_weights(spec, seed=config.run.seed)) for spec in specs)
    folder = Path(config.run.weights) if config.run.weights else None
    return tuple((spec, locate(spec, folder=folder, offline=config.run.offline)) for spec in specs)


def train_probe(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    backbones: Sequence[tuple[BackboneSpec, LocatedWeights]],
    threads: int,
    progress: Progress,
) -> Trained:
    """Returns a classifier that was fitted on the training part alone; the test part is not read here.

    Args:
        table: the data set.
        split: its parts.
        config: the options.
        backbones: from `locate_weights`.
        threads: resolved.
        progress: told about the work.
    """
    probe = _Probe(table, split, config, threads, progress)
    fitted = [probe.fit(backbone) for backbone in backbones]
    options = joined({member.trunk.spec.name: resolved for member, _, resolved in fitted})
    at_taps = [resolved["backbone"] for _, _, resolved in fitted]
    reasons = [choose_backbones(config)[1].reason, *(each.reason for each in at_taps if each.reason)]
    options["backbone"] = Resolved("+".join(each.value for each in at_taps), "; ".join(reasons))
    heads = tuple(head for _, head, _ in fitted)
    held_out: FloatArray = np.mean([head.held_out_proba for head in heads], axis=0)
    judged = heads[0].judged
    members = tuple(member for member, _, _ in fitted)
    return Trained(
        model=Model(table.classes, members, table.full_scale, config.reading),
        heads=heads,
        held_out=split.train[judged],
        held_out_proba=held_out[judged],
        options=options,
        weights=tuple(weights_used(spec, located) for spec, located in backbones),
    )


def weights_used(spec: BackboneSpec, located: LocatedWeights) -> WeightsUsed:
    """Returns which file a network's weights came from."""
    licence = spec.licence if located.sha256 else "none"
    return WeightsUsed(spec.name, located.path.name, located.sha256, located.origin, licence)


@dataclass(frozen=True, slots=True)
class _Probe:
    """What every member's fit shares."""

    table: ImageTable
    split: Split
    config: TrainConfig
    threads: int
    progress: Progress

    def fit(self, backbone: tuple[BackboneSpec, LocatedWeights]) -> tuple[Member, FittedHead, dict[str, Resolved]]:
        """Returns one member, how its head was chosen, and its options."""
        trunk = self.trunk(backbone, self.config)
        train = [self.table.pictures[index] for index in self.split.train]
        own, labels = units(train), self.table.labels[self.split.train]
        can_try = can_be_tried(self.table, self.split, seed=self.config.run.seed)
        taps = taps_to_try(self.config.features, trunk.spec, len(train)) if can_try else (trunk.tap,)
        losses = partial(
            probe_losses,
            trunk,
            taps=taps,
            table=self.table,
            split=self.split,
            seed=self.config.run.seed,
            threads=self.threads,
            progress=self.progress,
        )
        plan = plan_features(
            self.config.features,
            trunk.spec,
            train,
            held_out_loss=(lambda shown: losses(shown)[0]) if can_try else None,
        )
        tap, named = trunk.tap, Resolved(trunk.spec.full_name, "")
        if len(taps) > 1:
            tap, named = _chosen_tap(trunk.spec, taps, losses(plan.preprocessing))
        trunk = replace(trunk, tap=tap)
        trunk, gate = self.gated(self.proven(trunk, plan.preprocessing), backbone, plan.preprocessing)
        features = extract(
            trunk,
            self.table,
            train,
            preprocessing=plan.preprocessing,
            views=plan.views,
            threads=self.threads,
            progress=self.progress,
        ).values
        rows, n_rows = as_rows(features, view_use=self.config.features.view_use)
        weights = weights_of(self.config, labels, n_classes=len(self.table.classes))
        head, kind = fit_head(
            rows,
            np.repeat(labels, n_rows),
            kind=self.config.heads.head,
            n_classes=len(self.table.classes),
            units=np.repeat(own, n_rows),
            seed=self.config.run.seed,
            weights=None if weights is None else np.repeat(weights, n_rows),
            progress=self.progress,
        )
        if n_rows > 1:
            head = pool_views(head, labels, n_views=n_rows, weights=weights)
        options = {**plan.options, **engine_options(trunk, gate), "head": kind, "backbone": named}
        return Member(trunk, plan.preprocessing, plan.views, head.layer), head, options

    def trunk(self, backbone: tuple[BackboneSpec, LocatedWeights], config: TrainConfig) -> FrozenTrunk:
        """Returns a network as some options have it."""
        return frozen_trunk(backbone, config, threads=self.threads, progress=self.progress)

    def proven(self, trunk: FrozenTrunk, preprocessing: Preprocessing) -> FrozenTrunk:
        """Returns a network with an engine that computes it as it is shown the pictures."""
        return trunk.proven(preprocessing, taps=[trunk.tap], threads=self.threads, progress=self.progress)

    def gated(
        self, trunk: FrozenTrunk, backbone: tuple[BackboneSpec, LocatedWeights], preprocessing: Preprocessing
    ) -> tuple[FrozenTrunk, Gate | None]:
        """Returns the network in the precision that was asked for where it costs no accuracy, and what it costs."""
        if trunk.engine.precision == "fp32":
            return trunk, None
        features = replace(self.config.features, precision="fp32")
        full = self.proven(self.trunk(backbone, replace(self.config, features=features)), preprocessing)
        gate = examine_precision(
            (trunk, full),
            self.table,
            self.split.train,
            preprocessing,
            seed=self.config.run.seed,
            threads=self.threads,
            progress=self.progress,
        )
        return (trunk if gate.passes else full), gate


def as_rows(features: FeatureArray, *, view_use: str) -> tuple[FeatureArray, int]:
    """Returns what an output layer learns from, and how many rows each picture has in it.

    Args:
        features: float32 (N, V, D).
        view_use: "rows" for every view as a row, float32 (N V, D), or "average", float32 (N, D).
    """
    n_images, n_views, _ = features.shape
    if view_use == "rows" and n_views > 1:
        return features.reshape(n_images * n_views, -1), n_views
    mean: FeatureArray = features.mean(axis=1)
    return mean, 1


def weights_of(config: TrainConfig, labels: IntArray, *, n_classes: int) -> FloatArray | None:
    """Returns float64 (N,), mean 1, how much each picture counts; None where all count alike."""
    return balanced_weights(labels, n_classes) if config.heads.class_weights == "balanced" else None


def can_be_tried(table: ImageTable, split: Split, *, seed: int) -> bool:
    """Returns whether `probe_losses` can tell anything: whether some of its pictures can be judged."""
    return can_hold_out(table, _trial_rows(split, seed=seed))


def _trial_rows(split: Split, *, seed: int) -> IntArray:
    """Returns int64 (M,), ascending: the training pictures on which preprocessings and layer groups are compared."""
    rows: IntArray = np.sort(np.random.default_rng(seed).permutation(split.train)[:TRIAL_PICTURES])
    return rows


def probe_losses(
    trunk: FrozenTrunk,
    preprocessing: Preprocessing,
    *,
    taps: Sequence[Tap],
    table: ImageTable,
    split: Split,
    seed: int,
    threads: int,
    progress: Progress,
) -> list[float]:
    """Returns the held-out log loss of a ridge head at each tap, on some training pictures, drawn by the seed."""
    chosen = _trial_rows(split, seed=seed)
    pictures: list[Picture] = [table.pictures[index] for index in chosen]
    found = extract_at(
        taps,
        trunk,
        table,
        pictures,
        preprocessing=preprocessing,
        views=("plain",),
        threads=threads,
        progress=progress,
    )
    heads = (
        fit_head(
            features.values[:, 0],
            table.labels[chosen],
            kind="ridge",
            n_classes=len(table.classes),
            units=units(pictures),
            seed=seed,
        )[0]
        for features in found
    )
    return [head.held_out_loss for head in heads]


def _chosen_tap(spec: BackboneSpec, taps: Sequence[Tap], losses: Sequence[float]) -> tuple[Tap, Resolved]:
    """Returns the tap of lowest loss, and the network's name with it, and why."""
    (loss, tap), *others = sorted(zip(losses, taps, strict=True), key=lambda each: each[0])
    rest = ", ".join(f"{other:.4f} at {rival.name}" for other, rival in others)
    why = f"a ridge layer's held-out log loss (smoothed) is {loss:.4f} with features at {tap.name}, against {rest}"
    return tap, Resolved(f"{spec.name}:{tap.name}", why)


def joined(options: dict[str, dict[str, Resolved]]) -> dict[str, Resolved]:
    """Returns the options of several networks as one: where they differ, a value and a reason for each network."""
    first, *others = options.values()
    joined = {}
    for name, resolved in first.items():
        if all(other[name] == resolved for other in others):
            joined[name] = resolved
            continue
        values = {backbone: each[name].value for backbone, each in options.items()}
        reasons = [f"{backbone}: {each[name].reason}" for backbone, each in options.items()]
        joined[name] = Resolved(values, "; ".join(reasons))
    return joined
