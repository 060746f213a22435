"""Several new layers applied to features, in float64 and without PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.special

from handful.core.records import FeatureArray, FloatArray, Nonlinearity, StackedHead

NEURONS: dict[Nonlinearity, Callable[[FloatArray], FloatArray]] = {
    "rectifier": lambda values: np.maximum(values, 0.0),
    "sigmoid": scipy.special.expit,
    "tanh": np.tanh,
    "hard-tanh": lambda values: np.clip(values, -1.0, 1.0),
}


def stacked_scores(head: StackedHead, features: FeatureArray | FloatArray) -> FloatArray:
    """Returns float64 (N, C): the scores before temperature and softmax.

    Args:
        head: the layers.
        features: float32 or float64 (N, D), one row per example.
    """
    values: FloatArray = features.astype(np.float64)
    for weight, bias in head.layers[:-1]:
        values = NEURONS[head.nonlinearity](values @ weight + bias)
    weight, bias = head.layers[-1]
    scores: FloatArray = values @ weight + bias
    return scores
