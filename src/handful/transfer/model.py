"""What training makes: frozen networks with their new output layers, and the facts needed to use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from handful.core.config import ReadingConfig
from handful.core.progress import Progress
from handful.core.records import FeatureArray, FloatArray, Head, ImageTable, Picture, StackedHead
from handful.core.trust import Rules
from handful.evaluate import distances
from handful.features import FrozenTrunk, Preprocessing, View, extract, extract_unchecked
from handful.heads import predict_proba
from handful.images import Found


@dataclass(frozen=True, slots=True)
class Member:
    """One network with its output layer.

    Attributes:
        trunk: the frozen network.
        preprocessing: from picture to its input.
        views: the views whose features are averaged.
        head: the output layer.
    """

    trunk: FrozenTrunk
    preprocessing: Preprocessing
    views: tuple[View, ...]
    head: Head | StackedHead


@dataclass(frozen=True, slots=True)
class Model:
    """A classifier: the average of its members' probabilities.

    Attributes:
        classes: names, in the order of the probabilities' columns.
        members: at least one.
        full_scale: the value that stands for white in pictures of more than 8 bits, as chosen in training.
        reading: the limits under which pictures are read.
        rules: what is done with the probabilities; the pictures' distances are those of the first member's features.
    """

    classes: tuple[str, ...]
    members: tuple[Member, ...]
    full_scale: int
    reading: ReadingConfig
    rules: Rules | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What a model says about some pictures.

    Attributes:
        proba: float64 (N, C), rows sum to 1.
        distances: float64 (N,), how far each is from the training pictures; None where the model does not know them.
    """

    proba: FloatArray
    distances: FloatArray | None


def classify(
    model: Model,
    table: ImageTable,
    pictures: Sequence[Picture],
    *,
    threads: int,
    progress: Progress,
    use_cache: bool,
) -> FloatArray:
    """Returns float64 (N, C): the probabilities of some of a table's pictures, rows sum to 1."""
    return examine(model, table, pictures, threads=threads, progress=progress, use_cache=use_cache).proba


def examine(
    model: Model,
    table: ImageTable,
    pictures: Sequence[Picture],
    *,
    threads: int,
    progress: Progress,
    use_cache: bool,
) -> Examined:
    """Returns the probabilities of some of a table's pictures, and how far they are from the training pictures."""
    features = [
        extract(
            member.trunk,
            table,
            pictures,
            preprocessing=member.preprocessing,
            views=member.views,
            threads=threads,
            progress=progress,
            use_cache=use_cache,
        ).values
        for member in model.members
    ]
    return judge(model, features)


def see_unchecked(
    model: Model, files: Sequence[Found], *, threads: int, progress: Progress
) -> tuple[list[FeatureArray], dict[int, str]]:
    """Returns the features of files that nobody has looked into, without those that are no readable picture.

    Args:
        model: the model.
        files: N files.
        threads: for decoding and for the network.
        progress: told about every square.

    Returns:
        Those of each member for the readable ones, in their order, float32 (N, V, D), as `judge` takes them; and the
        rows of the others, with the reason.
    """
    features, faults = [], dict[int, str]()
    for member in model.members:
        values, found = extract_unchecked(
            member.trunk,
            files,
            reading=model.reading,
            full_scale=model.full_scale,
            preprocessing=member.preprocessing,
            views=member.views,
            threads=threads,
            progress=progress,
        )
        features.append(values)
        faults |= found
    readable = [row for row in range(len(files)) if row not in faults]
    if faults:
        features = [values[readable] for values in features]
    return features, faults


def judge(model: Model, features: Sequence[FeatureArray]) -> Examined:
    """Returns what a model says about pictures of which it has the features.

    Args:
        model: the classifier.
        features: of each member, float32 (N, V, D).
    """
    answers = [predict_proba(member.head, values) for member, values in zip(model.members, features, strict=True)]
    familiar = model.rules.familiar if model.rules else None
    far = distances(features[0].mean(axis=1), familiar) if familiar else None
    return Examined(np.mean(answers, axis=0), far)


def side_by_side(features: Sequence[FeatureArray]) -> FeatureArray:
    """Returns float32 (N, D): the features of each member, (N, V, D), averaged over its views, side by side."""
    return np.concatenate([values.mean(axis=1, dtype=np.float32) for values in features], axis=1)


def describe_features(model: Model) -> list[dict[str, Any]]:
    """Returns of which networks the features in `side_by_side` are, in their order, as values that JSON has."""
    return [
        {
            "backbone": member.trunk.spec.name,
            "weights_sha256": member.trunk.weights_sha256,
            "layer_group": member.trunk.tap.group,
            "beside": list(member.trunk.tap.beside),
            "pooling": member.trunk.tap.pooling,
            "pool": member.trunk.pool,
            "precision": member.trunk.engine.precision,
            "preprocessing": asdict(member.preprocessing),
            "views": list(member.views),
            "n_features": member.trunk.tap.n_features,
        }
        for member in model.members
    ]
