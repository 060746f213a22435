"""The tutorials run, and results show themselves."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import handful
from handful.api import StudyResult
from handful.testing.pictures import draw_folder
from tests.study.made import one_axis

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def reader(tmp_path, monkeypatch, toy):
    """Someone who has drawn photos, and the toy network in place of the default one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handful.transfer.plan.DEFAULT_BACKBONE", "toy")
    draw_folder(tmp_path / "photos", per_class=9, size=32)
    return tmp_path


def typed(code, names):
    """Runs code as a cell, and returns what its last line shows."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


@pytest.mark.parametrize("path", sorted((DOCS / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_tutorials_run_and_hold_no_output(path, reader):
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 4
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    names = {}
    shown = [typed("".join(cell["source"]), names) for cell in cells]
    assert all(value is not None for value in shown)


def test_the_python_of_the_guide_runs(reader, capsys):
    pytest.importorskip("pandas")
    paths = sorted(map(str, (reader / "photos").rglob("*.png")))
    names = {"paths": paths, "labels": [Path(path).parent.name for path in paths]}
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / "python.md").read_text("utf-8"), flags=re.M | re.S)
    assert len(blocks) == 3
    for block in blocks:
        typed(block, names)
    assert "[" in capsys.readouterr().out


class Balanced(HTMLParser):
    """Reads HTML and notes every element, every address, and whether each one ends."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen, self.addresses = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("img", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def assert_harmless(html):
    page = Balanced(html)
    assert page.open == []
    assert not {"script", "iframe", "style", "link", "evil"} & set(page.seen)
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert len(html) < 300_000
    return page


def test_results_show_themselves_with_every_name_escaped(reader):
    (reader / "photos" / "circle").rename(reader / "photos" / "<evil>&")
    result = handful.train("photos", "run", backbone="toy", head="ridge", threads=1)
    html = result._repr_html_()
    assert_harmless(html)
    assert "&lt;evil&gt;&amp;" in html
    assert str(result.report) in html
    (reader / "broken<evil>.png").write_bytes(b"no picture")
    found = result.predict(["photos", "broken<evil>.png"])
    page = assert_harmless(found._repr_html_())
    assert page.seen.count("img") == 12
    assert "15 more answers" in found._repr_html_()
    assert "broken&lt;evil&gt;.png" in found._repr_html_()
    assert_harmless(handful.load("run")._repr_html_())
    assert "3 classes" in handful.load("run")._repr_html_()


def test_pictures_that_are_gone_leave_the_answers(reader):
    found = handful.train("photos", "run", backbone="toy", head="ridge", threads=1).predict("photos/circle")
    for path in (reader / "photos" / "circle").iterdir():
        path.unlink()
    page = assert_harmless(found._repr_html_())
    assert page.seen.count("img") == 0
    assert page.seen.count("tr") == 10


def test_a_study_shows_its_best_settings(tmp_path):
    shown = StudyResult(tmp_path / "<evil>", one_axis())
    html = shown._repr_html_()
    page = assert_harmless(html)
    assert page.seen.count("tr") == 1 + 4
    assert "lr 0.001 is best" in html
    assert "&lt;evil&gt;" in html
