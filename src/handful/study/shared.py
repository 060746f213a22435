"""What the trials of a study share: the pictures, which of them validate, and every frozen activation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from handful.backbones import BackboneSpec, LocatedWeights, Network, load, untrained
from handful.core.config import FeaturesConfig, TrainConfig
from handful.core.errors import ConfigError, DataError
from handful.core.files import dump_json
from handful.core.progress import Progress
from handful.core.records import ImageTable, IntArray, Picture, Split
from handful.features import Preprocessing
from handful.finetune import resolve
from handful.split import hold_out, subset
from handful.transfer import choose_backbones
from handful.transfer.frozen import chosen_engine, frozen_activations, frozen_trunk
from handful.transfer.layers import Work
from handful.transfer.plan import plan_features
from handful.transfer.probe import locate_weights

if TYPE_CHECKING:
    from handful.finetune.activations import Activations
    from handful.finetune.pictures import Augmentation, Shown


@dataclass(frozen=True, slots=True)
class Learning:
    """The pictures of a study.

    Attributes:
        table: the data set.
        split: its parts; `split.train` are the learning pictures, of which every trial sets a part aside to validate,
            unless the user gave a validation part. The test part is never looked at.
        threads: for decoding and the network.
        progress: told about the work.
    """

    table: ImageTable
    split: Split
    threads: int
    progress: Progress

    @property
    def rows(self) -> IntArray:
        """int64 (N,): every picture that a trial may see, ascending."""
        return np.sort(np.concatenate([self.split.train, self.split.validation]))

    @property
    def pictures(self) -> list[Picture]:
        """The pictures of `rows`."""
        return [self.table.pictures[index] for index in self.rows]

    def places(self, rows: IntArray) -> IntArray:
        """Returns where in `rows` some of its pictures are, int64."""
        found: IntArray = np.searchsorted(self.rows, rows)
        return found

    def settled(self, config: TrainConfig) -> TrainConfig:
        """Returns the options with the way to a square that is left open settled, by all pictures of the study."""
        if config.features.fit != "auto":
            return config
        specs, _ = choose_backbones(config)
        return replace(config, features=replace(config.features, fit=prepared(self, config.features, specs[0]).fit))

    def parts(self, config: TrainConfig) -> Split:
        """Returns what a trial trains and validates with; as many validate as would test, and nothing tests.

        Raises:
            ConfigError: more `images` than there are to train with.
            DataError: no picture can be spared to validate with.
        """
        train, validation = self.split.train, self.split.validation
        if not len(validation):
            pictures = [self.table.pictures[index] for index in train]
            apart = hold_out(pictures, share=config.split.test, seed=config.run.seed)
            if not apart.any():
                raise DataError(
                    f"no picture of {self.table.root} can be spared to validate with: of the {len(train)} to learn "
                    "from, each is its class's only one, or all of its class are identical or of one group. Add "
                    "pictures, or a validation part."
                )
            train, validation = train[~apart], train[apart]
        if config.split.images is not None:
            chosen = subset(self.table.labels[train], n_images=config.split.images, seed=config.run.seed)
            train = train[chosen]
        return Split(train, validation, np.array([], dtype=np.int64), given=True)


@dataclass(frozen=True, slots=True)
class FrozenFeatures:
    """Features of every picture of `Learning.rows` below the new layers.

    Attributes:
        changed: of the views that are trained with.
        plain: of each picture as it is, one view.
    """

    changed: Activations
    plain: Activations


def frozen_features(learning: Learning, config: TrainConfig, *, seed: int) -> FrozenFeatures:
    """Returns features of all pictures, as training with all layers frozen sees them; the disk remembers each row.

    Args:
        learning: the pictures.
        config: of the trial.
        seed: of the changed views, which every trial shares.
    """
    from handful.finetune.pictures import Shown

    ((spec, located),) = locate_weights(config)
    preprocessing = prepared(learning, config.features, spec)
    tune = config.finetune
    trunk = frozen_trunk((spec, located), config, threads=learning.threads, progress=learning.progress)
    plain = Shown(learning.table, learning.pictures, preprocessing, "none", seed=seed, threads=learning.threads)
    features = partial(frozen_activations, trunk, n_views=tune.augmented_views, progress=learning.progress)
    as_they_are = features(plain)
    if tune.augmentation == "none":
        return FrozenFeatures(as_they_are, as_they_are)
    changed = replace(plain, augmentation=cast("Augmentation", tune.augmentation))
    return FrozenFeatures(features(changed), as_they_are)


def prepared(learning: Learning, config: FeaturesConfig, spec: BackboneSpec) -> Preprocessing:
    """Returns how pictures become squares, with nothing left to try."""
    return plan_features(replace(config, views="plain"), spec, learning.pictures, held_out_loss=None).preprocessing


def with_engine(learning: Learning, config: TrainConfig) -> TrainConfig:
    """Returns the options with the engine that is left open settled: what this machine chooses is what all take.

    Raises:
        ConfigError: several networks, for which different ones would be chosen.
    """
    if config.features.engine != "auto":
        return config
    threads, progress = learning.threads, learning.progress
    found = set()
    for spec, located in locate_weights(config):
        if config.transfer.strategy == "features":
            found.add(frozen_trunk((spec, located), config, threads=threads, progress=progress).engine.name)
        else:
            network = partial(_begun, spec, located, config)
            found.add(chosen_engine(spec, network, config, threads=threads, progress=progress).engine.name)
    if len(found) > 1:
        raise ConfigError(
            f"the networks {config.features.backbone} would run on different engines ({', '.join(sorted(found))}); "
            "name one of them: --engine."
        )
    (engine,) = found
    return replace(config, features=replace(config.features, engine=engine))


def _begun(spec: BackboneSpec, located: LocatedWeights, config: TrainConfig) -> Network:
    """Returns a network as its training begins."""
    from handful.finetune.freeze import draw_weights, split_network

    if config.transfer.strategy != "scratch":
        return load(spec, located)
    cut = split_network(untrained(spec), 0)
    draw_weights(cut.upper, init_scale=config.finetune.init_scale, seed=config.run.seed)
    return cut.network


@dataclass
class SharedActivations:
    """Activations below layers that are trained, for every picture of a study, computed when first asked for.

    The views are drawn with one seed for all trials, so that they can be shared. The last two kinds are kept (changed
    and plain): trials come in the order of what they share.

    Attributes:
        learning: the pictures.
        seed: of the changed views.
        kept: activations by what decides them.
    """

    learning: Learning
    seed: int
    kept: dict[str, Activations] = field(default_factory=dict)

    def compute(self, config: TrainConfig) -> None:
        """Computes the activations that a training of layers asks for, so that others can be handed them.

        Raises:
            TrainingError: one of them is no number.
        """
        from handful.finetune.freeze import split_network

        learning = self.learning
        ((spec, located),) = locate_weights(config)
        work = Work(
            learning.table,
            learning.parts(config),
            config,
            spec,
            located,
            learning.threads,
            learning.progress,
            self.known(config),
        )
        n_frozen = int(work.frozen().value)
        if n_frozen:
            cut = split_network(load(spec, located), n_frozen, pool=cast("Literal['max', 'l2']", config.finetune.pool))
            recipe, preprocessing = resolve(config.finetune)[0], work.plan().preprocessing
            for rows, changed in zip(work.parts(), (True, False), strict=True):
                work.batches(cut, recipe, preprocessing, rows, changed=changed)

    def known(self, config: TrainConfig) -> SharedCut:
        """Returns what a training with these options asks for its activations."""
        return SharedCut(self, share_key(config))


@dataclass(frozen=True, slots=True)
class SharedCut:
    """The activations at one cut of one network; a `transfer.layers.Known`."""

    shared: SharedActivations
    key: str

    def __call__(
        self, compute: Callable[[Shown], Activations], shown: Shown, *, n_views: int
    ) -> tuple[Activations, IntArray]:
        """Returns activations of all pictures, and the row of each of the shown ones."""
        learning, kept = self.shared.learning, self.shared.kept
        name = f"{self.key} {shown.preprocessing} {shown.augmentation} {n_views}"
        if name not in kept:
            for other in [other for other in kept if not other.startswith(self.key)]:
                del kept[other]
            every = replace(shown, pictures=learning.pictures, seed=self.shared.seed)
            kept[name] = compute(every)
        place = {picture.path: row for row, picture in enumerate(learning.pictures)}
        return kept[name], np.array([place[picture.path] for picture in shown.pictures], dtype=np.int64)


def share_key(config: TrainConfig) -> str:
    """Returns what names the frozen activations that a training needs: equal keys share them."""
    tune = config.finetune
    return dump_json(
        {
            "features": asdict(config.features),
            "transfer": asdict(config.transfer),
            "changes": [tune.augmentation, tune.augmented_views, tune.pool],
            "weights": config.run.weights,
        }
    )
