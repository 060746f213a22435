"""What training makes: frozen networks with their new output layers, and the facts needed to use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.config import ReadingConfig
from handful.core.progress import Progress
from handful.core.records import FloatArray, Head, ImageTable, Picture, StackedHead
from handful.features import FrozenTrunk, Preprocessing, View, extract
from handful.heads import predict_proba


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
    """

    classes: tuple[str, ...]
    members: tuple[Member, ...]
    full_scale: int
    reading: ReadingConfig


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
    proba = [
        predict_proba(
            member.head,
            extract(
                member.trunk,
                table,
                pictures,
                preprocessing=member.preprocessing,
                views=member.views,
                threads=threads,
                progress=progress,
                use_cache=use_cache,
            ).values,
        )
        for member in model.members
    ]
    average: FloatArray = np.mean(proba, axis=0)
    return average
