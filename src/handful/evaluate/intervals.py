"""How far a share that was counted on a few pictures may be from the true one."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import scipy.special

from handful.core.records import FloatArray, IntArray


def wilson_interval(n_right: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Returns the score interval of a proportion (Wilson 1927), low end first.

    Unlike `p +- z sqrt(p (1 - p) / n)` it stays inside [0, 1], and it does not shrink to a point when every answer,
    or none, was right: 8 right out of 8 give 0.68 to 1.

    Args:
        n_right: successes, 0..n.
        n: trials; with none at all nothing is known, and the interval is (0, 1).
        level: probability that such an interval covers the true share, between 0 and 1.

    Raises:
        ValueError: `n_right` is not in 0..n, or `level` not between 0 and 1.

    Example:
        >>> low, high = wilson_interval(8, 8)
        >>> round(low, 3), high
        (0.676, 1.0)
    """
    if not 0 <= n_right <= n:
        raise ValueError(f"n_right is {n_right} and n is {n}; expected 0 <= n_right <= n")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; expected a probability between 0 and 1, such as 0.95")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    p = n_right / n
    centre = p + z**2 / (2 * n)
    half = z * math.sqrt(p * (1.0 - p) / n + z**2 / (4 * n**2))
    scale = 1.0 + z**2 / n
    # The ends are exact where rounding would leave 1e-17 or 0.9999999999999999.
    low = 0.0 if n_right == 0 else (centre - half) / scale
    high = 1.0 if n_right == n else (centre + half) / scale
    return low, high


def upper_bounds(n_wrong: IntArray, n: IntArray, *, level: float) -> FloatArray:
    """Returns the exact one-sided upper bounds of some proportions (Clopper and Pearson 1934).

    Args:
        n_wrong: int64 (T,), successes, 0..n.
        n: int64 (T,), trials, at least 1.
        level: probability that such a bound is not below the true share.

    Example:
        >>> round(float(upper_bounds(np.array([0]), np.array([45]), level=0.9)[0]), 4)
        0.0499
    """
    missing = np.maximum(n - n_wrong, 1)
    bounds: FloatArray = np.where(n_wrong < n, scipy.special.betaincinv(n_wrong + 1.0, missing, level), 1.0)
    return bounds
