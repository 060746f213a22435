import numpy as np
import pytest

from handful.core.trust import SetRule
from handful.evaluate import choose_sets, prediction_sets


def calibrated(n_images, n_classes, *, skill, seed):
    """Returns probabilities and labels that are drawn from them."""
    rng = np.random.default_rng(seed)
    scores = skill * rng.normal(size=(n_images, n_classes))
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return proba, (proba.cumsum(axis=1) < rng.random((n_images, 1))).sum(axis=1)


def test_the_probability_is_the_order_statistic_of_split_conformal_prediction():
    of_the_truth = np.arange(1, 40) / 40.0  # 39 pictures at 90 %: the floor(40 * 0.1) = 4th smallest
    rule = choose_sets(np.c_[of_the_truth, 1.0 - of_the_truth], np.zeros(39, np.int64), coverage=0.9)
    assert rule == SetRule(coverage=0.9, probability=4 / 40, n_held_out=39)


def test_too_few_pictures_name_every_class():
    rule = choose_sets(np.full((8, 4), 0.25), np.zeros(8, np.int64), coverage=0.9)
    assert rule.probability == 0.0
    assert prediction_sets(np.array([[0.97, 0.01, 0.01, 0.01]]), rule).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("n_images", [50, 400])
def test_new_pictures_are_covered_as_often_as_was_asked(coverage, n_images):
    # Exchangeable scores: the coverage of one draw is Beta distributed about its mean, k / (N + 1) with
    # k = N + 1 - floor((N + 1)(1 - coverage)); 300 draws of it, three standard errors.
    rank = np.floor((n_images + 1) * (1.0 - coverage) + 1e-9)
    covered = []
    for seed in range(300):
        proba, labels = calibrated(n_images + 200, 5, skill=1.2, seed=seed)
        rule = choose_sets(proba[:n_images], labels[:n_images], coverage=coverage)
        covered.append(prediction_sets(proba[n_images:], rule)[np.arange(200), labels[n_images:]].mean())
    expected = 1.0 - rank / (n_images + 1)
    assert np.mean(covered) == pytest.approx(expected, abs=3 * np.std(covered) / np.sqrt(300) + 0.002)


def test_a_set_is_never_empty():
    proba, labels = calibrated(300, 5, skill=8.0, seed=0)
    rule = choose_sets(proba, labels, coverage=0.5)
    assert prediction_sets(np.full((1, 5), 0.2), rule).sum() == 1
