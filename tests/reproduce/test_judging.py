"""When a claim agrees, disagrees or cannot be told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from handful.reproduce.judging import Check, as_verdict, critical, judged
from handful.reproduce.measures import UNKNOWN, Estimate


def check(value, error=0.01, wanted="above", level=0.0, slack=0.0):
    return Check("first over second", Estimate(value, error), wanted, level, "points", slack)


@pytest.mark.parametrize(
    ("value", "word"), [(0.021, "agrees"), (0.019, "cannot tell"), (-0.019, "cannot tell"), (-0.021, "disagrees")]
)
def test_two_standard_errors_decide(value, word):
    assert judged([check(value)]) == word
    assert judged([check(-value, wanted="below")]) == word


@pytest.mark.parametrize(("value", "word"), [(0.1, "cannot tell"), (0.15, "agrees"), (0.05, "disagrees")])
def test_a_level_is_where_the_sides_meet(value, word):
    assert judged([check(value, level=0.1)]) == word


def test_a_gain_that_is_surely_too_small_is_none():
    assert judged([check(0.0, error=0.001, slack=0.0025)]) == "disagrees"
    assert judged([check(0.0, error=0.002, slack=0.0025)]) == "cannot tell"
    assert judged([check(0.003, error=0.001, slack=0.0025)]) == "agrees"


def test_all_checks_have_to_hold_and_one_refutes():
    holds, open_, fails = check(0.1), check(0.0), check(-0.1)
    assert judged([holds, holds]) == "agrees"
    assert judged([holds, open_]) == "cannot tell"
    assert judged([holds, open_, fails]) == "disagrees"
    assert judged([]) == "cannot tell"


def test_one_of_several_checks_refutes_by_more_than_two_standard_errors():
    assert judged([check(-0.022)]) == "disagrees"
    assert judged([check(-0.022), check(0.1), check(0.1)]) == "cannot tell"


def test_several_comparisons_err_together_as_often_as_one():
    draws = np.random.default_rng(0).normal(size=(20_000, 10))
    one, most = np.mean(abs(draws[:, 0]) > critical(1)), np.mean(abs(draws).max(axis=1) > critical(10))
    assert one == pytest.approx(0.0455, abs=0.005)
    assert most == pytest.approx(0.0455, abs=0.008)


def test_what_could_not_be_measured_cannot_be_told():
    verdict = as_verdict("9a", "it overfits", [Check("gap", UNKNOWN, "above", 0.1, "points")])
    assert verdict.verdict == "cannot tell"
    assert verdict.sentence == "Gap: no training came to its end."
    assert math.isnan(verdict.numbers["gap"]["value"])


def test_the_sentence_gives_the_measurement_two_standard_errors_and_what_was_expected():
    checks = [check(0.031, 0.004), Check("accuracy", Estimate(0.8349, 0.0102), "below", 0.85, "share")]
    verdict = as_verdict("7a", "more is better", checks)
    assert verdict.sentence == (
        "First over second: +3.1 ± 0.8 points (expected: above 0); accuracy: 83.5 ± 2.0 % (expected: below 85 %)."
    )
    assert verdict.numbers["accuracy"] == {
        "value": 0.8349, "standard_error": 0.0102, "unit": "share", "expected": "below", "level": 0.85, "holds": False,
    }  # fmt: skip


def test_what_several_measurements_are_expected_to_be_is_said_once():
    verdict = as_verdict("7a", "best in the middle", [check(0.031, 0.004), check(0.0), check(0.1, level=0.05)])
    assert verdict.sentence == (
        "First over second: +3.1 ± 0.8 points, first over second: +0.0 ± 2.0 points (each expected: above 0); "
        "first over second: +10.0 ± 2.0 points (expected: above 5)."
    )


def test_a_reason_comes_before_the_measurements():
    verdict = as_verdict("9a", "it overfits", [check(0.1)], word="not tested in this mode", reason="Nothing learns.")
    assert verdict.verdict == "not tested in this mode"
    assert verdict.sentence.startswith("Nothing learns. First over second")
