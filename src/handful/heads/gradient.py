"""What moves a score: the gradient of an output layer's score with respect to the features, in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.special

from handful.core.records import FeatureArray, FloatArray, Head, IntArray, KernelPart, Nonlinearity, StackedHead
from handful.heads.kernel import squared_distances
from handful.heads.stacked import NEURONS


def _sigmoid_slope(values: FloatArray) -> FloatArray:
    sigmoid: FloatArray = scipy.special.expit(values)
    return sigmoid * (1.0 - sigmoid)


SLOPES: dict[Nonlinearity, Callable[[FloatArray], FloatArray]] = {
    "rectifier": lambda values: (values > 0.0).astype(np.float64),
    "sigmoid": _sigmoid_slope,
    "tanh": lambda values: 1.0 - np.tanh(values) ** 2,
    "hard-tanh": lambda values: (np.abs(values) < 1.0).astype(np.float64),
}
"""The derivatives of `NEURONS`."""


def score_gradient(head: Head | StackedHead, features: FeatureArray | FloatArray, labels: IntArray) -> FloatArray:
    """Returns float64 (N, D): how the score of one class, before the temperature, changes with each feature.

    For a linear layer that is the class's weights, whatever the features are.

    Args:
        head: the output layer.
        features: (N, D), one row per picture.
        labels: int64 (N,), the class of each row whose score it is.
    """
    rows = features.astype(np.float64)
    if isinstance(head, StackedHead):
        return _stacked_gradient(head, rows, labels)
    gradient: FloatArray = head.weight.T[labels]
    return gradient if head.kernel is None else gradient + _kernel_gradient(head.kernel, rows, labels)


def _kernel_gradient(part: KernelPart, rows: FloatArray, labels: IntArray) -> FloatArray:
    """Returns the gradient of sum_j w_j exp(-s |x - c_j|^2), which is -2 s sum_j w_j k_j (x - c_j)."""
    pull = np.exp(-part.sharpness * squared_distances(rows, part.centres)) * part.weight.T[labels]
    gradient: FloatArray = -2.0 * part.sharpness * (pull.sum(axis=1, keepdims=True) * rows - pull @ part.centres)
    return gradient


def _stacked_gradient(head: StackedHead, rows: FloatArray, labels: IntArray) -> FloatArray:
    """Returns the gradient by going back through the layers."""
    below, sums = rows, []
    for weight, bias in head.layers[:-1]:
        sums.append(below @ weight + bias)
        below = NEURONS[head.nonlinearity](sums[-1])
    gradient: FloatArray = head.layers[-1][0].T[labels]
    for (weight, _), values in zip(reversed(head.layers[:-1]), reversed(sums), strict=True):
        gradient = (gradient * SLOPES[head.nonlinearity](values)) @ weight.T
    return gradient
