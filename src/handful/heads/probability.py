"""From scores to probabilities: softmax, its temperature, and the log loss that chooses."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import scipy.special

from handful.core.records import FloatArray, IntArray

TEMPERATURES = (1e-3, 1e3)
"""Range of the temperature, relative to the spread of the scores."""

NO_SPREAD = 1e-9
"""Scores that differ by less are all alike: rounding noise, which no temperature should make into an answer."""


def softmax(scores: FloatArray, *, temperature: float = 1.0) -> FloatArray:
    """Returns float64 (N, C), rows sum to 1."""
    proba: FloatArray = scipy.special.softmax(scores / temperature, axis=1)
    return proba


def balanced_weights(labels: IntArray, n_classes: int) -> FloatArray:
    """Returns float64 (N,), mean 1: how much each row counts so that every class that is there counts alike.

    Args:
        labels: int64 (N,), in 0..C-1.
        n_classes: C.
    """
    counts = np.bincount(labels, minlength=n_classes)
    weights: FloatArray = len(labels) / (np.count_nonzero(counts) * counts[labels].astype(np.float64))
    return weights


def choose_temperature(scores: FloatArray, labels: IntArray, weights: FloatArray | None = None) -> tuple[float, float]:
    """Returns the temperature with the least log loss (Guo et al. 2017, section 4.2), and that loss.

    The targets are smoothed as Platt (1999, section 2.2) does: each other class gets 1 / (N + C), so that a few
    pictures, all of them right, do not make the model certain of everything.

    Args:
        scores: float64 (N, C) of pictures that the scoring model did not see.
        labels: int64 (N,).
        weights: float64 (N,), mean 1: how much each row counts; all alike where None.
    """
    n_rows, n_classes = scores.shape
    counts = np.ones(n_rows) if weights is None else weights
    gaps = scores - scores.max(axis=1, keepdims=True)
    smoothed = gaps.sum(axis=1) + n_rows * gaps[np.arange(n_rows), labels]
    wanted = float(counts @ smoothed) / (n_rows + n_classes)
    spread = float(np.std(scores - scores.mean(axis=1, keepdims=True)))

    def loss(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        totals = np.exp(gaps * sharpness).sum(axis=1)
        return float((counts @ np.log(totals) - wanted * sharpness) / n_rows)

    if spread < NO_SPREAD:
        return 1.0, loss(0.0)
    bounds = tuple(np.log(bound * spread) for bound in TEMPERATURES)
    found = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x)), float(found.fun)
