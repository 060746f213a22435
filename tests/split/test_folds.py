import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.split import can_be_judged, folds


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


def test_the_only_unit_of_a_class_cannot_be_judged():
    labels = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    units = np.array([0, 0, 1, 1, 2, 3, 4, 5])
    assert can_be_judged(labels, units).tolist() == [False, False, True, True, True, False, True, True]


def test_of_no_rows_none_can_be_judged():
    none = np.zeros(0, dtype=np.int64)
    assert can_be_judged(none, none).shape == (0,)
