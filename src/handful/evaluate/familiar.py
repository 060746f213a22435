"""Whether a picture looks like anything that was learnt from: its distance to the training pictures, as features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handful.core.records import FeatureArray, FloatArray, IntArray
from handful.core.trust import Familiar

MOST_REFERENCES = 1000
"""Training pictures that others are compared with, at most: 5 MB in a bundle for 1 280 features."""

FALSE_ALARMS = 0.01
"""Share of pictures like the training pictures that may be called unlike them."""


def get_familiar(features: FeatureArray, units: IntArray, *, seed: int) -> Familiar | None:
    """Returns what the training pictures look like; None where all are of one unit.

    Args:
        features: float32 (N, D), one row per training picture.
        units: int64 (N,): pictures with equal numbers are not compared.
        seed: decides which pictures are kept, where there are many.
    """
    rows = reference_rows(len(features), seed=seed)
    references, own = _of_length_one(features[rows]), units[rows]
    if len(np.unique(own)) < 2:
        return None
    alike = references @ references.T
    alike[own[:, None] == own] = -np.inf
    return Familiar(references, np.sort(_distance(alike)))


def reference_rows(n_images: int, *, seed: int) -> IntArray:
    """Returns int64 (M,), ascending: which of N training pictures `get_familiar` keeps."""
    rows: IntArray = np.sort(np.random.default_rng(seed).permutation(n_images)[:MOST_REFERENCES])
    return rows


def distances(features: FeatureArray, familiar: Familiar) -> FloatArray:
    """Returns float64 (N,): 1 - the cosine to the nearest training picture (Sun, Ming, Zhu and Li 2022)."""
    return _distance(_of_length_one(features) @ familiar.references.T)


def as_far(found: FloatArray, familiar: Familiar) -> FloatArray:
    """Returns float64 (N,), in (0, 1]: the share of training pictures that are at least as far from the others.

    The picture itself is counted in, which makes this a conformal p-value: of pictures like the training pictures, a
    share of at most p has p or less.
    """
    n_farther = len(familiar.distances) - np.searchsorted(familiar.distances, found, side="left")
    return np.asarray((n_farther + 1.0) / (len(familiar.distances) + 1.0), dtype=np.float64)


def are_unlike(found: FloatArray, familiar: Familiar) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): whether a picture is farther off than 99 % of the training pictures, than all where few."""
    least = 1.0 / (len(familiar.distances) + 1.0)
    unlike: npt.NDArray[np.bool_] = as_far(found, familiar) <= max(FALSE_ALARMS, least)
    return unlike


def _distance(alike: FeatureArray) -> FloatArray:
    distance: FloatArray = 1.0 - alike.max(axis=1).astype(np.float64)
    return distance


def _of_length_one(features: FeatureArray) -> FeatureArray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: FeatureArray = features / np.maximum(lengths, np.float32(1e-12))
    return scaled
