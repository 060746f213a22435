import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from handful.heads.ridge import fit_ridge, held_out_scores
from handful.heads.spectrum import decompose


def problem(n_rows=40, n_features=12, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(n_classes), rng.integers(0, n_classes, n_rows - n_classes)]
    centres = rng.normal(size=(n_classes, n_features))
    return (centres[labels] + rng.normal(size=(n_rows, n_features))).astype(np.float32), labels


@pytest.mark.parametrize("shape", [(40, 12), (20, 60)])
def test_weights_are_those_of_scikit_learn(shape):
    features, labels = problem(*shape)
    spectrum = decompose(features)
    head = fit_ridge(spectrum, labels, n_classes=3, units=np.arange(len(labels)))
    reference = Ridge(alpha=head.penalty).fit(features.astype(float), np.eye(3)[labels])
    np.testing.assert_allclose(head.layer.weight, reference.coef_.T, atol=1e-8)
    np.testing.assert_allclose(head.layer.bias, reference.intercept_, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 3]), st.floats(0.01, 100.0))
def test_held_out_scores_equal_a_fit_without_the_unit(seed, size, penalty):
    features, labels = problem(n_rows=24, seed=seed)
    units = np.random.default_rng(seed).permutation(np.repeat(np.arange(24 // size), size))
    spectrum = decompose(features)
    targets = np.eye(3)[labels]
    centred = targets - targets.mean(axis=0)
    blocks = [np.stack([np.flatnonzero(units == unit) for unit in range(24 // size)])]
    shrink = spectrum.values**2 / (spectrum.values**2 + penalty)
    ones = np.ones((24, 1))
    scores = held_out_scores(spectrum.left, shrink, spectrum.left.T @ centred, centred, blocks=blocks, roots=ones)
    for unit in range(24 // size):
        kept = units != unit
        refit = Ridge(alpha=penalty).fit(features[kept].astype(float), targets[kept])
        expected = refit.predict(features[~kept].astype(float))
        np.testing.assert_allclose(scores[~kept] + targets.mean(axis=0), expected, atol=1e-7)


def test_copies_held_out_one_by_one_look_better_than_they_are():
    features, _ = problem(n_rows=30, n_features=50)
    labels = np.random.default_rng(3).integers(0, 2, 30)
    twice, both = np.repeat(features, 2, axis=0), np.repeat(labels, 2)
    spectrum = decompose(twice)
    together = fit_ridge(spectrum, both, n_classes=2, units=np.repeat(np.arange(30), 2))
    apart = fit_ridge(spectrum, both, n_classes=2, units=np.arange(60))
    assert np.mean(apart.held_out_proba.argmax(axis=1) == both) > 0.9
    assert np.mean(together.held_out_proba.argmax(axis=1) == both) < 0.8


def test_three_pictures_are_fitted_without_a_warning():
    head = fit_ridge(
        decompose(np.array([[0.0, 1.0], [1.0, 0.0], [0.9, 0.0]], dtype=np.float32)),
        np.array([0, 1, 1]),
        n_classes=2,
        units=np.arange(3),
    )
    assert np.isfinite(head.layer.weight).all()
    assert 0.0 < head.layer.temperature < np.inf


def test_held_out_probabilities_sum_to_one():
    features, labels = problem()
    head = fit_ridge(decompose(features), labels, n_classes=3, units=np.arange(len(labels)))
    np.testing.assert_allclose(head.held_out_proba.sum(axis=1), 1.0)


def test_penalties_go_with_the_size_of_the_features():
    features, labels = problem()
    small, large = (
        fit_ridge(decompose(features * scale), labels, n_classes=3, units=np.arange(40)) for scale in (1.0, 16.0)
    )
    assert large.penalty == pytest.approx(256.0 * small.penalty)
    np.testing.assert_allclose(large.held_out_proba, small.held_out_proba, atol=1e-9)


def test_held_out_probabilities_are_those_of_fits_without_the_row_whatever_the_size_of_the_classes():
    features, labels = problem(n_rows=30)
    labels = np.where(np.arange(30) % 3 > 0, 0, labels)
    head = fit_ridge(decompose(features), labels, n_classes=3, units=np.arange(30))
    for row in range(30):
        kept = np.arange(30) != row
        refit = Ridge(alpha=head.penalty).fit(features[kept].astype(float), np.eye(3)[labels[kept]])
        expected = np.exp(refit.predict(features[~kept].astype(float)) / head.layer.temperature)
        np.testing.assert_allclose(head.held_out_proba[~kept], expected / expected.sum(), atol=1e-6)
