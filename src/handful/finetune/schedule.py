"""The learning rate of every update."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "paper", "cosine", "one-cycle"]

WARM_SHARE = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4
"""One-cycle's shape: 30 % of the updates from base / 25 up to base, the others down to a 1e4th of the start.

The values of torch.optim.lr_scheduler.OneCycleLR, after Smith & Topin 2018 (arXiv:1708.07120).
"""


def rate(step: float, *, base: float, schedule: Schedule, tau: int, alpha: float, n_steps: int) -> float:
    """Returns the base learning rate of one update, before the layers' factors.

    Args:
        step: t, the number of the update, from 1 to `n_steps`; between two where time drives it.
        base: eta_0, the highest rate of every schedule.
        schedule: "paper" is equation (2): eta_0 * (tau / max(t, tau)) ** alpha. "cosine" falls from the base to
            almost zero over half a wave; "one-cycle" rises first.
        tau: updates at the base rate, in equation (2).
        alpha: the exponent; 1 in the paper, 0 is a constant rate.
        n_steps: updates in the whole training, if nothing stops it early.

    Example:
        >>> rate(400, base=0.1, schedule="paper", tau=100, alpha=1.0, n_steps=1000)
        0.025
    """
    match schedule:
        case "constant":
            return base
        case "paper":
            return float(base * (tau / max(step, tau)) ** alpha)
        case "cosine":
            return _half_wave(base, 0.0, (step - 1) / n_steps)
        case "one-cycle":
            start = base / START_DIVISOR
            turn = WARM_SHARE * n_steps - 1.0
            done = step - 1.0
            if done <= turn:
                return _half_wave(start, base, done / turn)
            return _half_wave(base, start / END_DIVISOR, (done - turn) / (n_steps - 1.0 - turn))


def _half_wave(first: float, last: float, share: float) -> float:
    """Returns a value on the way from first to last along half a cosine; share 0 is the first, 1 the last."""
    return last + (first - last) / 2.0 * (1.0 + math.cos(math.pi * share))
