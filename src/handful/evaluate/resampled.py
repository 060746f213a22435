"""How sure an average over folds is, although the folds share most of what was learnt from."""

from __future__ import annotations

import math

import numpy as np
import scipy.special

from handful.core.records import FloatArray


def corrected_interval(values: FloatArray, *, ratio: float, level: float = 0.95) -> tuple[float, float]:
    """Returns the interval of the mean of figures from resampled train and test parts, low end first.

    The corrected resampled t (Nadeau and Bengio 2003, section 3): with J figures of variance s^2, the variance of their
    mean is taken as (1 / J + n_test / n_train) s^2, with J - 1 degrees of freedom. Without the second term it would be
    that of J independent trials; but any two folds share training pictures, so that it would shrink to nothing as folds
    are repeated, and differences would be found where there are none.

    Args:
        values: float64 (J,), one figure per fold, J at least 2; of K folds R times over, J = K R.
        ratio: n_test / n_train of a fold.
        level: probability that such an interval covers the true value, between 0 and 1.

    Example:
        >>> low, high = corrected_interval(np.array([0.8, 0.9, 0.85, 0.85, 0.8]), ratio=0.25)
        >>> round(low, 3), round(high, 3)
        (0.762, 0.918)
    """
    n_figures = len(values)
    quantile = float(scipy.special.stdtrit(n_figures - 1, 0.5 + level / 2.0))
    reach = quantile * math.sqrt((1.0 / n_figures + ratio) * float(np.var(values, ddof=1)))
    mean = float(np.mean(values))
    return mean - reach, mean + reach
