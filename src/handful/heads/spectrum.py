"""One decomposition of the features, shared by every head that is fitted on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handful.core.records import FeatureArray, FloatArray

NEGLIGIBLE = 1e-10
"""Directions with less than this share of the largest eigenvalue are noise of the arithmetic and are left out."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The singular value decomposition of centred features, `roots * (X - mean) = left * values @ right.T`, of rank R.

    Attributes:
        mean: float64 (D,), weighted as the rows are.
        left: float64 (N, R), orthonormal columns.
        values: float64 (R,), descending, positive.
        right: float64 (D, R), orthonormal columns.
        roots: float64 (N,), the square roots of the rows' weights, whose mean is 1; ones where all count alike.
    """

    mean: FloatArray
    left: FloatArray
    values: FloatArray
    right: FloatArray
    roots: FloatArray

    @property
    def mean_square(self) -> float:
        """Mean squared length of a centred row, weighted: the natural unit of a penalty."""
        return float(np.sum(self.values**2) / max(len(self.left), 1))


def decompose(features: FeatureArray, weights: FloatArray | None = None) -> Spectrum:
    """Returns the decomposition of features, float (N, D), through the smaller of the two Gram matrices.

    Args:
        features: float (N, D).
        weights: float64 (N,), positive, mean 1: how much each row counts; all alike where None.
    """
    x = features.astype(np.float64)
    if weights is None:
        roots = np.ones(len(x))
        mean = x.mean(axis=0)
        x -= mean
    else:
        roots = np.sqrt(weights)
        mean = weights @ x / weights.sum()
        x = roots[:, None] * (x - mean)
    n_rows, n_columns = x.shape
    gram = x @ x.T if n_rows <= n_columns else x.T @ x
    eigenvalues, vectors = np.linalg.eigh(gram)
    keep = eigenvalues > max(eigenvalues[-1], np.finfo(float).tiny) * NEGLIGIBLE
    values = np.sqrt(eigenvalues[keep][::-1])
    vectors = vectors[:, keep][:, ::-1]
    if n_rows <= n_columns:
        left, right = vectors, x.T @ vectors / values
    else:
        left, right = x @ vectors / values, vectors
    return Spectrum(mean, np.ascontiguousarray(left), values, np.ascontiguousarray(right), roots)
