import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from sklearn.metrics import recall_score, roc_auc_score

from handful.core.trust import Familiar, Rules, Trust
from handful.evaluate import choose_answering, choose_sets, choose_threshold, forecast, risk_curve, wilson_interval
from handful.report import result_dict
from handful.report.page import render_page
from handful.report.reliance import reliance
from handful.report.reliance_figures import reliance_figures
from handful.report.tables import reliance_tables

LEFT_OUT = "What more pictures would bring is not forecast: <b>too few</b>."


def trusted(run, *, risk=0.05, miss=None, left_out=()):
    """Returns the run with rules chosen on its held-out probabilities, as `train` chooses them."""
    labels = run.table.labels[run.split.train]
    proba = run.heads[0].held_out_proba
    rng = np.random.default_rng(0)
    rules = Rules(
        choose_answering(proba, labels, risk=risk),
        choose_sets(proba, labels, coverage=0.9),
        None if miss is None else choose_threshold(proba, labels, label=miss, limit=0.05),
        None if left_out else Familiar(np.eye(4, dtype=np.float32), np.linspace(0.1, 0.4, 200)),
    )
    growth = None
    if not left_out:
        sizes = np.array([25, 50, 100, 150, 200])
        wrong = rng.random((5, len(labels))) < 0.5 * (sizes[:, None] / 25) ** -0.4
        growth = forecast(
            sizes,
            wrong.astype(float),
            labels=labels,
            held_out_wrong=proba.argmax(axis=1) != labels,
            classes=run.table.classes,
            n_test=len(run.split.test),
            seed=0,
        )
    distances = None if left_out else np.r_[0.5, 0.39, np.full(len(run.split.test) - 2, 0.2)]
    return dataclasses.replace(run, trust=Trust(rules, risk_curve(proba, labels), growth, distances, left_out))


@pytest.fixture
def page(tmp_path):
    return lambda run: render_page(run, folder=tmp_path / "run")


def test_a_run_without_rules_says_nothing_about_them(make_run, page):
    assert reliance(make_run()) is None
    assert result_dict(make_run())["trust"] is None
    assert "When it should not answer" not in page(make_run())
    assert reliance_figures(make_run()) == reliance_tables(make_run()) == {}


def test_rules_are_measured_on_the_test_part(make_run):
    run = trusted(make_run(n_test=200, skill=1.5), miss=1)
    known = reliance(run)
    labels, confidence = run.table.labels[run.split.test], run.test_proba.max(axis=1)
    answered = confidence >= run.trust.rules.answer.confidence
    n_wrong = int((run.test_proba.argmax(axis=1) != labels)[answered].sum())
    assert 0 < known.answered.n < 200
    assert (known.answered.n, known.wrong.n, known.wrong.of) == (answered.sum(), n_wrong, answered.sum())
    assert known.wrong.interval == wilson_interval(n_wrong, int(answered.sum()))
    assert known.unlike.n == 1  # 0.5 is farther than all of 200; 0.39 is farther than 194 of them
    assert known.covered.share == pytest.approx(0.9, abs=0.06)
    assert sum(n for _, n in known.sizes) == 200


def test_one_class_is_measured_against_the_others(make_run):
    run = trusted(make_run(classes=("a", "b", "c"), n_test=150, skill=1.2), miss=2)
    operating = reliance(run).operating
    labels = run.table.labels[run.split.test]
    called = run.test_proba[:, 2] >= run.trust.rules.miss.probability
    assert operating.name == "c"
    assert operating.curve.area == pytest.approx(roc_auc_score(labels == 2, run.test_proba[:, 2]))
    assert 1.0 - operating.chosen.missed.share == pytest.approx(recall_score(labels == 2, called))
    assert operating.chosen.alarms.share == pytest.approx(called[labels != 2].mean())
    assert operating.chosen.missed.share < operating.even.missed.share


def test_of_two_classes_the_rarer_is_looked_for_and_of_more_none(make_run):
    assert reliance(trusted(make_run(weights=(5.0, 1.0)))).operating.name == "dog"
    assert reliance(trusted(make_run(classes=("a", "b", "c")))).operating is None


def numbers_in(value):
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers_in(each)]
    if isinstance(value, list | tuple):
        return [number for each in value for number in numbers_in(each)]
    return [value] if isinstance(value, int | float) else []


def test_every_share_on_the_page_is_in_the_result(make_run, page):
    run = trusted(make_run(n_test=200, skill=1.5), miss=1)
    text = page(run)
    sections = text[text.index('id="unsure"') : text.index('id="data"')]
    result = json.loads(json.dumps(result_dict(run)))
    known = {f"{100 * number:.1f}" for number in numbers_in(result["trust"]) + numbers_in(result["held_out"])}
    body = "".join(part.split("</svg>")[-1] for part in sections.split("<svg"))  # without ticks of the drawings
    shown = {word.split(">")[-1] for word in body.replace("\N{NO-BREAK SPACE}", " ").split() if "." in word}
    shares = {word.strip("(,)").removesuffix("</b>") for word in shown}
    shares = {word for word in shares if word.replace(".", "").isdigit() and word.count(".") == 1}
    assert len(shares) > 15
    assert {word for word in shares if word not in known and float(word) not in (0.05, 0.95, 0.02, 1.5)} <= {
        f"{number:.3f}" for number in numbers_in(result["trust"])
    }


def test_what_was_left_out_is_said(make_run, page):
    run = trusted(make_run(), left_out=(LEFT_OUT,))
    assert "&lt;b&gt;too few&lt;/b&gt;" in page(run)
    result = result_dict(run)["trust"]
    assert (result["left_out"], result["growth"], result["unlike"]) == ([LEFT_OUT], None, None)


@pytest.mark.parametrize(
    ("skill", "risk", "sentence"),
    [
        (0.2, 0.01, "Not even its most confident answers can promise that at most 1.0 % are wrong"),
        (6.0, 0.2, "It may always answer."),
        (1.5, 0.05, "and otherwise says &ldquo;unsure&rdquo;"),
    ],
)
def test_the_page_says_when_not_to_answer(make_run, page, skill, risk, sentence):
    text = page(trusted(make_run(skill=skill), risk=risk)).replace("\N{NO-BREAK SPACE}", " ")
    assert sentence in text


def test_too_few_pictures_of_a_class_are_said_to_be_too_few(make_run, page):
    run = trusted(make_run(n_test=20, weights=(8.0, 1.0)), miss=1)
    assert run.trust.rules.miss.promised > 0.05
    assert "too few to promise that" in page(run)


def test_the_figures_and_their_numbers_are_written(make_run):
    run = trusted(make_run(n_test=40), miss=0)
    drawn, tables = reliance_figures(run), reliance_tables(run)
    assert {name.rsplit(".")[0] for name in drawn} == {name.removesuffix(".csv") for name in tables}
    assert drawn.keys() == {f"{name}.{kind}" for name in ("risk", "operating", "growth") for kind in ("png", "svg")}
    rows = list(csv.DictReader(io.StringIO(tables["growth.csv"])))
    assert [row["what"] for row in rows] == ["measured"] * 5 + ["now"] + ["forecast"] * 3
    assert float(rows[-1]["low"]) == run.trust.growth.forecasts[-1].interval[0]


def test_few_test_pictures_get_no_curve_of_risk(make_run):
    assert reliance(trusted(make_run(n_test=12))).risk_chart is None
    assert "risk.png" not in reliance_figures(trusted(make_run(n_test=12)))


def test_hostile_names_are_escaped(make_run, page):
    text = page(trusted(make_run(classes=("<script>", "$\\x")), miss=0))
    assert "<script>" not in text
