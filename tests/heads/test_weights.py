"""Rows that count more than others: the fits, what is held out, and the choices, against refits one by one."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.class_weight import compute_sample_weight

from handful.core.machine import limit_threads
from handful.heads import balanced_weights, choose_temperature, fit_head, fit_heads, pool_views
from handful.heads.fit import KINDS
from handful.heads.kernel import fit_kernel
from handful.heads.logistic import N_FOLDS, fit_logistic
from handful.heads.ridge import fit_ridge
from handful.heads.spectrum import decompose
from handful.split import folds


@pytest.fixture(autouse=True)
def one_thread():
    """These systems are tiny: on a busy machine, threads wait for each other longer than they work."""
    with limit_threads(1):
        yield


def skewed(n_features=10, seed=0, noise=1.0):
    """Returns 48 rows of three classes: 33, 10 and 5."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [33, 10, 5])
    centres = rng.normal(size=(3, n_features))
    features = (centres[labels] + noise * rng.normal(size=(48, n_features))).astype(np.float32)
    order = rng.permutation(48)
    return features[order], labels[order], balanced_weights(labels[order], 3)


def softmaxed(scores, head):
    expected = np.exp((scores - scores.max(axis=1, keepdims=True)) / head.layer.temperature)
    return expected / expected.sum(axis=1, keepdims=True)


def test_balanced_weights_are_those_of_scikit_learn():
    _, labels, weights = skewed()
    np.testing.assert_allclose(weights, compute_sample_weight("balanced", labels))
    assert weights.mean() == pytest.approx(1.0)
    assert balanced_weights(np.array([0, 2, 2, 2]), 3).mean() == pytest.approx(1.0)  # a class that is not there


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("n_features", [10, 90])
def test_a_weighted_ridge_and_what_it_holds_out_are_those_of_scikit_learn(size, n_features):
    features, labels, weights = skewed(n_features)
    units = np.random.default_rng(1).permutation(np.repeat(np.arange(48 // size), size))
    head = fit_ridge(decompose(features, weights), labels, n_classes=3, units=units, weights=weights)
    targets, x = np.eye(3)[labels], features.astype(float)
    whole = Ridge(alpha=head.penalty).fit(x, targets, sample_weight=weights)
    np.testing.assert_allclose(head.layer.weight, whole.coef_.T, atol=1e-8)
    np.testing.assert_allclose(head.layer.bias, whole.intercept_, atol=1e-8)
    for unit in range(48 // size):
        kept = units != unit
        refit = Ridge(alpha=head.penalty).fit(x[kept], targets[kept], sample_weight=weights[kept])
        np.testing.assert_allclose(head.held_out_proba[~kept], softmaxed(refit.predict(x[~kept]), head), atol=1e-7)


@pytest.mark.parametrize("size", [1, 3])
def test_a_weighted_kernel_head_and_what_it_holds_out_are_those_of_scikit_learn(size):
    features, labels, weights = skewed()
    units = np.random.default_rng(1).permutation(np.repeat(np.arange(48 // size), size))
    head = fit_kernel(features, labels, n_classes=3, units=units, weights=weights)
    targets, x = np.eye(3)[labels] - 1 / 3, features.astype(float)
    for unit in range(48 // size):
        kept = units != unit
        model = KernelRidge(alpha=head.penalty, kernel="rbf", gamma=head.layer.kernel.sharpness)
        model.fit(x[kept], targets[kept], sample_weight=weights[kept])
        np.testing.assert_allclose(head.held_out_proba[~kept], softmaxed(model.predict(x[~kept]), head), atol=1e-6)


def test_a_weighted_logistic_head_and_its_folds_are_those_of_scikit_learn():
    features, labels, weights = skewed()
    head = fit_logistic(decompose(features, weights), labels, n_classes=3, units=np.arange(48), seed=2, weights=weights)
    x = features.astype(float)

    def reference(rows):
        strength = 1.0 / (head.penalty * weights[rows].sum())
        return LogisticRegression(C=strength, tol=1e-10, max_iter=5000).fit(x[rows], labels[rows], weights[rows])

    whole = reference(np.arange(48))
    np.testing.assert_allclose(head.layer.weight, whole.coef_.T, atol=1e-4)
    fold_of = folds(labels, np.arange(48), n_folds=N_FOLDS, seed=2)
    for fold in range(N_FOLDS):
        apart = fold_of == fold
        scores = reference(np.flatnonzero(~apart)).decision_function(x[apart])
        np.testing.assert_allclose(head.held_out_proba[apart], softmaxed(scores, head), atol=2e-3)


def test_a_row_that_counts_twice_counts_as_two_for_the_temperature():
    labels = np.arange(30) % 3
    scores = np.random.default_rng(0).normal(size=(30, 3)) + np.eye(3)[labels]
    weights = np.where(np.arange(30) < 10, 2.0, 0.5)
    rows = np.repeat(np.arange(30), np.where(np.arange(30) < 10, 4, 1))
    temperature, loss = choose_temperature(np.tile(scores, (100, 1)), np.tile(labels, 100), np.tile(weights, 100))
    twice = choose_temperature(np.tile(scores[rows], (100, 1)), np.tile(labels[rows], 100))
    assert (temperature, loss) == pytest.approx(twice, rel=5e-3)  # Platt's smoothing knows the number of rows


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_one_change_nothing(kind):
    features, labels, _ = skewed()
    plain, weighted = (
        fit_heads(features, labels, kinds=(kind,), n_classes=3, units=np.arange(48), seed=0, weights=weights)[0]
        for weights in (None, np.ones(48))
    )
    np.testing.assert_allclose(weighted.held_out_proba, plain.held_out_proba, atol=1e-6)
    assert weighted.penalty == pytest.approx(plain.penalty)


def test_balancing_finds_more_of_the_rare_classes():
    features, labels, weights = skewed(noise=2.5)
    found = []
    for each in (None, weights):
        head, reason = fit_head(features, labels, kind="auto", n_classes=3, units=np.arange(48), seed=0, weights=each)
        answers = head.held_out_proba.argmax(axis=1)
        found.append(np.mean([(answers[labels == label] == label).mean() for label in range(3)]))
    assert found[1] > found[0] + 0.05
    assert "smoothed, weighted" in reason.reason


def test_pooled_views_choose_their_temperature_by_the_weights():
    features, labels, weights = skewed()
    twice = np.repeat(weights, 2)
    rows = np.repeat(features, 2, axis=0) + np.tile([[0.0], [0.1]], (48, 1)).astype(np.float32)
    units = np.repeat(np.arange(48), 2)
    head, _ = fit_head(rows, np.repeat(labels, 2), kind="ridge", n_classes=3, units=units, seed=0, weights=twice)
    pooled = pool_views(head, labels, n_views=2, weights=weights)
    logs = np.log(head.held_out_proba).reshape(48, 2, 3).mean(axis=1)
    assert pooled.held_out_loss == choose_temperature(logs, labels, weights)[1]
