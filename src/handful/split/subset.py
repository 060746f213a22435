"""Fewer training pictures, each size holding the smaller ones."""

from __future__ import annotations

import numpy as np

from handful.core.errors import ConfigError
from handful.core.records import IntArray


def subset(labels: IntArray, *, n_images: int, seed: int) -> IntArray:
    """Returns int64 (n_images,): ascending rows drawn at random, every class with its share and at least one row.

    For one seed, a smaller subset is part of every larger one, so that sizes can be compared.

    Args:
        labels: int64 (N,), class indices.
        n_images: rows to draw.
        seed: decides which.

    Raises:
        ConfigError: fewer than one row for each class, or more rows than there are.

    Example:
        >>> subset(np.array([0, 0, 0, 0, 1, 1]), n_images=3, seed=0).size
        3
    """
    classes, class_of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if not len(classes) <= n_images <= len(labels):
        raise ConfigError(
            f"images is {n_images}; expected from {len(classes)} (one training picture of each class) to {len(labels)} "
            "(all training pictures)."
        )
    order = np.random.default_rng(seed).permutation(len(labels))
    place = np.zeros(len(labels))
    for label, size in enumerate(sizes):
        own = order[class_of[order] == label]
        place[own] = np.arange(size) / size
    rows: IntArray = np.sort(order[np.argsort(place[order], kind="stable")][:n_images])
    return rows
