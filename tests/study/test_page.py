import dataclasses
import re
import shutil
from html import unescape
from html.parser import HTMLParser

import pytest

from handful.core.study import Axis
from handful.study.page import MOST_UNFINISHED, N_SETTINGS, render_page, write_page
from tests.study.made import FAILS, grid_study, one_axis, result, search_study, setting, study, two_axes

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SPACE = "\N{NO-BREAK SPACE}"


class Tags(HTMLParser):
    """Collects elements and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def words(html):
    return " ".join(" ".join(Tags(html).text).replace(SPACE, " ").split())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Returns the folder of a study of two options."""
    folder = tmp_path_factory.mktemp("pages") / "two ways"
    write_page(two_axes(), folder)
    return folder


def test_the_folder_has_the_page_the_plots_and_the_trials(written):
    files = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
    plots = {
        f"plots/{name}.{kind}"
        for name in ("effect-l2", "effect-batch", "table", "learning")
        for kind in ("png", "svg", "csv")
    }
    assert files == {"index.html", "trials.csv", *plots}


def test_the_page_asks_for_nothing(written):
    html = (written / "index.html").read_text(encoding="utf-8")
    page = Tags(html)
    assert page.of("script") == []
    assert "default-src 'none'" in page.of("meta")[1]["content"]
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.of("img"))
    assert all(link["href"].startswith(("#", "data:")) for link in page.of("a") + page.of("link"))
    assert not re.search(r"url\(", html)


def test_the_first_lines_say_what_is_best_how_sure_that_is_and_what_to_do(written):
    made = two_axes()
    best = made.settings[made.best]
    text = words((written / "index.html").read_text(encoding="utf-8"))
    assert (
        f"l2 0.0005, batch 32 is best: {100 * best.accuracy:.1f} % \N{PLUS-MINUS SIGN} {100 * best.spread:.1f}" in text
    )
    assert "4 of the other 13 settings are within the noise." in text.lower()
    assert "no difference that these pictures can show" in text
    assert f"handful train --from-study '{written}'" in text


def test_every_drawing_has_words_and_every_section_a_link(written):
    page = Tags((written / "index.html").read_text(encoding="utf-8"))
    assert all(len(image["alt"]) > 30 for image in page.of("img"))
    ids = {attributes.get("id") for _, attributes in page.found}
    assert {link["href"].removeprefix("#") for link in page.of("a")} <= ids
    assert len(page.of("h1")) == 1


def test_it_says_that_test_was_not_read_and_that_the_best_looks_too_good(written):
    text = words((written / "index.html").read_text(encoding="utf-8"))
    assert "The 400 test pictures were not read" in text
    assert "The best of many looks better than it is." in text
    assert "judged with the one that had no say" in text


def test_what_failed_is_listed_with_the_reason(written):
    text = words((written / "index.html").read_text(encoding="utf-8"))
    assert text.count("failed: the loss was nan at update 87") == 3


def test_a_study_without_a_result_has_a_page_that_says_so(tmp_path):
    write_page(grid_study([Axis("lr", (0.1, 1.0))], lambda options: FAILS), tmp_path)
    text = words((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert "No result No setting was trained to the end." in text
    assert "handful train" not in text


def test_a_search_names_its_best_and_unfolds_the_rest(tmp_path):
    made = search_study()
    html = render_page(made, (), folder=tmp_path)
    assert "The best of 60 settings: " in words(html)
    assert f"{sum(each.accuracy is not None for each in made.settings) - N_SETTINGS} more settings" in words(html)
    assert "lr, varied 1e-5 to 1, by its logarithm" in words(html)
    assert "drawn by Optuna's TPE" in words(html)


def test_many_failures_are_cut_and_the_rest_is_named(tmp_path):
    made = grid_study([Axis("lr", tuple(float(rate) for rate in range(1, 21)))], lambda options: FAILS, n_seeds=1)
    assert f"And {20 - MOST_UNFINISHED} more, all in trials.csv." in words(render_page(made, (), folder=tmp_path))


def test_names_from_the_users_disk_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    made = study([setting({"head": evil}, [result()])], [Axis("head", (evil,))], seeds=(0,), classes=(evil, "\x1b[31m"))
    html = render_page(made, (), folder=tmp_path / evil)
    assert "<script" not in html
    assert "\x1b" not in html
    assert evil in unescape(html).replace(SPACE, " ")


def test_one_seed_is_warned_about(tmp_path):
    html = render_page(one_axis(n_seeds=1), (), folder=tmp_path)
    assert "Careful. One seed does not tell" in words(html)
    assert "Expect somewhat less than" in words(html)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_it_works_alone_at_every_width(written, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    long = dataclasses.replace(two_axes(), command="handful study " + "a-very-long-name/" * 20)
    (tmp_path / "index.html").write_text(render_page(long, (), folder=tmp_path), encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for path in (written / "index.html", tmp_path / "index.html"):
            for width in (360, 390, 1280):
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
