import dataclasses

import numpy as np
import pytest

from handful.core.records import Resolved
from handful.core.search import Search
from handful.evaluate import evaluate, wilson_interval
from handful.report.remarks import FEW_PICTURES, majority_class, remarks
from handful.report.text import seconds
from tests.report.trained import training, with_training


def with_answers(run, right, *, confidence=0.9, true=None):
    """Returns the run with these test answers: which were right, and with what confidence."""
    right = np.asarray(right)
    true = np.resize([0, 1], len(right)) if true is None else np.asarray(true)
    answered = np.where(right, true, 1 - true)
    proba = np.full((len(right), 2), 1 - confidence)
    proba[np.arange(len(right)), answered] = confidence
    train_labels = run.table.labels[run.split.train]
    figures = evaluate(proba, true, classes=("cat", "dog"), train_labels=train_labels)
    held_out = dataclasses.replace(run.held_out, accuracy_interval=figures.accuracy_interval)
    return dataclasses.replace(run, evaluation=figures, held_out=held_out, test_proba=proba)


def texts(run, level):
    return " ".join(remark.text for remark in remarks(run) if remark.level == level)


def test_a_good_result_on_many_pictures_needs_no_remark(make_run):
    assert remarks(with_answers(make_run(), [True] * 90 + [False] * 10)) == ()


def test_a_search_that_took_longer_than_it_was_given_says_so(make_run):
    run = with_answers(make_run(), [True] * 90 + [False] * 10)
    spent = sum(stage.seconds for stage in run.stages)
    search = Search(spent, (), "all was tried", n_judged=0)
    assert remarks(dataclasses.replace(run, search=search)) == ()
    late = dataclasses.replace(run, search=dataclasses.replace(search, limit=spent / 2.0))
    longest = max(run.stages, key=lambda stage: stage.seconds)
    assert f"; {seconds(longest.seconds)} of these to {longest.name}" in texts(late, "note")
    unlimited = dataclasses.replace(run, search=dataclasses.replace(search, limit=None))
    assert remarks(unlimited) == ()


def test_eight_pictures_mean_little(make_run):
    run = with_answers(make_run(), [True] * 8)
    assert "Only 8 pictures tested" in texts(run, "warning")
    assert "from 67.6 to 100.0 %" in texts(run, "warning")
    low, high = wilson_interval(FEW_PICTURES - 1, FEW_PICTURES - 1)
    assert high - low > 0.29  # what the constant's comment says


def test_a_wide_interval_is_explained(make_run):
    run = with_answers(make_run(), [True] * 25 + [False] * 5)
    low, high = wilson_interval(25, 30)
    assert f"{100 * (high - low):.0f} points wide" in texts(run, "note")


def test_a_model_that_may_be_no_better_than_the_baseline_is_a_warning(make_run):
    run = make_run(weights=(3, 1))
    run = with_answers(run, [True] * 80 + [False] * 20, true=np.resize([0, 0, 0, 1], 100))
    assert majority_class(run) == "cat"
    assert "always answering 'cat', which gives 75.0 %" in texts(run, "warning")


def test_unequal_classes_point_to_the_balanced_accuracy(make_run):
    run = with_answers(make_run(), [True] * 95 + [False] * 5, true=[0] * 80 + [1] * 20)
    assert "20 to 80 test pictures" in texts(run, "note")
    assert f"{100 * run.evaluation.balanced_accuracy:.1f} %" in texts(run, "note")


def test_a_class_with_few_test_pictures_is_named(make_run):
    run = with_answers(make_run(), [True] * 99 + [False], true=[0] * 96 + [1] * 4)
    assert "'dog' has fewer than 5 test pictures" in texts(run, "note")


def test_a_test_part_much_harder_than_the_training_part_is_a_warning(make_run):
    run = with_answers(make_run(), [True] * 70 + [False] * 30)
    held_out = dataclasses.replace(run.held_out, accuracy=0.97, accuracy_interval=(0.95, 0.98))
    assert "harder than the training pictures: 97.0 %" in texts(dataclasses.replace(run, held_out=held_out), "warning")
    assert "harder" not in texts(run, "warning")


@pytest.mark.parametrize(("confidence", "way"), [(0.99, "more"), (0.55, "less")])
def test_confidence_that_is_off_is_said(make_run, confidence, way):
    run = with_answers(make_run(), [True] * 80 + [False] * 20, confidence=confidence)
    assert f"The model is {way} certain than it should be" in texts(run, "note")


def test_no_mistake_is_not_never_wrong(make_run):
    run = with_answers(make_run(), [True] * 100, confidence=0.999)
    assert "a model with 3.7 % of mistakes could have been this lucky" in texts(run, "note")


def test_leaks_are_warnings_and_warnings_come_first(make_run):
    run = with_answers(make_run(), [True] * 25 + [False] * 5)
    split = dataclasses.replace(run.split, notes=("the parts are the user's own", "LEAK: 3 of 30 test pictures"))
    found = remarks(dataclasses.replace(run, split=split))
    assert found[0].level == "warning"
    assert found[0].text.startswith("LEAK: 3")
    assert found[-1].level == "note"


@pytest.mark.parametrize(("rate", "unusual"), [(2.0, True), (1e-7, True), (1e-3, False)])
def test_what_was_said_of_the_rate_while_training_stays_in_the_report(make_run, rate, unusual):
    run = with_training(with_answers(make_run(), [True] * 90 + [False] * 10), training(n_epochs=1))
    run = dataclasses.replace(run, options={**run.options, "lr": Resolved(rate, "chosen by the user")})
    assert (f"lr is {rate:g}, outside the usual" in texts(run, "note")) == unusual
    assert remarks(dataclasses.replace(run, training=())) == ()


@pytest.mark.parametrize(
    ("weights", "rare_right", "said"),
    [
        ("none", 2, "--class-weights balanced trains for that"),
        ("none", 9, "counts every class alike."),
        ("balanced", 9, "as if all classes were equally frequent"),
        (None, 2, "counts every class alike."),
    ],
)
def test_classes_of_unlike_size_point_to_weights_where_they_would_tell(make_run, weights, rare_right, said):
    true = [0] * 90 + [1] * 10
    right = [True] * 88 + [False] * 2 + [True] * rare_right + [False] * (10 - rare_right)
    run = with_answers(make_run(), right, true=true)
    if weights:
        run = dataclasses.replace(run, options={**run.options, "class_weights": Resolved(weights, "default")})
    (remark,) = (each.text for each in remarks(run) if "not equally frequent" in each.text)
    assert said in remark
    assert ("--class-weights" in remark) == ("--class-weights" in said)
