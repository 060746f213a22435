import numpy as np

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


def test_softmax_of_large_scores_is_finite():
    assert softmax(np.array([[1e5, 0.0]])).tolist() == [[1.0, 0.0]]
