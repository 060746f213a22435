"""A quick output layer, refitted on growing parts of the training pictures."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from handful.core.progress import Progress
from handful.core.records import FeatureArray, FloatArray, IntArray
from handful.heads.kernel import squared_distances
from handful.split import folds, subset

SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Shares of the pictures that are not set apart."""

N_FOLDS, N_REPEATS = 5, 2
"""One part of five is set apart, each part once, twice over."""

SHARPNESS, PENALTY = 2.0, 0.1
"""Of the kernel: the middle of what `heads.kernel` tries, so that nothing has to be chosen in any refit."""

FEWEST_OF_A_CLASS = 10
"""Training pictures: with fewer, an eighth of them leaves classes with one picture or none."""

MOST_PICTURES = 5000
"""Training pictures: the refits on more take minutes, and forecasts matter where pictures are few."""


def why_not(labels: IntArray, n_classes: int) -> str:
    """Returns why subsets of these pictures would not show how accuracy grows, as a sentence; "" where they would."""
    fewest = int(np.bincount(labels, minlength=n_classes).min())
    if fewest < FEWEST_OF_A_CLASS:
        return (
            f"What more pictures would bring is not forecast: that takes {FEWEST_OF_A_CLASS} training pictures of "
            f"every class, and the smallest class has {fewest}."
        )
    if len(labels) > MOST_PICTURES:
        return (
            f"What more pictures would bring is not forecast: with {len(labels):,} training pictures (more than "
            f"{MOST_PICTURES:,}) it would take minutes. Ask with --images {MOST_PICTURES} to see the curve."
        )
    return ""


def refit(
    features: FeatureArray, labels: IntArray, *, n_classes: int, units: IntArray, seed: int, progress: Progress
) -> tuple[IntArray, FloatArray]:
    """Returns how many pictures were learnt from, int64 (S,), and how often each picture was mistaken, float64 (S, N).

    Kernel ridge regression with settings that stay as they are: one Cholesky factor for a refit, from one matrix of
    distances. Every size is judged on the same pictures, and holds the smaller ones.

    Args:
        features: float32 (N, D).
        labels: int64 (N,), in 0..C-1.
        n_classes: C.
        units: int64 (N,): rows with equal numbers are set apart together.
        seed: decides the folds and the subsets.
        progress: told about the repetitions.
    """
    kernel = squared_distances(features, features).astype(np.float32)
    unit_length = float(np.median(kernel)) or 1.0
    np.exp(kernel * (-SHARPNESS / unit_length), out=kernel)
    targets = (np.eye(n_classes) - 1.0 / n_classes)[labels].astype(np.float32)
    sizes = np.zeros(len(SHARES), dtype=np.int64)
    n_wrong = np.zeros((len(SHARES), len(labels)))
    n_folds = min(N_FOLDS, len(np.unique(units)))
    with progress.stage("Learning from fewer pictures", N_REPEATS * n_folds) as advance:
        for repeat in range(N_REPEATS):
            fold_of = folds(labels, units, n_folds=n_folds, seed=seed + repeat)
            for fold in range(n_folds):
                apart, others = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
                for index, share in enumerate(SHARES):
                    n_images = max(round(share * len(others)), len(np.unique(labels[others])))
                    rows = others[subset(labels[others], n_images=n_images, seed=seed + repeat)]
                    scores = kernel[np.ix_(apart, rows)] @ _dual(kernel[np.ix_(rows, rows)], targets[rows])
                    n_wrong[index, apart] += scores.argmax(axis=1) != labels[apart]
                    sizes[index] += n_images
                advance(1)
    return sizes // (N_REPEATS * n_folds), n_wrong / N_REPEATS


def _dual(kernel: FeatureArray, targets: FeatureArray) -> FeatureArray:
    kernel[np.diag_indices_from(kernel)] += PENALTY
    factor = scipy.linalg.cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
    weight: FeatureArray = scipy.linalg.cho_solve(factor, targets, check_finite=False)
    return weight
