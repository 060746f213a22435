import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from handful.evaluate import calibration_bins, calibration_error


def two_classes(confidence):
    return np.column_stack([confidence, 1.0 - np.asarray(confidence)])


def test_the_bins_are_scikit_learns_quantile_bins():
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.5, 1.0, size=200)
    labels = (rng.uniform(size=200) > confidence**2).astype(np.int64)
    accuracies, confidences = calibration_curve(labels == 0, confidence, n_bins=10, strategy="quantile")
    bins = calibration_bins(two_classes(confidence), labels)
    assert [each.n for each in bins] == [20] * 10
    np.testing.assert_allclose([each.confidence for each in bins], confidences, rtol=1e-12)
    np.testing.assert_allclose([each.accuracy for each in bins], accuracies, rtol=1e-12)


def test_the_error_by_hand():
    # Two bins of two: confidence 0.65 with 1 of 2 right, confidence 0.95 with 2 of 2 right.
    proba = two_classes([0.6, 0.9, 0.7, 1.0])
    bins = calibration_bins(proba, np.array([1, 0, 0, 0]), n_bins=2)
    assert calibration_error(bins) == pytest.approx((0.15 + 0.05) / 2)


def test_a_model_that_is_always_certain_and_half_right_is_off_by_a_half():
    labels = np.tile([0, 1], 50)
    bins = calibration_bins(two_classes(np.ones(100)), labels)
    assert calibration_error(bins) == pytest.approx(0.5)


def test_few_pictures_make_few_bins():
    bins = calibration_bins(two_classes([0.8, 0.9]), np.array([0, 0]))
    assert [each.n for each in bins] == [1, 1]


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from([0.5, 0.6, 0.75, 0.9]), min_size=1, max_size=60))
def test_the_order_of_the_pictures_does_not_matter(random, confidence):
    labels = np.array([random.randrange(2) for _ in confidence], dtype=np.int64)
    order = list(range(len(confidence)))
    random.shuffle(order)
    error = calibration_error(calibration_bins(two_classes(confidence), labels))
    shuffled = calibration_error(calibration_bins(two_classes(confidence)[order], labels[order]))
    assert shuffled == pytest.approx(error, abs=1e-12)
    assert 0.0 <= error <= 1.0
