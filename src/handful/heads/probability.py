"""From scores to probabilities: softmax, its temperature, and the log loss that chooses."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import scipy.special

from handful.core.records import FloatArray, IntArray

TEMPERATURES = (1e-3, 1e3)
"""Range of the temperature, relative to the spread of the scores."""


def softmax(scores: FloatArray, *, temperature: float = 1.0) -> FloatArray:
    """Returns float64 (N, C), rows sum to 1."""
    proba: FloatArray = scipy.special.softmax(scores / temperature, axis=1)
    return proba


def log_loss(scores: FloatArray, labels: IntArray, *, temperature: float = 1.0) -> float:
    """Returns the mean negative natural log of the true class's probability, float64 (N, C) scores before softmax."""
    return float(-scipy.special.log_softmax(scores / temperature, axis=1)[np.arange(len(labels)), labels].mean())


def choose_temperature(scores: FloatArray, labels: IntArray) -> float:
    """Returns the temperature with the least log loss (Guo et al. 2017, section 4.2); scores must be out of sample.

    Args:
        scores: float64 (N, C) of pictures that the scoring model did not see.
        labels: int64 (N,).
    """
    spread = float(np.std(scores - scores.mean(axis=1, keepdims=True))) or 1.0
    low, high = (np.log(bound * spread) for bound in TEMPERATURES)
    found = scipy.optimize.minimize_scalar(
        lambda log_t: log_loss(scores, labels, temperature=float(np.exp(log_t))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))
