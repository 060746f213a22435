"""Verdicts where the truth is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from handful.reproduce.claims import CLAIMS, judge
from handful.reproduce.experiments import FIGURES, FURTHER
from tests.reproduce.made import Truth, evidence, opposite_world, papers_world

TEXTS = [claim.text for claim in CLAIMS]


def by_claim(found):
    return {(each.figure, each.claim): each for each in judge(found)}


@pytest.fixture(scope="module")
def papers():
    return evidence(papers_world, test=0.91, unlike=0.55)


@pytest.fixture(scope="module")
def true(papers):
    return by_claim(papers)


@pytest.fixture(scope="module")
def false():
    return by_claim(evidence(opposite_world, test=0.60, unlike=0.97))


@pytest.fixture(scope="module")
def unclear():
    """A few pictures, as hard for one setting as they like: nothing can be told."""

    def truth(options):
        if options["strategy"] == "scratch":
            return Truth(0.72, 0.80)
        return Truth(0.24 if options["lr"] in (0.1, 0.01) else 0.84, 0.94)

    return by_claim(evidence(truth, test=0.85, unlike=0.75, n_seeds=2, n=25, n_test=40, independent=True))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.figure}-{claim.text[:30]}")
def test_a_true_claim_agrees(true, claim):
    verdict = true[claim.figure, claim.text]
    assert verdict.verdict == "agrees", verdict.sentence


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.figure}-{claim.text[:30]}")
def test_a_false_claim_disagrees(false, claim):
    verdict = false[claim.figure, claim.text]
    assert verdict.verdict == "disagrees", verdict.sentence


@pytest.mark.parametrize(
    "claim",
    [claim for claim in CLAIMS if claim.figure != "8b" and "threshold" not in claim.text],
    ids=lambda claim: f"{claim.figure}-{claim.text[:30]}",
)
def test_few_pictures_cannot_tell(unclear, claim):
    verdict = unclear[claim.figure, claim.text]
    assert verdict.verdict == "cannot tell", verdict.sentence


def test_every_figure_and_every_claim_of_the_text_is_judged(true):
    assert {figure for figure, _ in true} == {*FIGURES, *FURTHER}
    assert len({*TEXTS}) == len(TEXTS)


def test_with_the_trunk_fixed_claims_about_imported_layers_are_not_tested():
    found = judge(evidence(papers_world, mode="features", test=0.91, unlike=0.55))
    counts = Counter(each.verdict for each in found)
    assert counts["not tested in this mode"] == 7
    untested = {each.figure for each in found if each.verdict == "not tested in this mode"}
    assert untested == {"7b", "9a", "9b", "12a", "12b", "scratch"}
    assert all("--mode finetune" in each.sentence for each in found if each.figure == "12a")


def test_the_papers_accuracies_say_nothing_about_other_pictures(papers):
    found = judge(replace(papers, is_papers=False))
    unsure = [each for each in found if each.verdict == "cannot tell"]
    assert [each.figure for each in unsure] == ["6", "10", "best"]
    assert all("other pictures than the paper's" in each.sentence for each in unsure)


def test_without_the_solar_cells_the_verdict_says_how_to_get_them(papers):
    (verdict,) = (each for each in judge(replace(papers, unlike=None)) if each.figure == "unlike")
    assert verdict.verdict == "cannot tell"
    assert "pip install 'handful[demo]'" in verdict.sentence


def changed(found, name, label, make):
    """Returns the evidence with one setting's results made anew from the old ones."""
    measured = found.measured[name]
    labels = [point.label for point in measured.experiment.points]
    settings = tuple(
        replace(setting, results=tuple(make(setting.results))) if one == label else setting
        for one, setting in zip(labels, measured.settings, strict=True)
    )
    return replace(found, measured={**found.measured, name: replace(measured, settings=settings)})


def failed(results):
    return [replace(each, status="failed", curve=each.curve[:1], right=(), failed_at=7) for each in results]


def test_a_rate_at_which_training_fails_is_no_better_than_chance(papers):
    verdicts = judge(changed(papers, "7a", "0.1", failed))
    assert [each.verdict for each in verdicts if each.figure == "7a"] == ["agrees"] * 3


def test_a_claim_about_trainings_that_all_failed_cannot_be_told(papers):
    (verdict,) = (each for each in judge(changed(papers, "9a", "16", failed)) if each.figure == "9a")
    assert verdict.verdict == "cannot tell"
    assert "no training came to its end" in verdict.sentence


def test_trainings_that_stop_with_some_seeds_only_cannot_tell(papers):
    def one_goes_on(results):
        longer = (
            *results[0].curve,
            *(replace(results[0].curve[-1], epoch=epoch, step=250 * epoch) for epoch in range(13, 21)),
        )
        return [replace(results[0], curve=longer), *results[1:]]

    verdicts = judge(changed(papers, "9b", "8", one_goes_on))
    (verdict,) = (each for each in verdicts if "threshold" in each.claim)
    assert verdict.verdict == "cannot tell"
    assert "mini-batch 8 that it stopped: 66.7 ± 66.7 %" in verdict.sentence


def test_a_figure_that_was_not_asked_for_is_not_judged(papers):
    assert {each.figure for each in judge(replace(papers, asked=("7a", "10")))} == {"7a", "10"}
