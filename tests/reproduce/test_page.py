"""The page, its drawings, and how it looks in a real browser where one is installed."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handful.reproduce.claims import judge
from handful.reproduce.directions import directions
from handful.reproduce.drawing import course, draw
from handful.reproduce.experiments import FIGURES
from handful.reproduce.page import headline, render_page
from handful.reproduce.records import Reproduction, Request, Verdict
from tests.reproduce.made import Truth, evidence, opposite_world, papers_world, setting

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def made_up(world=papers_world, *, mode="features", classes=("airplane", "automobile", "bird", "cat", "deer")):
    """Returns a finished reproduction of made-up results."""
    found = evidence(world, mode=mode, test=0.835, unlike=0.7)
    request = Request(None, Path("out"), (), 3, mode, (), None, None, 2, False)
    return Reproduction(
        request=request,
        evidence=found,
        verdicts=judge(found),
        directions=directions(found),
        best=found.measured["7a"].settings[2].options,
        network="AlexNet's convolutions, with the new layers on pool5.",
        cautions=("The paper does not name its five classes.",),
        classes=classes,
        n_learn=2400,
        n_validation=400,
        n_test=400,
        n_trained=120,
        versions={"handful": "0.1.0", "torch": "2.13"},
        machine="Linux, 2 cores",
        command="handful reproduce all --mode features --seeds 3",
        seconds=301.0,
    )


@pytest.fixture(scope="module")
def images():
    """Small stand-ins for the drawings."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="360" height="220"><text x="9" y="20">drawn</text></svg>'
    return {f"figure-{name}.svg": svg for name in (*FIGURES, "long", "networks", "scratch")}


def test_the_first_sentence_counts_the_verdicts():
    words = ["agrees"] * 2 + ["disagrees"] + ["cannot tell"] * 3 + ["not tested in this mode"]
    verdicts = [Verdict("6", str(index), word, "", {}) for index, word in enumerate(words)]
    assert headline(verdicts) == "2 of 7 claims agree, 1 disagrees, 3 cannot be told, 1 not tested in this mode."


def test_the_page_holds_every_claim_verdict_and_direction(images):
    reproduction = made_up()
    page = render_page(reproduction, images)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)).replace("&#39;", "'").replace("\N{NO-BREAK SPACE}", " ")
    for each in reproduction.verdicts:
        assert each.claim in text
        assert each.sentence in text
    for each in reproduction.directions:
        assert each in text
    assert headline(reproduction.verdicts) in text
    assert "83.5 % of 400 test pictures" in text
    assert "the paper reports over 85" in text


def test_a_page_of_one_figure_has_no_further_claims_and_no_test_part(images):
    reproduction = made_up()
    measured = {"8a": reproduction.evidence.measured["8a"]}
    found = replace(reproduction.evidence, measured=measured, asked=("8a",), test=None)
    page = render_page(replace(reproduction, evidence=found, verdicts=judge(found), best=None), images)
    assert "Claims of the text" not in page
    assert "Test was read once" not in page
    assert page.count("<section") == 3


def test_the_best_setting_is_told_by_what_differs_from_the_default(images):
    reproduction = made_up()
    measured = reproduction.evidence.measured
    page = render_page(replace(reproduction, best=measured["11"].settings[-1].options), images)
    assert "(weight factor 50, bias factor 100)" in page
    page = render_page(replace(reproduction, best=measured["11"].settings[3].options), images)
    assert "(the default setting)" in page


def test_names_of_classes_cannot_become_markup(images):
    page = render_page(made_up(classes=("<script>alert(1)</script>", "b", "c", "d", "e")), images)
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.painted
@pytest.mark.parametrize("name", ["7a", "10"])
def test_a_figure_is_drawn_in_both_formats_with_its_axis_and_the_papers_level(name):
    measured = evidence(papers_world, mode="features").measured[name]
    drawn = draw(measured, chance=0.2)
    assert set(drawn) == {f"figure-{name}.png", f"figure-{name}.svg"}
    svg = drawn[f"figure-{name}.svg"].decode()
    assert measured.experiment.axis in svg
    assert ("the paper: 83 %" in svg) == (name == "10")
    assert "chance" in svg


@pytest.mark.painted
def test_trainings_that_failed_are_told_in_the_figure():
    def truth(options):
        return Truth(0.0, 0.0, fails=True) if options["lr"] == 0.1 else papers_world(options)

    drawn = draw(evidence(truth, mode="features").measured["7a"], chance=0.2)
    assert "3 failed" in drawn["figure-7a.svg"].decode()


def test_curves_are_the_mean_of_the_seeds_that_still_train():
    one = setting({"epochs": 3}, Truth(0.8, 0.9))
    short = replace(one.results[0], curve=one.results[0].curve[:2])
    training, validation = course(replace(one, results=(short, *one.results[1:])))
    assert len(training) == len(validation) == 3
    assert training[2] == pytest.approx(np.mean([result.curve[2].accuracy for result in one.results[1:]]))
    assert validation[0] == pytest.approx(np.mean([result.curve[0].validation_accuracy for result in one.results]))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_works_alone_at_every_width(images, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "index.html"
    path.write_text(render_page(made_up(opposite_world, mode="finetune"), images), encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in (360, 1280):
            said, asked = [], []
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(path.as_uri())
            assert said == []
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
            page.close()
        browser.close()
