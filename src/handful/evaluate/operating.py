"""Two classes: what every threshold finds and costs, and a threshold that misses few pictures of one class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handful.core.records import FloatArray, IntArray
from handful.core.trust import MissRule
from handful.evaluate.intervals import upper_bounds
from handful.evaluate.reject import MARGIN


@dataclass(frozen=True, slots=True)
class OperatingCurve:
    """What calling every picture from a threshold on gives, from the highest threshold to the lowest.

    Attributes:
        thresholds: float64 (T,), descending.
        found: float64 (T,), share of the class's pictures that are called (recall).
        alarmed: float64 (T,), share of the other pictures that are called (false alarms).
        precision: float64 (T,), share of the called pictures that are of the class.
    """

    thresholds: FloatArray
    found: FloatArray
    alarmed: FloatArray
    precision: FloatArray

    @property
    def area(self) -> float:
        """Area below found against alarmed (ROC): how often a picture of the class scores above another."""
        found, alarmed = np.r_[0.0, self.found], np.r_[0.0, self.alarmed]
        return float(np.sum(np.diff(alarmed) * (found[1:] + found[:-1]) / 2.0))

    @property
    def average_precision(self) -> float:
        """Precision averaged over the steps in which the class's pictures are found."""
        return float(np.sum(np.diff(self.found, prepend=0.0) * self.precision))


def operating_curve(scores: FloatArray, positive: npt.NDArray[np.bool_]) -> OperatingCurve:
    """Returns what each threshold gives.

    Args:
        scores: float64 (N,), the probability of the class.
        positive: bool (N,), whether a picture is of the class; both kinds must be there.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores[order]) < 0.0, True])
    n_found = np.cumsum(positive[order])[ends]
    n_called = ends + 1.0
    return OperatingCurve(
        thresholds=scores[order][ends],
        found=n_found / positive.sum(),
        alarmed=(n_called - n_found) / (~positive).sum(),
        precision=n_found / n_called,
    )


def choose_threshold(proba: FloatArray, labels: IntArray, *, label: int, limit: float) -> MissRule:
    """Returns the highest threshold that the held-out pictures of a class allow, with a margin.

    As many of the N pictures of the class may lie below it as the exact binomial bound at 90 % allows (a tolerance
    limit; Wilks 1941): the share that is missed among new ones is then at most the limit in 9 of 10 data sets. Where
    the bound is above the limit with none below, the threshold is the lowest of their probabilities.

    Args:
        proba: float64 (N, C), rows sum to 1, of pictures that the model did not see.
        labels: int64 (N,); some are of the class.
        label: the class that must not be missed.
        limit: the share of its pictures that may be missed, in (0, 1).
    """
    own = np.sort(proba[labels == label, label])
    bounds = upper_bounds(np.arange(len(own)), np.full(len(own), len(own)), level=MARGIN)
    n_below = max(int(np.sum(bounds <= limit)) - 1, 0)
    threshold = float(own[n_below])
    return MissRule(label, limit, threshold, len(own), int(np.sum(own < threshold)), float(bounds[n_below]))
