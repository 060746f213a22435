import re

import numpy as np
import pytest

from handful.core.progress import Silent
from handful.heads.kernel import fit_kernel
from handful.split import folds
from handful.transfer.growth import N_REPEATS, refit, why_not


def clouds(n_images, *, apart, seed=0, n_features=20):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_images) % 3
    centres = apart * rng.normal(size=(3, n_features))
    return (centres[labels] + rng.normal(size=(n_images, n_features))).astype(np.float32), labels


def test_more_pictures_make_fewer_mistakes_and_every_picture_is_judged_at_every_size():
    features, labels = clouds(300, apart=0.45)
    sizes, wrong = refit(features, labels, n_classes=3, units=np.arange(300), seed=0, progress=Silent())
    assert sizes.tolist() == [30, 60, 120, 180, 240]
    assert set(np.unique(wrong * N_REPEATS)) <= set(range(N_REPEATS + 1))
    assert wrong[0].mean() > wrong[4].mean() + 0.02


def test_the_largest_refit_is_the_kernel_head_at_the_same_settings():
    features, labels = clouds(120, apart=0.5)
    _, wrong = refit(features, labels, n_classes=3, units=np.arange(120), seed=5, progress=Silent())
    distances = np.square(features[:, None].astype(float) - features).sum(axis=2)
    kernel = np.exp(-2.0 * distances / np.median(distances))
    expected = np.zeros(120)
    for repeat in range(N_REPEATS):
        fold_of = folds(labels, np.arange(120), n_folds=5, seed=5 + repeat)
        for fold in range(5):
            apart, others = fold_of == fold, fold_of != fold
            weight = np.linalg.solve(
                kernel[np.ix_(others, others)] + 0.1 * np.eye(96), np.eye(3)[labels[others]] - 1 / 3
            )
            expected[apart] += (kernel[np.ix_(apart, others)] @ weight).argmax(axis=1) != labels[apart]
    np.testing.assert_array_equal(wrong[-1] * N_REPEATS, expected)
    held_out = fit_kernel(features, labels, n_classes=3, units=np.arange(120)).held_out_proba.argmax(axis=1)
    assert wrong[-1].mean() == pytest.approx(np.mean(held_out != labels), abs=0.06)


def test_copies_do_not_judge_each_other():
    features, labels = clouds(60, apart=0.0)
    copies, own = np.repeat(features, 2, axis=0), np.repeat(np.arange(60), 2)
    _, apart = refit(copies, labels[own], n_classes=3, units=own, seed=0, progress=Silent())
    _, mixed = refit(copies, labels[own], n_classes=3, units=np.arange(120), seed=0, progress=Silent())
    # By chance two of three are wrong; four standard errors of 60 pictures are 0.24.
    assert apart[-1].mean() > 0.67 - 0.24
    assert mixed[-1].mean() < apart[-1].mean() - 0.2


def test_fewer_units_than_folds_are_enough():
    features, labels = clouds(30, apart=2.0)
    sizes, wrong = refit(features, labels, n_classes=3, units=np.arange(30) // 15, seed=0, progress=Silent())
    assert sizes[-1] == 15
    assert np.isfinite(wrong).all()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((9, 40), "10 training pictures of every class, and the smallest class has 9"),
        ((3000, 3000), r"6,000 training pictures \(more than 5,000\)"),
    ],
)
def test_sets_that_would_not_show_it_say_why(counts, message):
    assert re.search(message, why_not(np.repeat([0, 1], counts), 2))


def test_ten_of_each_class_are_enough():
    assert why_not(np.repeat([0, 1], 10), 2) == ""
