import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from handful.evaluate import evaluate

CLASSES = ("cat", "dog", "owl", "yak")
NO_LABELS = np.zeros(0, dtype=np.int64)


def some_answers(seed, n_images=60, n_classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, size=n_images)
    proba = rng.dirichlet(np.ones(n_classes), size=n_images)
    proba[np.arange(n_images), labels] += rng.uniform(0, 1, size=n_images)
    return proba / proba.sum(axis=1, keepdims=True), labels


def one_hot(answers, n_classes):
    return np.eye(n_classes)[answers]


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_the_figures_are_scikit_learns(seed, n_images):
    proba, labels = some_answers(seed, n_images)
    answers = proba.argmax(axis=1)
    present = np.unique(labels)
    figures = evaluate(proba, labels, classes=CLASSES, train_labels=labels)
    metrics = sklearn.metrics
    assert figures.accuracy == pytest.approx(metrics.accuracy_score(labels, answers))
    assert figures.macro_f1 == pytest.approx(
        metrics.f1_score(labels, answers, labels=present, average="macro", zero_division=0)
    )
    recalls = metrics.recall_score(labels, answers, labels=present, average="macro", zero_division=0)
    assert figures.balanced_accuracy == pytest.approx(recalls)
    assert figures.log_loss == pytest.approx(metrics.log_loss(labels, proba, labels=range(4)))
    np.testing.assert_array_equal(figures.confusion, metrics.confusion_matrix(labels, answers, labels=range(4)))


def test_the_figures_of_each_class_are_scikit_learns():
    proba, labels = some_answers(5)
    figures = evaluate(proba, labels, classes=CLASSES, train_labels=labels)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(labels, proba.argmax(axis=1))
    assert [each.name for each in figures.per_class] == list(CLASSES)
    assert [each.n_test for each in figures.per_class] == support.tolist()
    np.testing.assert_allclose([each.precision for each in figures.per_class], precision)
    np.testing.assert_allclose([each.recall for each in figures.per_class], recall)
    np.testing.assert_allclose([each.f1 for each in figures.per_class], f1)
    for each in figures.per_class:
        assert each.recall_interval[0] < each.recall < each.recall_interval[1]


def test_rows_of_the_confusion_matrix_are_the_truth():
    proba = one_hot(np.array([1, 1, 1, 0]), 2)
    figures = evaluate(proba, np.array([0, 0, 1, 0]), classes=("a", "b"), train_labels=np.array([0]))
    assert figures.confusion.tolist() == [[1, 2], [0, 1]]
    assert figures.confusion.dtype == np.int64


def test_the_baseline_answers_the_class_that_is_most_frequent_in_training():
    labels = np.array([0, 0, 0, 1])
    figures = evaluate(one_hot(labels, 2), labels, classes=("a", "b"), train_labels=np.array([1, 1, 0]))
    assert figures.majority_baseline == 0.25  # not 0.75, which would be chosen by looking at the test part
    assert math.isnan(
        evaluate(one_hot(labels, 2), labels, classes=("a", "b"), train_labels=NO_LABELS).majority_baseline
    )


def test_a_class_without_test_pictures_is_left_out_of_the_means():
    labels = np.array([0, 0, 1, 1])
    figures = evaluate(one_hot(np.array([0, 0, 1, 2]), 4), labels, classes=CLASSES, train_labels=labels)
    assert figures.balanced_accuracy == pytest.approx(0.75)
    owl, yak = figures.per_class[2:]
    assert math.isnan(owl.recall)
    assert owl.recall_interval == (0.0, 1.0)
    assert (owl.precision, owl.f1) == (0.0, 0.0)
    assert math.isnan(yak.precision)
    assert math.isnan(yak.f1)


def test_no_knowledge_costs_the_logarithm_of_the_number_of_classes():
    labels = np.arange(4)
    figures = evaluate(np.full((4, 4), 0.25), labels, classes=CLASSES, train_labels=labels)
    assert figures.log_loss == pytest.approx(math.log(4))
    assert figures.calibration_error == pytest.approx(0.0)


def test_a_certain_mistake_costs_a_lot_but_not_infinitely_much():
    figures = evaluate(np.array([[1.0, 0.0]]), np.array([1]), classes=("a", "b"), train_labels=NO_LABELS)
    assert figures.log_loss == pytest.approx(-math.log(1e-15))


def test_the_order_of_the_pictures_does_not_matter():
    proba, labels = some_answers(8)
    order = np.random.default_rng(0).permutation(len(labels))
    first = evaluate(proba, labels, classes=CLASSES, train_labels=labels)
    second = evaluate(proba[order], labels[order], classes=CLASSES, train_labels=labels)
    assert second.calibration_error == pytest.approx(first.calibration_error)
    assert second.log_loss == pytest.approx(first.log_loss)
    assert second.per_class == first.per_class


@pytest.mark.parametrize("row", [[0.5, 0.6], [math.nan, 1.0], [1.5, -0.5]])
def test_rows_that_are_not_probabilities_are_refused(row):
    proba = np.array([[0.5, 0.5], row])
    with pytest.raises(ValueError, match="row 1 of proba"):
        evaluate(proba, np.array([0, 1]), classes=("a", "b"), train_labels=NO_LABELS)


def test_arrays_that_do_not_fit_are_refused():
    proba, labels = some_answers(1, n_images=3)
    with pytest.raises(ValueError, match=r"proba has shape \(3, 4\)"):
        evaluate(proba, labels, classes=("a", "b"), train_labels=labels)
    with pytest.raises(ValueError, match=r"labels has shape \(2,\)"):
        evaluate(proba, labels[:2], classes=CLASSES, train_labels=labels)
    with pytest.raises(ValueError, match="labels reach from -1 to"):
        evaluate(proba, np.array([-1, 0, 1]), classes=CLASSES, train_labels=labels)
    with pytest.raises(ValueError, match="N at least 1"):
        evaluate(np.zeros((0, 4)), NO_LABELS, classes=CLASSES, train_labels=labels)
