import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.split import folds


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_single_rows_spread_evenly(seed, n_folds):
    labels = np.random.default_rng(seed).integers(0, 4, 100)
    fold_of = folds(labels, np.arange(100), n_folds=n_folds, seed=seed)
    for label in range(4):
        counts = np.bincount(fold_of[labels == label], minlength=n_folds)
        assert counts.max() - counts.min() <= 1


def test_units_share_a_fold():
    rng = np.random.default_rng(0)
    units = rng.integers(0, 20, 100)
    fold_of = folds(rng.integers(0, 3, 100), units, n_folds=5, seed=1)
    for unit in range(20):
        assert len(set(fold_of[units == unit])) == 1


def test_the_seed_decides():
    labels, units = np.zeros(50, dtype=int), np.arange(50)
    assert (folds(labels, units, n_folds=5, seed=1) == folds(labels, units, n_folds=5, seed=1)).all()
    assert (folds(labels, units, n_folds=5, seed=1) != folds(labels, units, n_folds=5, seed=2)).any()
