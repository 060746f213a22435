import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from handful.heads.kernel import SHARPNESSES, fit_kernel, kernel_scores, squared_distances
from tests.heads.test_ridge import problem


def refit(features, labels, head):
    """The same model by scikit-learn."""
    model = KernelRidge(alpha=head.penalty, kernel="rbf", gamma=head.layer.kernel.sharpness)
    return model.fit(features.astype(float), np.eye(3)[labels] - 1 / 3)


def test_scores_are_those_of_scikit_learn():
    features, labels = problem()
    head = fit_kernel(features, labels, n_classes=3, units=np.arange(40))
    new = features + 0.3
    expected = refit(features, labels, head).predict(new.astype(float))
    np.testing.assert_allclose(kernel_scores(head.layer.kernel, new), expected, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_held_out_probabilities_are_those_of_fits_without_the_unit(size):
    features, labels = problem()
    units = np.random.default_rng(0).permutation(np.repeat(np.arange(40 // size), size))
    head = fit_kernel(features, labels, n_classes=3, units=units)
    for unit in range(40 // size):
        kept = units != unit
        scores = refit(features[kept], labels[kept], head).predict(features[~kept].astype(float))
        expected = np.exp(scores / head.layer.temperature)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(head.held_out_proba[~kept], expected, atol=1e-6)


def test_distances_survive_a_large_offset():
    rows = (np.random.default_rng(0).normal(size=(20, 5)) + 1000.0).astype(np.float32)
    expected = cdist(rows.astype(float), rows.astype(float), "sqeuclidean")
    np.testing.assert_allclose(squared_distances(rows, rows), expected, atol=1e-9)


def test_it_follows_a_class_of_two_unlike_kinds():
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 3, 150)
    features = (np.array([[-4.0], [0.0], [4.0]])[kinds] + rng.normal(size=(150, 1)) * 0.5).astype(np.float32)
    labels = (kinds == 1).astype(int)
    head = fit_kernel(features, labels, n_classes=2, units=np.arange(150))
    assert np.mean(head.held_out_proba.argmax(axis=1) == labels) > 0.98


def test_one_row_of_a_class_is_no_fault():
    head = fit_kernel(np.eye(3, dtype=np.float32), np.array([0, 0, 1]), n_classes=2, units=np.arange(3))
    assert np.isfinite(head.held_out_proba).all()


def test_identical_pictures_are_no_fault():
    units = np.array([0, 0, 1, 1])
    head = fit_kernel(np.ones((4, 3), np.float32), np.array([0, 1, 0, 1]), n_classes=2, units=units)
    assert np.isfinite(head.held_out_proba).all()


def test_of_settings_that_are_level_the_first_is_taken():
    head = fit_kernel(np.ones((4, 3), np.float32), np.array([0, 1, 0, 1]), n_classes=2, units=np.arange(4))
    assert head.layer.kernel.sharpness == SHARPNESSES[0]


def test_what_was_tried_is_told_with_its_accuracy():
    features, labels = problem()
    head = fit_kernel(features, labels, n_classes=3, units=np.arange(40))
    (taken,) = [each for each in head.search if each["penalty"] == head.penalty]
    assert taken["accuracy"] == np.mean(head.held_out_proba.argmax(axis=1) == labels)
