import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from handful.core.trust import Comparison, CrossValidation, Fold
from handful.evaluate import corrected_interval
from handful.report import result_dict, summary
from handful.report.folds import folds
from handful.report.page import render_page
from handful.report.reliance_figures import reliance_figures
from handful.report.tables import reliance_tables
from tests.report.test_reliance import trusted


def crossed(run, *, gain=0.0, spread=0.02, compared=True, n_repeats=3):
    """Returns the run with a cross-validation in 5 folds, whose gains scatter about `gain`."""
    rng = np.random.default_rng(0)
    accuracies = 0.85 + spread * rng.normal(size=5 * n_repeats)
    gains = gain + 0.01 * rng.normal(size=5 * n_repeats)
    done = tuple(
        Fold(place // 5, 240, 60, float(accuracies[place]), ("kernel",), float(gains[place]) if compared else None)
        for place in range(5 * n_repeats)
    )
    comparison = Comparison(
        "the kernel head",
        "the ridge head",
        float(gains.mean()),
        float(gains.std(ddof=1)),
        corrected_interval(gains, ratio=0.25),
    )
    interval = corrected_interval(accuracies, ratio=0.25)
    cross = CrossValidation(
        5,
        n_repeats,
        done,
        float(accuracies.mean()),
        float(accuracies.std(ddof=1)),
        interval,
        comparison if compared else None,
    )
    run = trusted(run)
    return dataclasses.replace(run, trust=dataclasses.replace(run.trust, cross=cross))


@pytest.fixture
def page(tmp_path):
    def text(run):
        whole = render_page(run, folder=tmp_path).replace("\N{NO-BREAK SPACE}", " ")
        return whole[whole.index('<section id="folds">') : whole.index('<section id="unsure">')]

    return text


def test_without_a_cross_validation_nothing_is_said(make_run, tmp_path):
    run = trusted(make_run())
    assert folds(run) is None
    assert result_dict(run)["cross_validation"] is None
    assert 'id="folds"' not in render_page(run, folder=tmp_path)
    assert "folds.csv" not in reliance_tables(run)


def test_the_page_has_mean_interval_and_a_dot_for_every_fold(make_run, page):
    run = crossed(make_run())
    text, cross = page(run), run.trust.cross
    assert f"<b>{100 * cross.accuracy:.1f} %</b> right on average over 5 folds, 3 times over" in text
    assert f"{100 * cross.interval[0]:.1f} to {100 * cross.interval[1]:.1f} %</b>" in text
    assert text.count("<circle") == 2 * 15


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (0.0, "no difference that these data can show"),
        (0.1, "So <b>the kernel head is better than the ridge head</b>"),
        (-0.1, "So <b>the ridge head is better than the kernel head</b>"),
    ],
)
def test_better_is_said_only_where_it_was_shown(make_run, page, gain, said):
    text = page(crossed(make_run(), gain=gain))
    assert said in text
    assert ("better than" in text) == (gain != 0.0)


def test_folds_that_agree_are_not_called_certain(make_run, page):
    assert "That is not certainty" in page(crossed(make_run(), spread=0.0))
    assert "That is not certainty" not in page(crossed(make_run()))


def test_without_a_runner_up_there_is_one_drawing(make_run, page):
    text = page(crossed(make_run(), compared=False))
    assert text.count("<circle") == 15
    assert "runner-up" not in text


def test_the_terminal_has_one_line_and_warnings_keep_theirs(make_run):
    run = crossed(make_run(n_test=8))
    lines = summary(run).splitlines()
    assert sum(line.startswith("Cross-validated, 5 folds, 3 times over: 8") for line in lines) == 1
    assert "between the kernel head and the ridge head no difference that these data can show." in summary(run)
    assert any(line.startswith("Warning: Only 8 pictures") for line in lines)


def test_the_result_and_the_table_hold_every_fold(make_run):
    run = crossed(make_run())
    written = json.loads(json.dumps(result_dict(run)))["cross_validation"]
    rows = list(csv.DictReader(io.StringIO(reliance_tables(run)["folds.csv"])))
    assert [each["accuracy"] for each in written["folds"]] == [float(row["accuracy"]) for row in rows]
    assert [(row["repeat"], row["fold"]) for row in rows[4:6]] == [("1", "5"), ("2", "1")]
    assert written["comparison"]["verdict"].endswith("no difference that these data can show")


@pytest.mark.parametrize("compared", [True, False])
def test_the_figure_is_drawn(make_run, compared):
    drawn = reliance_figures(crossed(make_run(n_test=12), compared=compared, n_repeats=1))
    assert {"folds.png", "folds.svg"} <= drawn.keys()
