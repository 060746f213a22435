import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from handful.evaluate import upper_bounds, wilson_interval

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_it_is_scipys_wilson_interval(counts, level):
    n_right, n = counts
    expected = scipy.stats.binomtest(n_right, n).proportion_ci(confidence_level=level, method="wilson")
    # SciPy computes the same closed form in another order: a few roundings of doubles apart.
    assert wilson_interval(n_right, n, level=level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_its_ends_solve_the_score_equation():
    # Wilson (1927): the ends are the p for which |observed - p| is z standard errors, with the error taken at p itself.
    z = scipy.stats.norm.ppf(0.975)
    for end in wilson_interval(114, 125):
        assert abs(114 / 125 - end) == pytest.approx(z * (end * (1 - end) / 125) ** 0.5, rel=1e-12)


def test_a_published_example():
    # Newcombe (1998), table I, method 3: 81 of 263 give 0.2553 to 0.3662.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(COUNTS)
def test_it_holds_the_share_and_stays_between_0_and_1(counts):
    n_right, n = counts
    low, high = wilson_interval(n_right, n)
    assert 0.0 <= low <= n_right / n <= high <= 1.0
    assert low < high


@given(COUNTS)
def test_right_and_wrong_are_mirror_images(counts):
    n_right, n = counts
    low, high = wilson_interval(n_right, n)
    assert wilson_interval(n - n_right, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_four_times_the_pictures_halve_the_width():
    def width(n):
        low, high = wilson_interval(9 * n, 10 * n)
        return high - low

    assert width(4000) / width(1000) == pytest.approx(0.5, abs=1e-3)


def test_no_pictures_say_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("n_right", "n"), [(3, 2), (-1, 5)])
def test_impossible_counts_are_refused(n_right, n):
    with pytest.raises(ValueError, match="0 <= n_right <= n"):
        wilson_interval(n_right, n)


def test_a_level_in_percent_is_refused():
    with pytest.raises(ValueError, match="level is 95; expected a probability"):
        wilson_interval(1, 2, level=95)


@given(COUNTS, st.sampled_from([0.9, 0.95]))
def test_upper_bounds_are_scipys_exact_ones(counts, level):
    n_wrong, n = counts
    expected = scipy.stats.binomtest(n_wrong, n, alternative="less").proportion_ci(confidence_level=level)
    assert upper_bounds(np.array([n_wrong]), np.array([n]), level=level)[0] == pytest.approx(expected.high, abs=1e-9)
