"""Whether a model that says 80 % is right in 80 % of the cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handful.core.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Pictures answered with similar confidence.

    Attributes:
        n: number of pictures.
        confidence: mean probability of the answers.
        accuracy: share of right answers.
    """

    n: int
    confidence: float
    accuracy: float


def calibration_bins(proba: FloatArray, labels: IntArray, *, n_bins: int = 10) -> tuple[CalibrationBin, ...]:
    """Returns the pictures in bins of equal count (to within one), from the least to the most confident answers.

    Equal counts instead of equal widths (Nguyen and O'Connor 2015): with a handful of pictures most bins of
    equal width hold one picture or none. Answers of equal confidence share their hits evenly, so that the figures
    do not depend on the order of the pictures.

    Args:
        proba: float64 (N, C), rows sum to 1.
        labels: int64 (N,), in 0..C-1.
        n_bins: bins; fewer than this come back where there are fewer pictures.
    """
    confidence = proba.max(axis=1)
    right = (proba.argmax(axis=1) == labels).astype(np.float64)
    levels, level_of, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    shared = (np.bincount(level_of, weights=right, minlength=len(levels)) / counts)[level_of]
    order = np.argsort(confidence, kind="stable")
    return tuple(
        CalibrationBin(n=len(rows), confidence=float(confidence[rows].mean()), accuracy=float(shared[rows].mean()))
        for rows in np.array_split(order, n_bins)
        if len(rows)
    )


def calibration_error(bins: tuple[CalibrationBin, ...]) -> float:
    """Returns the expected calibration error: the mean over pictures of |accuracy - confidence| of their bin.

    Naeini et al. (2015); 0 is perfect. With few pictures it is above 0 for a perfect model too, because the
    accuracy of a small bin scatters.
    """
    n_images = sum(each.n for each in bins)
    return sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / n_images
