"""What the tutorials tell people to type, typed; and the pages of the site that are made from the code."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest

import handful
from handful.cli import main as cli
from handful.core.config import option_fields
from handful.testing.pictures import draw_folder

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
TEXTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
CLASSES = ("circle", "flower", "hexagon", "square", "star")
N_DISHES = 8


def blocks(text: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder with what the tutorials speak of: pictures of dishes, and new ones."""
    monkeypatch.chdir(tmp_path)
    photos = draw_folder(
        tmp_path / "photos", classes=CLASSES, per_class=16, size=32
    )  # so small that labels are doubtful
    for folder in photos.iterdir():
        for number, picture in enumerate(sorted(folder.iterdir())):
            picture.rename(picture.with_name(f"dish{number % N_DISHES:02d}_{picture.name}"))
    draw_folder(tmp_path / "new", classes=("circle",), per_class=3, size=48, seed=1)
    return tmp_path


@pytest.mark.real
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_the_commands_of_a_tutorial_work(tutorial, reader, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda url: True)
    if tutorial.stem == "inspection":
        (reader / "photos" / "circle").rename(reader / "photos" / "defective")
    lines = [line for block in blocks(tutorial, "sh") for line in block.splitlines() if line.startswith("handful ")]
    slow = ("(needs", "handful demo", "--strategy")  # test_readme types such lines, test_real the demo
    typed = [line for line in lines if not any(word in line for word in slow)]
    assert len(typed) >= 3
    for line in typed:
        monkeypatch.setattr(sys, "argv", shlex.split(line, comments=True))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert not caught.value.code, line


def test_the_reference_has_every_public_name_once():
    named = re.findall(r"^::: handful\.(\w+)$", (ROOT / "docs" / "reference.md").read_text(), flags=re.MULTILINE)
    assert sorted(named) == sorted(handful.__all__)


def test_links_between_the_texts_lead_to_files():
    for text in TEXTS:
        for link in re.findall(r"\]\(([^)#:\s]+)[)#]", text.read_text(encoding="utf-8")):
            assert (text.parent / link).exists(), f"{text.name} leads to {link}"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_options_has_every_option_with_its_default_and_range(pages):
    table = pages.page_text((ROOT / "docs" / "options.md").read_text(encoding="utf-8"), page="options.md")
    assert [name for name in option_fields() if f"| `--{name.replace('_', '-')}` |" not in table] == []
    assert "| `0.05` | number from 0.001 to 0.5 |" in table
    assert "| `ksh` | `none`, `ksh`, `randaugment`, `trivialaugment` |" in table


@pytest.mark.parametrize(
    ("page", "link", "turned"),
    [
        ("index.md", "[a](../README.md)", "[a](index.md)"),
        ("tutorials/student.md", "[a](../../ARCHITECTURE.md#rooms)", "[a](../project/architecture.md#rooms)"),
        ("project/changelog.md", "[docs/data.md](docs/data.md)", "[docs/data.md](../data.md)"),
        ("python.md", "[a](notebooks/scikit_learn.ipynb)", "[a](notebooks/scikit_learn.md)"),
        ("index.md", "[the licence](../LICENSE)", "the licence (`LICENSE` in the repository)"),
        ("index.md", "![a](report.png)", "![a](report.png)"),
        ("index.md", "```\n[a](../LICENSE)\n```", "```\n[a](../LICENSE)\n```"),
    ],
)
def test_links_of_the_repository_lead_to_pages_of_the_site(pages, page, link, turned):
    assert pages.page_text(link, page=page) == turned


def test_a_link_to_nothing_stops_the_site(pages):
    with pytest.raises(FileNotFoundError, match=r"docs/gone\.md, which does not exist"):
        pages.page_text("[a](gone.md)", page="index.md")


def test_numbers_stay_on_one_line_and_commands_as_they_are(pages):
    assert (
        pages.unbroken("2 000 of 95 %, `--x 2 000`, 5 5")
        == "2\N{NO-BREAK SPACE}000 of 95\N{NO-BREAK SPACE}%, `--x 2 000`, 5 5"
    )


def test_a_notebook_becomes_texts_and_code(pages):
    text = pages.notebook_page(ROOT / "docs" / "notebooks" / "first_classifier.ipynb")
    assert text.startswith("# A first classifier\n")
    assert '```python\nimport handful\n\nresult = handful.train("photos/")' in text
