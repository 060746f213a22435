"""Means over draws: their standard errors, and parts that are changed alone against the whole on the same draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handful.core.records import FloatArray

WHOLE = "whole"
"""The name of what all parts are compared with."""


def standard_error(values: Sequence[float] | FloatArray) -> float:
    """Returns that of the mean of some values, two or more."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def compared(found: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Returns each part's mean figure, and its difference to the whole's with the standard error over draws.

    Args:
        found: a figure for each draw, by the name of the part; the whole's among them. Accuracies are shares.
    """
    whole = np.array(found[WHOLE])
    return {
        part: {
            "mean": float(np.mean(values)),
            "difference": float(np.mean(values - whole)),
            "standard_error": standard_error(values - whole) if len(whole) > 1 else None,
        }
        for part, values in found.items()
    }
