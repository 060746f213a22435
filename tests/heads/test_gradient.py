"""Gradients of scores, against differences of the scores themselves."""

import numpy as np
import pytest
import scipy.special

from handful.core.records import Head, KernelPart, StackedHead
from handful.heads import predict_proba, score_gradient
from handful.heads.kernel import kernel_scores
from handful.heads.stacked import stacked_scores

N, D, C = 5, 7, 3


def scores(head, rows):
    if isinstance(head, StackedHead):
        return stacked_scores(head, rows)
    linear = rows @ head.weight + head.bias
    return linear if head.kernel is None else linear + kernel_scores(head.kernel, rows)


def differences(head, rows, labels, step=1e-5):
    """Returns the gradient by central differences, one feature at a time."""
    found = np.empty_like(rows)
    for feature in range(D):
        up, down = rows.copy(), rows.copy()
        up[:, feature] += step
        down[:, feature] -= step
        found[:, feature] = ((scores(head, up) - scores(head, down)) / (2 * step))[np.arange(N), labels]
    return found


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    return rng, rng.normal(size=(N, D)), rng.integers(0, C, N)


def test_of_a_linear_layer_it_is_the_weights_of_the_class(drawn):
    rng, rows, labels = drawn
    head = Head(rng.normal(size=(D, C)), rng.normal(size=C), 0.7)
    np.testing.assert_array_equal(score_gradient(head, rows, labels), head.weight.T[labels])


def test_of_a_kernel_layer_it_is_that_of_its_scores(drawn):
    rng, rows, labels = drawn
    part = KernelPart(rng.normal(size=(6, D)).astype(np.float32), rng.normal(size=(6, C)), 0.2)
    head = Head(rng.normal(size=(D, C)), rng.normal(size=C), 0.7, part)
    np.testing.assert_allclose(score_gradient(head, rows, labels), differences(head, rows, labels), atol=1e-8)


@pytest.mark.parametrize("nonlinearity", ["rectifier", "sigmoid", "tanh", "hard-tanh"])
def test_of_several_layers_it_is_that_of_their_scores(drawn, nonlinearity):
    rng, rows, labels = drawn
    widths = [(D, 6), (6, 4), (4, C)]
    layers = tuple((rng.normal(size=width), rng.normal(size=width[1])) for width in widths)
    head = StackedHead(layers, nonlinearity, 0.7)
    found = score_gradient(head, rows, labels)
    assert np.abs(found).max() > 0
    np.testing.assert_allclose(found, differences(head, rows, labels), atol=1e-7)


def test_the_scores_compared_with_are_those_of_the_answers(drawn):
    rng, rows, _ = drawn
    part = KernelPart(rng.normal(size=(6, D)).astype(np.float32), rng.normal(size=(6, C)), 0.2)
    head = Head(rng.normal(size=(D, C)), rng.normal(size=C), 0.7, part)
    given = predict_proba(head, rows[:, None])
    np.testing.assert_allclose(given, scipy.special.softmax(scores(head, rows) / 0.7, axis=1))
