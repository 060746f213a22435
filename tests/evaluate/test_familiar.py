from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from handful.evaluate import are_unlike, as_far, distances, get_familiar


def pictures(n_images, *, seed, about=0.0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n_images, 12)) + about + np.r_[3.0, np.zeros(11)]).astype(np.float32)


def test_distances_are_scikit_learns():
    train, new = pictures(200, seed=0), pictures(50, seed=1)
    familiar = get_familiar(train, np.arange(200), seed=0)
    nearest = NearestNeighbors(n_neighbors=2, metric="cosine").fit(train)
    np.testing.assert_allclose(distances(new, familiar), nearest.kneighbors(new, 1)[0][:, 0], atol=1e-6)
    np.testing.assert_allclose(familiar.distances, np.sort(nearest.kneighbors(train)[0][:, 1]), atol=1e-6)


def test_a_copy_does_not_make_its_picture_look_familiar():
    train = np.repeat(pictures(100, seed=0), 2, axis=0)
    apart = get_familiar(train, np.repeat(np.arange(100), 2), seed=0)
    assert get_familiar(train, np.arange(200), seed=0).distances.max() == pytest.approx(0.0, abs=1e-6)
    assert apart.distances.min() > 1e-4


def test_one_in_a_hundred_like_pictures_is_called_unlike():
    shares = []
    for seed in range(60):
        familiar = get_familiar(pictures(400, seed=2 * seed), np.arange(400), seed=0)
        shares.append(are_unlike(distances(pictures(300, seed=2 * seed + 1), familiar), familiar).mean())
    # At most 1 %, and not far below; with leave-one-out distances the guarantee is up to one picture more or less.
    assert 0.004 < np.mean(shares) < 0.013


def test_other_pictures_are_called_unlike():
    familiar = get_familiar(pictures(400, seed=0), np.arange(400), seed=0)
    assert are_unlike(distances(-pictures(300, seed=1), familiar), familiar).mean() > 0.95


def test_with_few_pictures_only_what_is_further_than_all_is_unlike():
    familiar = get_familiar(pictures(20, seed=0), np.arange(20), seed=0)
    furthest = familiar.distances[-1]
    assert are_unlike(np.array([furthest, furthest + 0.01]), familiar).tolist() == [False, True]
    np.testing.assert_allclose(as_far(np.array([furthest, 0.0]), familiar), [2 / 21, 1.0])
    three = replace(familiar, distances=np.array([0.1, 0.2, 0.3]))
    assert are_unlike(np.array([0.25, 0.3, 0.31]), three).tolist() == [False, False, True]


def test_many_pictures_are_thinned_and_one_unit_is_nothing_to_compare_with():
    assert len(get_familiar(pictures(1500, seed=0), np.arange(1500), seed=0).references) == 1000
    assert get_familiar(pictures(8, seed=0), np.zeros(8, np.int64), seed=0) is None
