import numpy as np
import pytest
import scipy.stats

from handful.core.trust import AnswerRule
from handful.evaluate import answers_needed, are_unsure, choose_answering, risk_curve


def graded(n_images, *, seed=0):
    """Returns two-class probabilities whose answers are right as often as they say."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1.0, n_images)
    return np.c_[confidence, 1.0 - confidence], (rng.random(n_images) > confidence).astype(np.int64)


def test_of_no_pictures_nothing_is_promised():
    proba, labels = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    rule = choose_answering(proba, labels, risk=0.1)
    assert (rule.confidence, rule.n_held_out) == (None, 0)
    assert risk_curve(proba, labels) == ()


def test_the_longest_head_whose_exact_bound_is_within_the_risk_is_answered():
    proba, labels = graded(400)
    rule = choose_answering(proba, labels, risk=0.1)
    order = np.argsort(-proba[:, 0])
    bounds = [
        scipy.stats.binomtest(int(labels[order[:n]].sum()), n, alternative="less").proportion_ci(0.9).high
        for n in range(1, 401)
    ]
    longest = max(n for n, bound in enumerate(bounds, start=1) if bound <= 0.1)
    assert (rule.n_answered, rule.n_wrong) == (longest, labels[order[:longest]].sum())
    assert (rule.risk, rule.n_held_out) == (0.1, 400)
    assert rule.confidence == proba[order[longest - 1], 0]
    assert (~are_unsure(proba, rule)).sum() == longest


def test_few_answers_promise_nothing_however_right_they_are():
    proba = np.full((44, 2), (0.9, 0.1))
    rule = choose_answering(proba, np.zeros(44, np.int64), risk=0.05)
    assert rule == AnswerRule(risk=0.05, confidence=None, n_held_out=44, n_answered=0, n_wrong=0)
    assert are_unsure(proba, rule).all()
    one_more = choose_answering(np.full((45, 2), (0.9, 0.1)), np.zeros(45, np.int64), risk=0.05)
    assert (answers_needed(0.05), one_more.confidence) == (45, 0.0)


def test_pictures_of_equal_confidence_are_answered_together_or_not_at_all():
    proba = np.repeat([[0.95, 0.05], [0.6, 0.4]], 100, axis=0)
    labels = np.r_[np.zeros(100, np.int64), np.tile([0, 1], 50)]
    assert choose_answering(proba, labels, risk=0.05).n_answered == 100


def test_the_risk_is_kept_on_new_pictures_in_most_draws():
    # The exact bound is for one head; the longest of many that pass is a little optimistic. With answers that are right
    # as often as they say, the true risk of answering from t on is (1 - t) / 2.
    confidences = [choose_answering(*graded(500, seed=seed), risk=0.1).confidence for seed in range(200)]
    true = [(1.0 - confidence) / 2.0 for confidence in confidences if confidence is not None]
    assert np.mean(np.array(true) > 0.1) < 0.15
    assert np.mean(true) > 0.05  # and not by answering next to nothing


def test_the_curve_ends_at_the_error_of_all_answers():
    proba, labels = graded(300)
    points = risk_curve(proba, labels)
    assert points[-1].coverage == 1.0
    assert points[-1].risk == pytest.approx(labels.mean())
    middle = points[149]
    chosen = proba[:, 0] >= middle.confidence
    assert (middle.coverage, middle.risk) == (pytest.approx(chosen.mean()), pytest.approx(labels[chosen].mean()))
