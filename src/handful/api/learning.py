"""What scikit-learn's estimators do with pictures: the engine of `train`, every picture learnt from, none tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from handful.backbones import BackboneSpec, LocatedWeights
from handful.core.config import TrainConfig
from handful.core.errors import DataError
from handful.core.files import check_cache
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Silent
from handful.core.records import Evaluation, FeatureArray, FloatArray, ImageTable, IntArray, Split
from handful.evaluate import evaluate
from handful.features import FrozenTrunk, Preprocessing, View, extract
from handful.images import Given, read, read_unlabelled
from handful.transfer import (
    Model,
    Time,
    check_ways,
    choose_way,
    classify,
    frozen_trunk,
    locate_weights,
    located,
    plan_features,
    settled,
    train_way,
)


@dataclass(frozen=True, slots=True)
class Learnt:
    """A model, and its figures on the pictures it learnt from, each answered by a model that did not see it.

    None where no class has two that are not copies or of one group.
    """

    model: Model
    held_out: Evaluation | None


@dataclass(frozen=True, slots=True)
class Eye:
    """A fixed network, and how it is shown pictures.

    Attributes:
        network: what the catalogue says about it, and its weights.
        preprocessing: from picture to square.
        views: of each picture; their features are averaged.
        full_scale: what stands for white in pictures of more than 8 bits.
        opened: the network, once it was needed.
    """

    network: tuple[BackboneSpec, LocatedWeights]
    preprocessing: Preprocessing
    views: tuple[View, ...]
    full_scale: int
    opened: list[FrozenTrunk] = field(default_factory=list, compare=False, repr=False)

    def closed(self) -> Eye:
        """Returns the same without the opened network, which cannot be pickled."""
        return Eye(self.network, self.preprocessing, self.views, self.full_scale)

    def see(self, table: ImageTable, config: TrainConfig, *, threads: int) -> FeatureArray:
        """Returns float32 (N, D): the features of all pictures of a table."""
        if not self.opened:
            self.opened.append(frozen_trunk(self.network, config, threads=threads, progress=Silent()))
        values: FeatureArray = extract(
            self.opened[0],
            table,
            table.pictures,
            preprocessing=self.preprocessing,
            views=self.views,
            threads=threads,
            progress=Silent(),
        ).values.mean(axis=1, dtype=np.float32)
        return values


def learn(data: Given, config: TrainConfig) -> Learnt:
    """Returns a classifier that learnt from all pictures of a data set.

    Raises:
        ConfigError: an option that cannot work.
        DataError: pictures that cannot be used as they are.
        WeightsError: pre-trained weights that are not at hand.
    """
    config = settled(config)
    time, threads, progress = Time.given(config), count_threads(config.run.threads), Silent()
    check_cache()
    with limit_threads(threads):
        backbones = located(config)
        check_ways(config, backbones)
        table = read(data, config.reading, threads=threads, progress=progress)
        none: IntArray = np.zeros(0, dtype=np.int64)
        everything = Split(np.arange(len(table.pictures)), none, none, given=True)
        way = choose_way(table, everything, config, backbones=backbones, threads=threads, progress=progress)
        trained = train_way(table, everything, way, time=time, threads=threads, progress=progress)
    labels = table.labels
    if not len(trained.held_out):
        return Learnt(trained.model, None)
    held_out = evaluate(trained.held_out_proba, labels[trained.held_out], classes=table.classes, train_labels=labels)
    return Learnt(trained.model, held_out)


def answers(model: Model, data: Given, *, threads: int | None) -> FloatArray:
    """Returns float64 (N, C): the probabilities of all pictures, in their order and that of the model's classes.

    Raises:
        DataError: a picture cannot be read.
    """
    n_threads = count_threads(threads)
    table = _all_readable(read_unlabelled(data, model.reading, full_scale=model.full_scale, threads=n_threads), data)
    with limit_threads(n_threads):
        return classify(model, table, table.pictures, threads=n_threads, progress=Silent(), use_cache=True)


def open_eyes(data: Given, config: TrainConfig) -> tuple[Eye, ...]:
    """Returns the networks that the option `backbone` names, and how they are shown pictures like the given ones."""
    backbones = locate_weights(config)
    check_ways(config, backbones)
    table = look_at(data, config, threads=count_threads(config.run.threads))
    plans = [plan_features(config.features, spec, table.pictures, held_out_loss=None) for spec, _ in backbones]
    return tuple(
        Eye(backbone, plan.preprocessing, plan.views, table.full_scale)
        for backbone, plan in zip(backbones, plans, strict=True)
    )


def see(eyes: Sequence[Eye], data: Given, config: TrainConfig) -> FeatureArray:
    """Returns float32 (N, D): the features of all pictures, those of several networks side by side."""
    threads = count_threads(config.run.threads)
    check_cache()
    table = look_at(data, config, threads=threads, full_scale=eyes[0].full_scale)
    with limit_threads(threads):
        return np.concatenate([eye.see(table, config, threads=threads) for eye in eyes], axis=1)


def look_at(data: Given, config: TrainConfig, *, threads: int, full_scale: int | None = None) -> ImageTable:
    """Returns pictures whose class does not matter, all of them readable; see `read_unlabelled`.

    Raises:
        DataError: a picture cannot be read.
    """
    return _all_readable(read_unlabelled(data, config.reading, full_scale=full_scale, threads=threads), data)


def _all_readable(table: ImageTable, data: Given) -> ImageTable:
    if table.skipped:
        first = table.skipped[0]
        raise DataError(
            f"{len(table.skipped)} of the {data.title} cannot be read, such as {first.path}: {first.reason}. Every "
            "picture has to have an answer here; leave these out."
        )
    return table
