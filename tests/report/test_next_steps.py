import dataclasses
import re

import numpy as np
import pytest

from handful.core.records import Finding, Resolved
from handful.core.search import Search
from handful.core.trust import Suspect
from handful.report import result_dict, summary
from handful.report.next_steps import MANY_DOUBTS, N_STEPS, next_steps
from handful.report.page import render_page
from handful.report.text import percent
from tests.report.test_folds import crossed
from tests.report.test_reliance import trusted
from tests.report.test_remarks import with_answers
from tests.report.trained import decision, training, with_training

CHANCE = [True] * 30 + [False] * 30


def about(run):
    return [step.about for step in next_steps(run)]


def doubtful(run, n):
    """The run with so many doubtful labels."""
    suspects = tuple(Suspect(int(index), 1, 0.9, 0.05) for index in run.split.train[:n])
    return dataclasses.replace(run, trust=dataclasses.replace(run.trust, suspects=suspects))


def found(run, *codes):
    findings = tuple(Finding(code, f"What is said about {code}.") for code in codes)
    return dataclasses.replace(run, table=dataclasses.replace(run.table, findings=findings))


def looked_up(result, place):
    for key in place.split("."):
        result = result[int(key)] if isinstance(result, list | tuple) else result[key]
    return result


def test_what_makes_the_figure_untrue_comes_first(leaking, make_run):
    assert about(leaking)[0] == "leaks"
    first = next_steps(leaking)[0]
    assert first.urgent
    assert first.evidence.startswith("Without the copies 50.0 % of 52 test pictures are right")
    torn = found(doubtful(trusted(make_run()), 10), "copies-two-labels")
    assert about(torn)[:2] == ["copies-two-labels", "labels"]
    assert next_steps(torn)[0].evidence == "What is said about copies-two-labels."


def test_a_model_no_better_than_the_baseline_asks_for_a_look_at_the_labels(make_run):
    assert about(with_answers(make_run(), CHANCE))[0] == "baseline"
    assert about(with_answers(make_run(), [True] * 8))[0] == "few"


def test_labels_come_before_pictures_only_where_they_may_cost_more(make_run):
    run = trusted(make_run(skill=1.5))
    gain = next(step for step in next_steps(run) if step.about == "pictures").numbers
    n_train = len(run.split.train)
    assert gain["trust.growth.forecasts.1.gain.0"] < gain["trust.growth.forecasts.1.gain.1"]
    assert about(doubtful(run, 1))[:2] == ["pictures", "labels"]
    assert about(doubtful(run, int(0.19 * n_train)))[0] == "labels"
    assert "labels" not in about(doubtful(run, int(MANY_DOUBTS * n_train) + 1))  # then it is the model that is wrong


def test_more_pictures_are_asked_for_only_where_they_gain(make_run):
    run = trusted(make_run(skill=1.5))
    flat = tuple(dataclasses.replace(each, accuracy=run.held_out.accuracy) for each in run.trust.growth.forecasts)
    level = dataclasses.replace(run.trust, growth=dataclasses.replace(run.trust.growth, forecasts=flat))
    assert "pictures" in about(run)
    assert "pictures" not in about(dataclasses.replace(run, trust=level))


def test_the_class_that_gains_most_is_named_where_that_is_sure(make_run):
    run = trusted(make_run(classes=("ant", "bee", "cow"), skill=1.5))
    step = next(step for step in next_steps(run) if step.about == "pictures")
    first = run.trust.growth.classes[0]
    assert first.interval[0] > 0.002
    assert step.text.endswith(f"first of all of '{first.name}'")
    assert f"Of '{first.name}' itself" in step.evidence
    assert f"{100 * first.interval[1]:+.1f} points more would be recognised" in step.evidence
    two = next(step for step in next_steps(trusted(make_run(skill=1.5))) if step.about == "pictures")
    assert "first of all" not in two.text


def test_cross_validation_is_proposed_once_and_where_every_class_suffices(make_run):
    run = dataclasses.replace(trusted(make_run(), left_out=("Not found out.",)), command="handful train 'my photos'")
    step = next(step for step in next_steps(run) if step.about == "folds")
    assert step.command == "handful train 'my photos' --folds 5 --repeats 3"
    assert "folds" not in about(crossed(run))
    assert "folds" not in about(dataclasses.replace(run, decision=decision()))  # its command asks for the way anew
    few = dataclasses.replace(run.split, train=run.split.train[run.table.labels[run.split.train] == 0])
    assert "folds" not in about(dataclasses.replace(run, split=few))


def test_unsure_answers_can_be_left_to_a_person(make_run):
    run = trusted(make_run(n_test=400, skill=1.6), left_out=("Not found out.",))
    run = dataclasses.replace(run, trust=dataclasses.replace(run.trust, cross=crossed(run).trust.cross))
    answered = float(np.mean(run.test_proba.max(axis=1) >= run.trust.rules.answer.confidence))
    step = next(step for step in next_steps(run) if step.about == "unsure")
    assert f"answers {percent(answered)} of the test pictures" in step.evidence
    assert f"instead of {percent(1 - run.evaluation.accuracy)}" in step.evidence


