"""What held-out scores say about an output layer, by the rows that can be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handful.core.records import FloatArray, IntArray
from handful.heads.probability import choose_temperature
from handful.split import can_be_judged


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges scores of rows by models that did not see them.

    Attributes:
        labels: int64 (N,).
        rows: bool (N,), those that are judged by, one at least. The only unit of its class teaches a model all that it
            knows of that class, so that the model without it is wrong there, whatever it is like.
        weights: float64 (N,), mean 1: how much each row counts; all alike where None.
    """

    labels: IntArray
    rows: npt.NDArray[np.bool_]
    weights: FloatArray | None

    @classmethod
    def of(cls, labels: IntArray, units: IntArray, weights: FloatArray | None) -> Judge:
        """Returns what judges rows of which those with equal `units`, int64 (N,), are held out together."""
        return cls(labels, can_be_judged(labels, units), weights)

    def choose_temperature(self, scores: FloatArray) -> tuple[float, float]:
        """Returns the temperature with the least log loss, and that loss, for scores float64 (N, C)."""
        weights = self.weights
        if weights is not None and not self.rows.all():
            weights = weights[self.rows] / weights[self.rows].mean()
        return choose_temperature(scores[self.rows], self.labels[self.rows], weights)

    def accuracy(self, scores: FloatArray) -> float:
        """Returns the share of rows whose highest score is that of their class."""
        return float(np.mean(scores[self.rows].argmax(axis=1) == self.labels[self.rows]))
