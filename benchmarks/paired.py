"""Figures of parts that are changed alone, against the whole, on the same draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

WHOLE = "whole"
"""The name of what all parts are compared with."""


Parts = Mapping[str, Mapping[str, Any]]
"""The options that are changed of the whole's, by the name of the part."""


def changes(part: str, parts: Parts) -> dict[str, Any]:
    """Returns the options that differ from the whole's: of one part, or of several that are joined by +."""
    return {} if part == WHOLE else {name: value for each in part.split("+") for name, value in parts[each].items()}


def paired(found: Mapping[str, Sequence[float]], parts: Parts) -> dict[str, dict[str, Any]]:
    """Returns what each part changes, its accuracy, and its difference to the whole with a standard error over draws.

    Args:
        found: accuracies in [0, 1], by the name of the part, a draw each; the whole's among them.
        parts: what they change.
    """
    whole = np.array(found[WHOLE])
    return {
        part: {
            "changes": changes(part, parts),
            "accuracy": float(np.mean(values)),
            "difference": float(np.mean(values - whole)),
            "standard_error": float(np.std(values - whole, ddof=1) / np.sqrt(len(whole))) if len(whole) > 1 else None,
        }
        for part, values in found.items()
    }
