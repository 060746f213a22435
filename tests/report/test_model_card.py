import dataclasses
import json

import pytest

from handful.report.model_card import card_dict, card_markdown
from handful.report.result import result_dict
from handful.report.text import percent, percent_range
from tests.report.test_reliance import trusted
from tests.report.test_remarks import with_answers


def test_it_has_the_parts_of_a_model_card(make_run):
    card = card_dict(make_run())
    assert list(card) == ["model", "intended_use", "limits", "metrics", "data", "weights", "reproduction"]
    assert card["data"]["licence"].startswith("not stated")
    assert [each["licence"] for each in card["weights"]] == [used.licence for used in make_run().weights]
    json.dumps(card, allow_nan=False)


def test_its_figures_are_those_of_the_result(make_run):
    run = make_run(skill=1.0)
    card, result = card_dict(run), result_dict(run)
    for name in ("accuracy", "accuracy_interval", "balanced_accuracy", "log_loss", "calibration_error", "n_test"):
        assert card["metrics"][name] == result[name]
    assert card["metrics"]["baseline"] == result["majority_baseline"]
    assert card["metrics"]["recall"] == {
        each["class"]: {"n_test": each["n_test"], "recall": each["recall"], "interval": each["recall_interval"]}
        for each in result["per_class"]
    }
    assert sum(card["data"]["n_train_by_class"].values()) == card["data"]["n_train"] == result["n_train"]
    assert (card["reproduction"]["command"], card["reproduction"]["seed"]) == (result["command"], result["seed"])


def test_people_read_the_same(make_run):
    run = trusted(make_run(skill=1.5))
    text, figures = card_markdown(run), run.evaluation
    assert text.startswith("# Model card: photos\n")
    assert f"{percent(figures.accuracy)} of 60 test pictures right" in text
    assert percent_range(figures.accuracy_interval) in text
    assert f"would give {percent(figures.majority_baseline)}" in text
    assert f"Below a confidence of {percent(run.trust.rules.answer.confidence)}" in text
    for used in run.weights:
        assert used.licence in text
        assert used.sha256 in text
    for each in figures.per_class:
        assert f"'{each.name}': {percent(each.recall)} of {each.n_test} test pictures recognised" in text


def test_what_cannot_be_relied_on_is_among_the_limits(make_run):
    run = with_answers(make_run(), [True] * 8)
    assert any("Only 8 pictures tested" in sentence for sentence in card_dict(run)["limits"])
    left_out = trusted(make_run(), left_out=("Not found out.",))
    assert "Not found out." in card_dict(left_out)["limits"]


@pytest.mark.parametrize("name", ["<b>", "[link](http://a)", "two\nlines", "a|b", "`code`"])
def test_names_from_the_disk_make_no_markdown(make_run, name):
    run = trusted(
        make_run(classes=(name, "dog"), n_test=30, weights=(9.0, 1.0)), left_out=(f"\n## '{name}' is unknown.",)
    )
    text = card_markdown(dataclasses.replace(run, command=f"handful train '{name}'"))
    assert name not in text
    assert len([line for line in text.splitlines() if line.startswith("#")]) == 8
