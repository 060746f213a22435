"""New layers, and the network's upper ones, trained by gradient descent: the paper's three ways (section 3.3).

Feature extraction with a stack of new layers freezes all n layer groups; "train some layers while freezing others"
freezes the k lowest; "architecture only" draws every weight at random. What is frozen runs once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, cast

import numpy as np

from handful.backbones import BackboneSpec, LocatedWeights, load, random_weights, untrained
from handful.core.choices import HEADS
from handful.core.cluster import Cluster
from handful.core.config import FinetuneConfig, TrainConfig
from handful.core.errors import ConfigError, NothingHeldOutError, TrainingError
from handful.core.files import sha256_bytes
from handful.core.progress import Progress
from handful.core.records import (
    FeatureArray,
    FittedHead,
    Head,
    ImageTable,
    IntArray,
    Nonlinearity,
    Picture,
    Resolved,
    Split,
    StackedHead,
)
from handful.core.training import Training
from handful.features import FrozenTrunk, Pool, Preprocessing, View, extract, serialise, trunk_from_state
from handful.finetune import cautions, check_recipe, count_frozen, groups_below, parse_head, resolve
from handful.heads import choose_temperature, fit_head, softmax, stacked_scores
from handful.split import can_hold_out, folds, units
from handful.transfer.frozen import chosen_engine, engine_options, frozen_activations, frozen_trunk
from handful.transfer.hired import check_shared, hire
from handful.transfer.kept import place_of_work
from handful.transfer.model import Member, Model
from handful.transfer.plan import FeaturePlan, choose_backbones, plan_features
from handful.transfer.probe import Trained, can_be_tried, probe_losses, weights_used

if TYPE_CHECKING:
    from handful.finetune.activations import Activations
    from handful.finetune.batches import ActivationBatches, PictureBatches
    from handful.finetune.freeze import Cut
    from handful.finetune.pictures import Augmentation, Shown

N_PARTS = 5
"""One part of five of the training pictures validates, where the user gave no validation part."""


class Known(Protocol):
    """Activations that several trainings share."""

    def __call__(
        self, compute: Callable[[Shown], Activations], shown: Shown, *, n_views: int
    ) -> tuple[Activations, IntArray]:
        """Returns activations of more pictures, and the row of each of the shown ones, int64 (N,)."""


def trains_layers(config: TrainConfig) -> bool:
    """Returns whether layers are trained by gradient descent, rather than one output layer solved for."""
    return config.transfer.strategy != "features" or config.heads.head not in HEADS


def check_layers(config: TrainConfig, spec: BackboneSpec, *, n_classes: int) -> None:
    """Checks everything about the training of layers that can be known before it starts.

    Raises:
        ConfigError: every fault, one per line.
    """
    if config.finetune.start == "probe" and (config.transfer.strategy == "scratch" or _new_layers(config) != "C"):
        raise ConfigError(
            f"start is 'probe', strategy is {config.transfer.strategy!r} and head is {config.heads.head!r}: only one "
            "new layer on a pre-trained network can be solved for beforehand. Leave out --start, or take --head C with "
            "--strategy freeze or full."
        )
    if spec.default_tap.beside:
        raise ConfigError(
            f"{spec.full_name} takes features of several layer groups, which only --strategy features can use; layers "
            f"are trained in a row. Leave out :{spec.default_tap.name}."
        )
    check_recipe(
        config.finetune,
        head=config.heads.head,
        freeze=config.transfer.freeze,
        groups=groups_below(spec.default_tap, spec.groups),
        n_classes=n_classes,
    )


def train_layers(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    backbone: tuple[BackboneSpec, LocatedWeights],
    threads: int,
    progress: Progress,
    known: Known | None = None,
    part: int = 0,
    left: Callable[[], float] | None = None,
    cluster: Cluster | None = None,
) -> Trained:
    """Returns a classifier whose new layers, and perhaps the network's upper ones, were trained by gradient descent.

    The best weights are those of the lowest validation loss; the test part is not read here. With `refit` the layers
    are trained once more, on the validation pictures too; held-out figures and temperature are of the first training.

    Args:
        table: the data set.
        split: its parts.
        config: the options, the strategy resolved.
        backbone: the network and where its weights are; strategy scratch leaves them alone.
        threads: resolved.
        progress: told about the work.
        known: activations at the cut that other trainings use too; of this one's pictures alone where it is None.
        part: which of the five parts of the training pictures validates, where the user gave no validation part.
        left: seconds until training must end, asked when it starts; the option `time` counts where it is None.
        cluster: open, trains the layers; this process where it is None.

    Raises:
        ConfigError: options that cannot work for this network and these classes.
        TrainingError: the loss was no longer a number.
    """
    spec, located = backbone
    if config.transfer.strategy == "scratch":
        located = random_weights(spec, seed=config.run.seed)
    check_layers(config, spec, n_classes=len(table.classes))
    work = Work(table, split, config, spec, located, threads, progress, known, part=part, left=left, cluster=cluster)
    frozen = work.frozen()
    rows, validation = work.parts()
    plan = work.plan()
    preprocessing = plan.preprocessing
    recipe, recipe_options = resolve(config.finetune)
    for caution in cautions(recipe):
        progress.say(caution)
    cut, training, layer = work.trained(int(frozen.value), recipe, preprocessing, rows=rows, validation=validation)
    scores = stacked_scores(layer, work.features(work.trunk(cut), preprocessing, views=plan.views, rows=validation))
    temperature, loss = choose_temperature(scores, table.labels[validation])
    proba = softmax(scores, temperature=temperature)
    if recipe.refit and len(split.train) > len(rows):
        as_long = again(recipe, training)
        cut, _, layer = work.trained(int(frozen.value), as_long, preprocessing, rows=split.train, validation=None)
    layer = replace(layer, temperature=temperature)
    trunk = work.trunk(cut)
    trunk = trunk.proven(preprocessing, taps=[trunk.tap], threads=threads, progress=progress)
    head = FittedHead("layers", layer, float(recipe.l2 or 0.0), proba, np.ones(len(proba), dtype=bool), loss)
    return Trained(
        model=Model(
            table.classes, (Member(trunk, preprocessing, plan.views, layer),), table.full_scale, config.reading
        ),
        heads=(head,),
        held_out=validation,
        held_out_proba=proba,
        options={
            "backbone": choose_backbones(config)[1],
            **plan.options,
            **recipe_options,
            **engine_options(trunk),
            "freeze": frozen,
            "head": Resolved(_new_layers(config), "new layers trained by gradient descent; C is the number of classes"),
        },
        weights=(weights_used(spec, located),),
        training=(training,),
    )


def again(recipe: FinetuneConfig, training: Training) -> FinetuneConfig:
    """Returns the recipe that trains, without validation, for as many epochs as gave the kept weights."""
    epochs = next(iteration.epoch for iteration in training.iterations if iteration.step == training.best_step)
    return replace(recipe, epochs=epochs, stop_at=None, time=None)


def _new_layers(config: TrainConfig) -> str:
    """Returns the stack of new layers that the option `head` asks for: one layer where it names none."""
    return config.heads.head if config.heads.head not in HEADS else "C"


@dataclass(frozen=True, slots=True)
class Work:
    """A training of layers before it starts: what its steps share."""

    table: ImageTable
    split: Split
    config: TrainConfig
    spec: BackboneSpec
    located: LocatedWeights
    threads: int
    progress: Progress
    known: Known | None = None
    use_cache: bool = True
    part: int = 0
    left: Callable[[], float] | None = None
    cluster: Cluster | None = None

    @property
    def starts_at_random(self) -> bool:
        """True where no pre-trained weights are used."""
        return self.config.transfer.strategy == "scratch"

    def frozen(self) -> Resolved:
        """Returns k, the number of lowest layer groups that stay fixed, with the reason."""
        names = groups_below(self.spec.default_tap, self.spec.groups)
        strategy, given = self.config.transfer.strategy, self.config.transfer.freeze
        if strategy == "features":
            return Resolved(len(names), f"strategy features: all {len(names)} layer groups stay fixed")
        if strategy in ("full", "scratch"):
            return Resolved(0, f"strategy {strategy}: all {len(names)} layer groups are trained")
        if given:
            return Resolved(count_frozen(given, names), f"of {len(names)} layer groups; chosen by the user")
        return Resolved(len(names) // 2, f"half of {len(names)} layer groups; `handful advise` measures what suits")

    def parts(self) -> tuple[IntArray, IntArray]:
        """Returns the pictures to train with and those to validate with: the user's parts, or one of five drawn."""
        if len(self.split.validation):
            return self.split.train, self.split.validation
        pictures = [self.table.pictures[index] for index in self.split.train]
        labels = self.table.labels[self.split.train]
        together = units(pictures)
        validates = folds(labels, together, n_folds=N_PARTS, seed=self.config.run.seed) == self.part
        for unit in np.unique(together[validates]):
            own = together == unit
            if set(labels[own]) - set(labels[~validates]):
                validates[own] = False
        if not validates.any():
            raise NothingHeldOutError(
                f"no training picture of {self.table.root} can be spared to validate with: of the {len(labels)}, each "
                "is its class's only one, or all of its class are identical or of one group. Add pictures, or a "
                "validation part."
            )
        return self.split.train[~validates], self.split.train[validates]

    def plan(self) -> FeaturePlan:
        """Returns how pictures are shown; choices left open are made with a probe on frozen features, if any."""

        def loss(preprocessing: Preprocessing) -> float:
            trunk = self.pretrained()
            (held_out,) = probe_losses(
                trunk,
                preprocessing,
                taps=(trunk.tap,),
                table=self.table,
                split=self.split,
                seed=self.config.run.seed,
                threads=self.threads,
                progress=self.progress,
            )
            return held_out

        given = self.config.features
        config = replace(given, views="plain") if given.views == "auto" else given
        pictures = [self.table.pictures[index] for index in self.split.train]
        can_try = not self.starts_at_random and can_be_tried(self.table, self.split, seed=self.config.run.seed)
        plan = plan_features(config, self.spec, pictures, held_out_loss=loss if can_try else None)
        if given.views != "auto":
            return plan
        views = Resolved("plain", "training changes the pictures itself; the model answers for each as it is")
        return replace(plan, options={**plan.options, "views": views})

    def trained(
        self,
        frozen: int,
        recipe: FinetuneConfig,
        preprocessing: Preprocessing,
        *,
        rows: IntArray,
        validation: IntArray | None,
    ) -> tuple[Cut, Training, StackedHead]:
        """Returns the trained network, how its training went, and the new layers."""
        import torch

        from handful.finetune.freeze import draw_weights, split_network
        from handful.finetune.stack import begin_with, build_head, head_arrays

        seed = self.config.run.seed
        pool = cast(Literal["max", "l2"], recipe.pool)
        network = untrained(self.spec) if self.starts_at_random else load(self.spec, self.located)
        cut = split_network(network, frozen, pool=pool)
        if self.starts_at_random:
            draw_weights(cut.upper, init_scale=recipe.init_scale, seed=seed)
        stack = build_head(
            parse_head(_new_layers(self.config), len(self.table.classes)),
            cut.tap.n_features,
            nonlinearity=cast(Nonlinearity, recipe.nonlinearity),
            init_scale=recipe.init_scale,
            seed=seed,
        )
        if recipe.start == "probe":
            begin_with(stack, self.solved(preprocessing, rows))
        model = cut.with_head(stack, own_statistics=self.starts_at_random)
        if self.cluster:
            check_shared(model)
        batches = self.batches(cut, recipe, preprocessing, rows, changed=True)
        watched = None if validation is None else self.batches(cut, recipe, preprocessing, validation, changed=False)
        by, fit = hire(model, batches, self.config, threads=self.threads, cluster=self.cluster)
        kept = place_of_work(self, cut, model, recipe, preprocessing, rows=rows, validation=validation, computing=by)
        if self.left is not None:
            recipe = replace(recipe, time=f"{max(self.left(), 1.0):.3f}s")
        torch.set_num_threads(self.threads)
        training = fit(model, batches, watched, recipe, seed=seed, progress=self.progress, kept=kept)
        if training.failed_at is not None:
            raise TrainingError(
                f"training failed at update {training.failed_at}: the loss was no longer a number. "
                f"The rate was {recipe.lr:g}; try a smaller one, for instance --lr {(recipe.lr or 1.0) / 10:g}.",
                failed_at=training.failed_at,
            )
        return cut, training, head_arrays(stack)

    def solved(self, preprocessing: Preprocessing, rows: IntArray) -> Head:
        """Returns the output layer that logistic regression finds for some pictures on the network as it was.

        A ridge layer where none of them can be held out to choose a penalty by.
        """
        pictures = [self.table.pictures[index] for index in rows]
        fitted, _ = fit_head(
            self.features(self.pretrained(), preprocessing, views=("plain",), rows=rows),
            self.table.labels[rows],
            kind="logistic" if can_hold_out(self.table, rows) else "ridge",
            n_classes=len(self.table.classes),
            units=units(pictures),
            seed=self.config.run.seed,
        )
        return cast(Head, fitted.layer)

    def pretrained(self) -> FrozenTrunk:
        """Returns the network as it was before anything was trained."""
        return frozen_trunk((self.spec, self.located), self.config, threads=self.threads, progress=self.progress)

    def trunk(self, cut: Cut) -> FrozenTrunk:
        """Returns a trained network as one that is fixed from now on; where nothing was trained, the one it was."""
        if not cut.upper:
            return self.pretrained()
        state = serialise(cut.network, cut.tap)
        chosen = chosen_engine(
            self.spec, lambda: cut.network, self.config, threads=self.threads, progress=self.progress
        )
        return trunk_from_state(
            self.spec,
            cut.tap,
            state,
            sha256=sha256_bytes(state),
            engine=chosen.engine,
            reason=chosen.reason,
            pool=cast(Pool, self.config.finetune.pool),
        )

    def features(
        self, trunk: FrozenTrunk, preprocessing: Preprocessing, *, views: tuple[View, ...], rows: IntArray
    ) -> FeatureArray:
        """Returns the mean features of some pictures over their views, float32 (N, D)."""
        pictures = [self.table.pictures[index] for index in rows]
        found = extract(
            trunk,
            self.table,
            pictures,
            preprocessing=preprocessing,
            views=views,
            threads=self.threads,
            progress=self.progress,
            use_cache=trunk.weights_sha256 == self.located.sha256,
        )
        mean: FeatureArray = found.values.mean(axis=1)
        return mean

    def batches(
        self, cut: Cut, recipe: FinetuneConfig, preprocessing: Preprocessing, rows: IntArray, *, changed: bool
    ) -> ActivationBatches | PictureBatches:
        """Returns the quick way to the pictures where lower layers are frozen, the slow one where none are."""
        from handful.finetune.batches import ActivationBatches, PictureBatches
        from handful.finetune.pictures import Shown

        pictures: list[Picture] = [self.table.pictures[index] for index in rows]
        augmentation = cast("Augmentation", recipe.augmentation) if changed else "none"
        shown = Shown(
            self.table, pictures, preprocessing, augmentation, seed=self.config.run.seed, threads=self.threads
        )
        targets = self.table.labels[rows]
        n_frozen = len(cut.group_names) - len(cut.upper)
        if not n_frozen:
            return PictureBatches(cut.lower, shown, targets, recipe.batch)
        n_views = recipe.augmented_views if augmentation != "none" else 1
        compute = partial(
            frozen_activations,
            self.pretrained(),
            n_views=n_views,
            progress=self.progress,
            group=cut.group_names[n_frozen - 1] if cut.upper else None,
            use_cache=self.use_cache,
        )
        if self.known is None:
            return ActivationBatches(compute(shown), targets, recipe.batch)
        values, places = self.known(compute, shown, n_views=n_views)
        return ActivationBatches(values, targets, recipe.batch, places)
