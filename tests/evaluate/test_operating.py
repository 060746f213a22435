import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from handful.evaluate import choose_threshold, operating_curve

SCORES = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=60).filter(
    lambda pairs: len({positive for _, positive in pairs}) == 2
)


@given(SCORES)
def test_the_areas_are_scikit_learns_with_ties_too(pairs):
    scores, positive = np.array([score / 12 for score, _ in pairs]), np.array([each for _, each in pairs])
    curve = operating_curve(scores, positive)
    assert curve.area == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    assert curve.average_precision == pytest.approx(average_precision_score(positive, scores), abs=1e-12)


def test_the_curves_are_scikit_learns():
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.3
    scores = np.round(rng.normal(size=200) + positive, 1)
    curve = operating_curve(scores, positive)
    alarmed, found, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(np.c_[curve.alarmed, curve.found], np.c_[alarmed, found][1:])
    np.testing.assert_allclose(curve.thresholds, thresholds[1:])
    precision, _, _ = precision_recall_curve(positive, scores)
    np.testing.assert_allclose(curve.precision[::-1], precision[:-1])


def of_the_class(n_own):
    own = np.linspace(0.05, 0.99, n_own)
    proba = np.r_[np.c_[own, 1.0 - own], np.full((50, 2), (0.2, 0.8))]
    return proba, np.r_[np.zeros(n_own, np.int64), np.ones(50, np.int64)]


def test_as_many_lie_below_the_threshold_as_the_exact_bound_allows():
    rule = choose_threshold(*of_the_class(300), label=0, limit=0.05)
    most = max(
        k for k in range(300) if scipy.stats.binomtest(k, 300, alternative="less").proportion_ci(0.9).high <= 0.05
    )
    assert rule.n_missed == most
    assert rule.probability == pytest.approx(np.linspace(0.05, 0.99, 300)[most])
    assert rule.promised == pytest.approx(scipy.stats.binomtest(most, 300, alternative="less").proportion_ci(0.9).high)


def test_too_few_pictures_of_the_class_say_what_they_can_promise():
    rule = choose_threshold(*of_the_class(60), label=0, limit=0.01)
    assert (rule.n_missed, rule.probability) == (0, 0.05)
    assert rule.promised == pytest.approx(1.0 - 0.1 ** (1 / 60))  # all of 60 found: (1 - p)^60 = 10 %


def test_new_pictures_are_missed_no_more_often_than_promised_in_nine_of_ten_draws():
    rng = np.random.default_rng(1)
    true = []
    for _ in range(500):
        own = rng.random(250)  # uniform, so the true share below a threshold is the threshold
        rule = choose_threshold(np.c_[own, 1.0 - own], np.zeros(250, np.int64), label=0, limit=0.05)
        true.append(rule.probability)
    assert 0.02 < np.mean(np.array(true) > 0.05) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 500)
