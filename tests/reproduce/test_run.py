"""A whole reproduction on drawn pictures, with the toy network."""

from __future__ import annotations

import csv
import html
import json
from dataclasses import replace

import numpy as np
import pytest

from handful.core.errors import ConfigError, HandfulError
from handful.reproduce import reproduce, run
from handful.reproduce.claims import CLAIMS
from handful.reproduce.experiments import FIGURES, FURTHER
from handful.reproduce.run import asked_for


def test_everything_leaves_a_page_verdicts_and_three_files_per_figure(whole):
    _, out = whole
    assert (out / "index.html").is_file()
    names = [*FIGURES, "long", "networks"]
    expected = {f"figure-{name}.{kind}" for name in names for kind in ("csv", "png", "svg")}
    assert {path.name for path in (out / "figures").iterdir()} == expected


def test_every_claim_has_a_verdict_with_its_numbers(whole):
    made, out = whole
    verdicts = json.loads((out / "verdicts.json").read_text())["verdicts"]
    assert [each["claim"] for each in verdicts] == [claim.text for claim in CLAIMS]
    assert {each["verdict"] for each in verdicts} <= {"agrees", "disagrees", "cannot tell", "not tested in this mode"}
    assert all(each["numbers"] for each in verdicts if each["verdict"] in ("agrees", "disagrees"))
    assert all(each["verdict"] == "cannot tell" for each in verdicts if each["figure"] in ("10", "best"))
    assert {verdict.figure for verdict in made.verdicts} == {*FIGURES, *FURTHER}


def test_the_page_says_that_these_are_other_pictures_and_another_network(whole):
    made, out = whole
    assert made.network == "Toy, features at head: not the paper's network."
    assert "these are 42 in circle, flower, hexagon, square, star" in made.cautions[0]
    assert "the sizes of figure 6 are scaled" in made.cautions[1]
    page = html.unescape((out / "index.html").read_text())
    assert made.network in page
    assert all(caution in page for caution in made.cautions)


def test_a_figures_table_holds_every_training(whole):
    made, out = whole
    rows = list(csv.DictReader((out / "figures" / "figure-7a.csv").read_text().splitlines()))
    results = [result for setting in made.evidence.measured["7a"].settings for result in setting.results]
    assert len(rows) == len(results) == 10
    for row, result in zip(rows, results, strict=True):
        assert (row["seed"], row["status"]) == (str(result.trial.seed), result.status)
        if result.accuracy is not None:
            assert float(row["validation_accuracy"]) == result.accuracy


def test_the_numbers_are_those_of_the_trainings(whole):
    made, out = whole
    verdicts = json.loads((out / "verdicts.json").read_text())["verdicts"]
    (grows, _) = (each for each in verdicts if each["figure"] == "6")
    measured = made.evidence.measured["6"]
    ends = [np.mean([result.accuracy for result in measured.settings[index].results]) for index in (-1, 0)]
    first, last = (measured.experiment.points[index].label for index in (0, -1))
    assert grows["numbers"][f"{last} over {first}"]["value"] == pytest.approx(ends[0] - ends[1])


def test_equal_settings_are_trained_once(whole):
    made, out = whole
    unlike = made.evidence.unlike
    assert len(list((out / "trials").iterdir())) == made.n_trained + len(unlike.results)


def test_a_finished_reproduction_is_not_overwritten(whole):
    made, _ = whole
    with pytest.raises(HandfulError, match="holds a finished reproduction, whose test part was read"):
        reproduce(made.request)


def test_one_figure_reads_no_test_part_and_trains_no_more_than_it_needs(request_for):
    made = reproduce(request_for(figures=("8a",)))
    assert {each.figure for each in made.verdicts} == {"8a"}
    assert (made.evidence.test, made.best, made.n_trained) == (None, None, 10)
    assert made.directions[0].startswith("Weight decay")


def test_a_reproduction_that_was_stopped_goes_on_and_comes_to_the_same(request_for, monkeypatch):
    request = request_for(figures=("9a",))

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_reproduction", stopped)
        with pytest.raises(KeyboardInterrupt):
            reproduce(request)
    before = {path.name: path.stat().st_mtime_ns for path in (request.out / "trials").iterdir()}
    again = reproduce(request)
    assert {path.name: path.stat().st_mtime_ns for path in (request.out / "trials").iterdir()} == before
    fresh = reproduce(replace(request, out=request.out.with_name("fresh")))
    assert again.verdicts == fresh.verdicts


def test_a_folder_with_something_else_in_it_is_refused(request_for):
    request = request_for(figures=("8a",))
    request.out.mkdir()
    (request.out / "mine.txt").write_text("keep")
    with pytest.raises(HandfulError, match="exists already, and nothing is overwritten"):
        reproduce(request)


@pytest.mark.parametrize("figures", [(), ("all",), ("6", "all")])
def test_no_figure_or_all_is_everything(figures):
    assert asked_for(figures) == (*FIGURES, *FURTHER)


def test_figures_come_in_the_papers_order():
    assert asked_for(("12b", "6", "7a")) == ("6", "7a", "12b")


def test_an_unknown_figure_names_the_nearest():
    with pytest.raises(ConfigError, match=r"no figure '12c' to reproduce\. Did you mean '12[ab]'"):
        asked_for(("12c",))


def test_finetune_trains_every_layer(request_for):
    made = reproduce(request_for(figures=("9a",), mode="finetune", n_seeds=1))
    assert all(setting.options["strategy"] == "full" for setting in made.evidence.measured["9a"].settings)
    assert all(each.verdict != "not tested in this mode" for each in made.verdicts)
