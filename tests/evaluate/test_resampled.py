import math

import numpy as np
import pytest
import scipy.stats

from handful.evaluate import corrected_interval


def test_without_correction_it_is_students_interval():
    values = np.random.default_rng(0).normal(0.8, 0.05, 15)
    expected = scipy.stats.t.interval(0.95, 14, loc=values.mean(), scale=scipy.stats.sem(values))
    np.testing.assert_allclose(corrected_interval(values, ratio=0.0), expected, rtol=1e-9)


@pytest.mark.parametrize(("n_folds", "n_repeats", "level"), [(5, 3, 0.95), (10, 10, 0.9), (2, 1, 0.95)])
def test_the_variance_is_that_of_nadeau_and_bengio(n_folds, n_repeats, level):
    n_figures = n_folds * n_repeats
    values = np.random.default_rng(1).normal(size=n_figures)
    ratio = 1.0 / (n_folds - 1)
    low, high = corrected_interval(values, ratio=ratio, level=level)
    error = math.sqrt((1.0 / n_figures + ratio) * values.var(ddof=1))
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(scipy.stats.t.ppf(0.5 + level / 2, n_figures - 1) * error)


def test_repeating_the_same_folds_does_not_make_it_shrink_to_nothing():
    values = np.random.default_rng(2).normal(0.8, 0.05, 5)
    few = corrected_interval(np.tile(values, 2), ratio=0.25)
    many = corrected_interval(np.tile(values, 200), ratio=0.25)
    assert many[1] - many[0] > 0.6 * (few[1] - few[0])
