"""Advice comes from the measured numbers alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handful.reproduce.directions import directions
from tests.reproduce.made import Truth, evidence, opposite_world, papers_world


@pytest.fixture(scope="module")
def papers():
    return evidence(papers_world, unlike=0.55)


def about(found, start):
    (sentence,) = (each for each in directions(found) if each.startswith(start))
    return sentence


def test_the_best_value_is_named_with_those_not_shown_to_be_worse(papers):
    assert about(papers, "Learning rate").startswith("Learning rate: 0.0001 (86.0")
    assert "every other is worse" in about(papers, "Learning rate")
    assert "0.0001 not shown to be worse" in about(papers, "Weight decay") or (
        "0.00005 not shown to be worse" in about(papers, "Weight decay")
    )


def test_values_that_are_all_alike_leave_the_choice_free():
    found = evidence(lambda options: Truth(0.8, 0.9))
    assert about(found, "Learning rate").startswith("Learning rate: any of 0.1, 0.01, 0.001, 0.0001, 0.00001;")
    assert about(found, "Network").startswith("Network: either; no difference is shown")


def test_the_better_network_is_advised(papers):
    assert about(papers, "Network").startswith("Network: efficientnet-lite0 (efficientnet-lite0 against alexnet")
    assert about(evidence(opposite_world), "Network").startswith("Network: alexnet (")


def test_more_pictures_are_advised_where_they_help(papers):
    assert "2,000 instead of 1,000" in about(papers, "Pictures:")
    assert "more pictures still help" in about(papers, "Pictures:")
    assert "no gain is shown any more" in about(evidence(opposite_world), "Pictures:")


def test_epochs_are_enough_where_the_curve_has_come_within_its_error(papers):
    # 0.86 (1 - e^(-t/5)), its error at the end sqrt(.86 * .14 / 400 / 3) = 1.0 %: reached from t = 5 ln(.86 / .01) on
    assert about(papers, "Epochs").startswith("Epochs: 23 are enough")


def test_epochs_are_not_enough_as_long_as_accuracy_falls_again(papers):
    def falls(result):
        curve = list(result.curve)
        curve[29] = replace(curve[29], validation_accuracy=0.5)
        return replace(result, curve=tuple(curve))

    measured = papers.measured["10"]
    (setting,) = measured.settings
    bumpy = replace(measured, settings=(replace(setting, results=tuple(map(falls, setting.results))),))
    found = replace(papers, measured={**papers.measured, "10": bumpy})
    assert about(found, "Epochs").startswith("Epochs: 31 are enough")


def test_only_what_was_measured_is_advice(papers):
    only = replace(papers, measured={"11": papers.measured["11"]}, unlike=None)
    assert [each.partition(":")[0] for each in directions(only)] == ["Factor of the last layer's rate"]
