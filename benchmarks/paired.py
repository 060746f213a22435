"""Figures of parts that are changed alone, against the whole, on the same draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

WHOLE = "whole"
"""The name of what all parts are compared with."""


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
            "standard_error": float(np.std(values - whole, ddof=1) / np.sqrt(len(whole))) if len(whole) > 1 else None,
        }
        for part, values in found.items()
    }