def test_where_nothing_was_wrong_nothing_is_left_to_people_or_blamed_on_labels(make_run):
    run = trusted(make_run(n_test=60, skill=1.6), left_out=("Not found out.",))
    right = np.eye(2)[run.table.labels[run.split.test]] * 0.2 + 0.4
    perfect = dataclasses.replace(run.evaluation, accuracy=1.0, accuracy_interval=(0.94, 1.0), majority_baseline=0.95)
    run = dataclasses.replace(run, test_proba=right, evaluation=perfect)
    assert {"unsure", "baseline"}.isdisjoint(about(run))


def test_pictures_belong_together_is_said_once_and_not_of_the_users_own_parts(make_run):
    run = found(make_run(), "runs", "look-alikes")
    assert about(run)[0] == "runs"
    assert "look-alikes" not in about(run)
    given = dataclasses.replace(run, split=dataclasses.replace(run.split, given=True))
    assert {"runs", "look-alikes"}.isdisjoint(about(given))


def test_doubtful_labels_of_a_validation_part_that_a_search_was_judged_by_gain_nothing(make_run):
    run = doubtful(trusted(make_run(skill=1.5)), 50)
    searched = dataclasses.replace(run, search=Search(60.0, (), "all was tried", n_judged=0))
    assert "teaches the wrong thing" in labels_step(searched).evidence
    judged = dataclasses.replace(searched, split=dataclasses.replace(run.split, validation=run.split.train[:5]))
    assert "misleads what is chosen" in labels_step(judged).evidence


def labels_step(run):
    return next(step for step in next_steps(run) if step.about == "labels")


def test_doubtful_labels_of_pictures_that_nothing_was_learnt_from_gain_nothing(make_run):
    run = with_training(doubtful(trusted(make_run(skill=1.5)), 50), training())
    step = next(step for step in next_steps(run) if step.about == "labels")
    assert "validation pictures" in step.evidence
    assert "misleads what is chosen" in step.evidence
    assert about(run)[0] == "pictures"


def test_classes_of_unlike_size_are_weighed_only_where_that_was_not_done(make_run):
    run = make_run(weights=(6.0, 1.0), skill=1.0)
    low = dataclasses.replace(run.evaluation, balanced_accuracy=run.evaluation.accuracy_interval[0] - 0.01)
    run = dataclasses.replace(run, evaluation=low)
    weighed = {**run.options, "class_weights": Resolved("balanced", "chosen by the user")}
    plain = {**run.options, "class_weights": Resolved("none", "default")}
    assert "skew" in about(dataclasses.replace(run, options=plain))
    assert "skew" not in about(dataclasses.replace(run, options=weighed))


def test_a_single_mistake_is_no_confusion_of_classes(make_run):
    assert about(with_answers(make_run(), [True] * 99 + [False])) == ["use"]
    assert "confusion" in about(with_answers(make_run(), [True] * 80 + [False] * 20))


@pytest.mark.parametrize("skill", [0.5, 1.5, 4.0])
def test_every_number_of_a_step_stands_in_the_result(make_run, skill):
    run = doubtful(trusted(make_run(classes=("ant", "bee", "cow"), n_test=300, skill=skill)), 40)
    steps, result = next_steps(run), result_dict(run)
    assert 0 < len(steps) <= N_STEPS
    assert any(step.numbers for step in steps)
    for step, written in zip(steps, result["next_steps"], strict=True):
        assert (written["text"], written["evidence"]) == (step.text, step.evidence)
        for place, value in step.numbers.items():
            assert looked_up(result, place) == pytest.approx(value)
        if step.numbers:
            shares = [each for value in step.numbers.values() for each in (value, 1 - value)]
            spelled = {f"{abs(100 * share):.1f}" for share in shares} | {f"{v:,}" for v in step.numbers.values()}
            said = set(re.findall(r"\d[\d,]*(?:\.\d+)?", f"{step.text} {step.evidence}")) - {"90", "100"}
            assert {each.rstrip(",") for each in said} <= spelled


def test_the_page_and_the_terminal_tell_them_and_no_remark_twice(make_run, tmp_path):
    run = with_answers(make_run(), CHANCE)
    page, steps = render_page(run, folder=tmp_path), next_steps(run)
    text = " ".join(page.replace("\N{NO-BREAK SPACE}", " ").split())
    assert text.index("What to do next") < text.index("Balanced accuracy")
    assert text.count("This is not shown to be better than always answering") == 1
    assert f'<li class="warning"><a href="#pictures">{steps[0].text}</a>' in text
    assert f"Next: {steps[0].text[0].lower()}{steps[0].text[1:]}; " in summary(run)
    for step in steps:
        assert f'id="{step.section}"' in page


def test_names_from_the_disk_stay_harmless(make_run, tmp_path):
    run = trusted(make_run(classes=("<b>", "bee\x1b", "cow"), skill=1.0))
    assert "<b>'" not in render_page(run, folder=tmp_path)
    assert "\x1b" not in summary(run)
