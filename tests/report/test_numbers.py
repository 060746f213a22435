import dataclasses

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from handful.evaluate import evaluate, wilson_interval
from handful.report.numbers import (
    answers,
    by_recall,
    confident_mistakes,
    least_certain,
    reliability,
    searches,
    worst_confusions,
)


def answered(make_run, proba):
    """A run whose first test pictures got these probabilities; the labels of the pictures are the run's own."""
    run = make_run(n_test=len(proba))
    return dataclasses.replace(run, test_proba=np.asarray(proba, dtype=float))


def test_answers_follow_the_order_of_the_test_part(make_run):
    run = make_run()
    given = answers(run)
    assert [answer.picture for answer in given] == [run.table.pictures[index] for index in run.split.test]
    assert np.mean([answer.right for answer in given]) == pytest.approx(run.evaluation.accuracy)
    assert [answer.confidence for answer in given] == run.test_proba.max(axis=1).tolist()
    labels = run.table.labels[run.split.test]
    assert [answer.true_probability for answer in given] == run.test_proba[range(60), labels].tolist()


def test_mistakes_come_most_confident_first_and_only_mistakes(make_run):
    given = answers(make_run(skill=1.0))
    mistakes = confident_mistakes(given, limit=5)
    wrong = [answer.confidence for answer in given if not answer.right]
    assert [answer.confidence for answer in mistakes] == sorted(wrong, reverse=True)[:5]
    assert not any(answer.right for answer in mistakes)


def test_the_least_certain_come_first_right_or_wrong(make_run):
    given = answers(make_run(skill=1.0))
    confidences = [answer.confidence for answer in least_certain(given, limit=5)]
    assert confidences == sorted(answer.confidence for answer in given)[:5]


def test_equally_certain_answers_are_ordered_by_path(make_run):
    run = answered(make_run, np.full((12, 2), 0.5))
    paths = [answer.picture.path for answer in least_certain(answers(run)[::-1], limit=12)]
    assert paths == sorted(paths)


def test_confusions_are_counted_and_sorted():
    answered_as = np.array([0, 1, 1, 1, 1, 2, 0, 2, 2, 2])
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    figures = evaluate(np.eye(3)[answered_as], labels, classes=("a", "b", "c"), train_labels=labels)
    found = [(each.true, each.predicted, each.n, round(each.share, 3)) for each in worst_confusions(figures, limit=9)]
    assert found == [("a", "b", 2, 0.667), ("b", "c", 1, 0.333), ("c", "a", 1, 0.25)]
    assert len(worst_confusions(figures, limit=1)) == 1


def test_classes_without_test_pictures_come_last():
    labels = np.array([1, 1, 2])
    figures = evaluate(np.eye(3)[[1, 0, 2]], labels, classes=("a", "b", "c"), train_labels=labels)
    assert [each.name for each in by_recall(figures)] == ["b", "c", "a"]


def test_reliability_is_scikit_learns(make_run):
    run = make_run(n_test=100, skill=1.0)
    right = [answer.right for answer in answers(run)]
    accuracies, confidences = calibration_curve(right, run.test_proba.max(axis=1), n_bins=10, strategy="quantile")
    points = reliability(run)
    np.testing.assert_allclose([point.accuracy for point in points], accuracies)
    np.testing.assert_allclose([point.confidence for point in points], confidences)
    assert points[0].interval == wilson_interval(round(10 * accuracies[0]), 10)


@pytest.mark.parametrize(("n_test", "n_points"), [(9, 0), (10, 2), (49, 9), (500, 10)])
def test_every_point_of_the_reliability_stands_for_five_pictures_or_more(make_run, n_test, n_points):
    points = reliability(make_run(n_test=n_test))
    assert len(points) == n_points
    assert all(point.n >= 5 for point in points)


def test_a_search_is_sorted_by_penalty(make_run):
    run = make_run()
    head = dataclasses.replace(run.heads[0], search=run.heads[0].search[::-1])
    (curve,) = searches(dataclasses.replace(run, heads=(head,)))
    assert curve.penalties == tuple(10.0**power for power in range(-3, 6))
    assert curve.log_losses[curve.penalties.index(curve.chosen)] == min(curve.log_losses)
    assert searches(dataclasses.replace(run, heads=(dataclasses.replace(head, search=()),))) == ()
