"""Fewer training pictures: nested, stratified, checked."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from handful.core.config import SplitConfig
from handful.core.errors import ConfigError
from handful.split import split, subset
from handful.testing.tables import table_of

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


@pytest.mark.parametrize("seed", range(5))
def test_every_class_gives_its_share(seed):
    rows = subset(LABELS, n_images=50, seed=seed)
    assert np.bincount(LABELS[rows]).tolist() == [30, 15, 5]


def test_smaller_subsets_are_parts_of_larger_ones_and_seeds_differ():
    sizes = [subset(LABELS, n_images=n, seed=1).tolist() for n in (3, 10, 37, 100)]
    for small, large in pairwise(sizes):
        assert set(small) < set(large)
    assert sizes[1] != subset(LABELS, n_images=10, seed=2).tolist()


def test_the_smallest_subset_has_one_of_each_class_and_rows_ascend():
    rows = subset(LABELS, n_images=3, seed=4)
    assert LABELS[rows].tolist() == [0, 1, 2]


@pytest.mark.parametrize("n_images", [2, 101])
def test_too_few_or_too_many_are_refused(n_images):
    with pytest.raises(ConfigError, match=f"images is {n_images}; expected from 3 .* to 100"):
        subset(LABELS, n_images=n_images, seed=0)


def test_a_split_leaves_out_what_is_not_learnt_from_and_says_so(tmp_path):
    table = table_of([index % 2 for index in range(60)], tmp_path)
    whole = split(table, SplitConfig(), seed=3)
    fewer = split(table, SplitConfig(images=20), seed=3)
    assert fewer.test.tolist() == whole.test.tolist()
    assert len(fewer.train) == 20
    assert set(fewer.train) < set(whole.train)
    assert fewer.notes[-1] == "learnt from 20 of 50 training pictures, drawn with seed 3"
