import numpy as np
import pytest
import scipy.special
from sklearn.linear_model import LogisticRegression

from handful.heads.logistic import N_FOLDS, PENALTIES, Problems, _softmax, fit_logistic, solve
from handful.heads.spectrum import decompose
from handful.split import folds
from tests.heads.test_ridge import problem


def reference(features, labels, penalty):
    """The same minimiser by scikit-learn: its C weighs the sum of losses, our penalty the mean."""
    fitted = LogisticRegression(C=1.0 / (penalty * len(labels)), tol=1e-10, max_iter=5000)
    return fitted.fit(features.astype(float), labels)


@pytest.mark.parametrize("shape", [(60, 12), (30, 80)])
def test_weights_are_those_of_scikit_learn(shape):
    features, labels = problem(*shape)
    head = fit_logistic(decompose(features), labels, n_classes=3, units=np.arange(len(labels)), seed=0)
    expected = reference(features, labels, head.penalty)
    np.testing.assert_allclose(head.layer.weight, expected.coef_.T, atol=1e-4)
    bias = head.layer.bias - head.layer.bias.mean()
    np.testing.assert_allclose(bias, expected.intercept_ - expected.intercept_.mean(), atol=1e-4)


def test_held_out_probabilities_come_from_models_that_did_not_see_the_row():
    features, labels = problem(n_rows=60)
    units = np.arange(60)
    head = fit_logistic(decompose(features), labels, n_classes=3, units=units, seed=5)
    fold_of = folds(labels, units, n_folds=N_FOLDS, seed=5)
    for fold in range(N_FOLDS):
        kept = fold_of != fold
        refit = reference(features[kept], labels[kept], head.penalty)
        scores = refit.decision_function(features[~kept].astype(float)) / head.layer.temperature
        expected = np.exp(scores - scores.max(axis=1, keepdims=True))
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(head.held_out_proba[~kept], expected, atol=2e-3)


def test_problems_solved_together_are_those_solved_alone():
    features, labels = problem(n_rows=50)
    rows = np.c_[features.astype(float), np.ones(50)]
    shares = np.full((50, 3), 1 / 50)
    penalties = np.array([0.01, 0.1, 1.0])
    curvature = np.r_[np.square(features.astype(float)).mean(axis=0), 1.0] * 0.2
    targets = np.eye(3)[labels]
    together = solve(Problems(rows, targets, shares, penalties, curvature), tolerance=1e-14)
    for index in range(3):
        alone = solve(Problems(rows, targets, shares[:, :1], penalties[index : index + 1], curvature), tolerance=1e-14)
        np.testing.assert_allclose(together[:, :, index], alone[:, :, 0], atol=1e-6)


def test_a_fold_without_a_class_is_no_fault():
    features, labels = problem(n_rows=12)
    labels = np.r_[0, np.ones(11, dtype=int)]
    head = fit_logistic(decompose(features), labels, n_classes=2, units=np.arange(12), seed=0)
    assert np.isfinite(head.layer.weight).all()


def test_every_penalty_is_reported():
    features, labels = problem()
    head = fit_logistic(decompose(features), labels, n_classes=3, units=np.arange(40), seed=0)
    assert len(head.search) == len(PENALTIES)
    assert min(entry["log_loss"] for entry in head.search) == head.held_out_loss


def test_rows_of_very_unlike_scores_do_not_drown_each_other():
    scores = np.array([[0.0, 1.0, -1.0], [-2000.0, -2001.0, -1999.0]])[:, :, None]
    expected = scipy.special.softmax(scores, axis=1)
    np.testing.assert_allclose(_softmax(scores), expected, atol=1e-15)
