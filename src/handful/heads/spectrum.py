"""One decomposition of the features, shared by every head that is fitted on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from handful.core.records import FeatureArray, FloatArray

NEGLIGIBLE = 1e-10
"""Directions with less than this share of the largest eigenvalue are noise of the arithmetic and are left out."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The singular value decomposition of centred features, `X - mean = left * values @ right.T`, of rank R.

    Attributes:
        mean: float64 (D,).
        left: float64 (N, R), orthonormal columns.
        values: float64 (R,), descending, positive.
        right: float64 (D, R), orthonormal columns.
    """

    mean: FloatArray
    left: FloatArray
    values: FloatArray
    right: FloatArray

    @property
    def mean_square(self) -> float:
        """Mean squared length of a centred row: the natural unit of a penalty."""
        return float(np.sum(self.values**2) / max(len(self.left), 1))


def decompose(features: FeatureArray) -> Spectrum:
    """Returns the decomposition of features, float (N, D), through the smaller of the two Gram matrices."""
    x = features.astype(np.float64)
    mean = x.mean(axis=0)
    x -= mean
    n_rows, n_columns = x.shape
    gram = x @ x.T if n_rows <= n_columns else x.T @ x
    eigenvalues, vectors = scipy.linalg.eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
    keep = eigenvalues > max(eigenvalues[-1], np.finfo(float).tiny) * NEGLIGIBLE
    values = np.sqrt(eigenvalues[keep][::-1])
    vectors = vectors[:, keep][:, ::-1]
    if n_rows <= n_columns:
        left, right = vectors, x.T @ vectors / values
    else:
        left, right = x @ vectors / values, vectors
    return Spectrum(mean, np.ascontiguousarray(left), values, np.ascontiguousarray(right))
