"""The page in a real browser, where one is installed."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from handful.report.page import render_page
from tests.report.trained import decision, training, tried, with_training

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

LONG_NAMES = ("Quercus robur subsp. pedunculiflora", "a_name_" * 9, "Donaudampfschifffahrtsgesellschaftskapitän", "ash")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def visit(browser, path, *, width, scheme="light"):
    """Returns the opened page, what its console said and what it asked for."""
    said, asked = [], []
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    return page, said, asked


def written(run, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(render_page(run, folder=Path("run")), encoding="utf-8")
    return path


def test_it_works_alone_at_every_width(browser, make_run, tmp_path):
    path = written(make_run(classes=LONG_NAMES, n_test=24, skill=1.0, drawn=True), tmp_path)
    for width in (360, 1280):
        page, said, asked = visit(browser, path, width=width)
        assert said == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        page.close()


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_follows_the_colours_of_the_system(browser, make_run, tmp_path, scheme, dark):
    page, _, _ = visit(browser, written(make_run(n_test=8), tmp_path), width=800, scheme=scheme)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background.removeprefix("rgb(").rstrip(")").split(","))
    assert (brightness < 200) == dark
    page.close()


def test_a_class_called_script_runs_nothing(browser, make_run, tmp_path):
    names = ("<script>document.title='run'</script>", "<img src=x onerror=\"document.title='run'\">")
    page, said, _ = visit(browser, written(make_run(classes=names, n_test=12), tmp_path), width=800)
    assert page.title() != "run"
    assert said == []
    page.close()


def test_curves_and_map_fit_at_every_width(browser, make_run, tmp_path):
    run = with_training(make_run(n_test=8), training(), training(per_epoch=300, turn=1))
    ways = (
        (0.8, None, None),
        (0.9, 0.1, 0.04),
        "not tried: it would take about 3 hours on this machine; --time 4h includes",
    )
    path = written(dataclasses.replace(run, decision=tried(decision(divergence=0.18, spread=2.0), *ways)), tmp_path)
    for width in (360, 390, 1280):
        page, said, _ = visit(browser, path, width=width)
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut_off = page.evaluate(
            """[...document.querySelectorAll("#why text, #learned text")].filter(text => {
                const box = text.getBoundingClientRect();
                return box.left < 0 || box.right > document.documentElement.clientWidth;
            }).length"""
        )
        assert cut_off == 0
        page.close()
