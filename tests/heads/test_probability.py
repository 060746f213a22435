import numpy as np
import pytest
import scipy.special

from handful.heads.probability import choose_temperature, softmax


def test_temperature_undoes_a_scaling_of_calibrated_scores():
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=(20_000, 3)) * 2.0
    labels = np.array([rng.choice(3, p=row) for row in softmax(log_odds)])
    temperature, _ = choose_temperature(5.0 * log_odds, labels)
    assert abs(temperature / 5.0 - 1.0) < 0.05


def test_all_right_is_not_taken_for_certainty():
    labels = np.arange(20) % 2
    temperature, _ = choose_temperature(np.eye(2)[labels], labels)
    confidence = softmax(np.eye(2)[labels], temperature=temperature).max()
    assert abs(confidence - 21 / 22) < 1e-3  # Platt's (N + 1) / (N + 2) for N = 20, two classes


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_that_of_smoothed_targets_and_none_is_less(weighted):
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    scores[np.arange(50), labels] += 1.0
    weights = rng.uniform(0.5, 1.5, 50) if weighted else None
    targets = np.where(np.eye(4, dtype=bool)[labels], 51.0, 1.0) / 54.0

    def loss(temperature):
        each = -np.sum(targets * scipy.special.log_softmax(scores / temperature, axis=1), axis=1)
        return np.mean(each * (1.0 if weights is None else weights))

    temperature, least = choose_temperature(scores, labels, weights)
    assert least == pytest.approx(loss(temperature), rel=1e-12)
    assert all(loss(temperature * factor) > least for factor in (0.99, 1.01))


def test_softmax_of_large_scores_is_finite():
    assert softmax(np.array([[1e5, 0.0]])).tolist() == [[1.0, 0.0]]
