"""Pages of the site that are made from the code, the notebooks and the texts outside docs/: text in, text out.

Every text stays where it is read on a code host, with links that work there. The site shows it as a page of its own,
and its links are turned to the pages that the site has.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import Any

from handful.cli.options import PANELS
from handful.core.config import option_fields
from handful.core.declared import Option

ROOT = Path(__file__).resolve().parents[1]

TEXTS = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "RELIABILITY.md": "project/reliability.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/peers/README.md": "project/peers.md",
    "README.md": "index.md",
}
"""Texts of the repository outside docs/, and the pages that show them; the README is the start page's elder sister."""

SHOWN = {text: page for text, page in TEXTS.items() if page != "index.md"}

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"(^ *```.*?^ *```)", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(`[^`\n]*`)")
OPTIONS_MARK = "<!-- options -->"


def page_text(markdown: str, *, page: str) -> str:
    """Returns what the site shows for a text: options filled in, links turned, numbers kept on one line.

    Args:
        markdown: the text as it lies in the repository.
        page: the page's path below docs/ that shows it.

    Raises:
        FileNotFoundError: a link to a file that the repository does not have.
    """
    source = {shown: text for text, shown in SHOWN.items()}.get(page, f"docs/{page}")
    parts = FENCE.split(markdown.replace(OPTIONS_MARK, options_tables() if OPTIONS_MARK in markdown else ""))
    for number in range(0, len(parts), 2):  # every second part is a block of code
        parts[number] = unbroken(turned(parts[number], source=source, page=page))
    return "".join(parts)


def unbroken(markdown: str) -> str:
    """Returns the text with spaces inside numbers (2 000, 95 %) at which no line ends."""
    parts = INLINE_CODE.split(markdown)
    parts[::2] = [re.sub(r"(?<=\d) (?=\d{3}\b|%)", "\N{NO-BREAK SPACE}", part) for part in parts[::2]]
    return "".join(parts)


def turned(markdown: str, *, source: str, page: str) -> str:
    """Returns the text of a file of the repository with its links leading to pages of the site.

    Args:
        markdown: the text, without code blocks.
        source: the file's path from the root, which its links are relative to.
        page: the page's path below docs/ that shows it.

    Raises:
        FileNotFoundError: a link to a file that the repository does not have.
    """

    def turn(match: re.Match[str]) -> str:
        words, link, anchor = match.group(1), match.group(2), match.group(3) or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if not (ROOT / target).exists():
            raise FileNotFoundError(
                f"{source}: the link {link!r} leads to {target}, which does not exist. Correct the link."
            )
        shown = page_of(target)
        if shown is None:
            return f"{words} (`{target}` in the repository)" if words.strip("`/") != target else f"`{target}`"
        return f"[{words}]({posixpath.relpath(shown, posixpath.dirname(page) or '.')}{anchor})"

    return LINK.sub(turn, markdown)


def page_of(target: str) -> str | None:
    """Returns the page that shows a file of the repository, or None where no page does."""
    if target in TEXTS:
        return TEXTS[target]
    path = PurePosixPath(target)
    if path.parts[0] == "docs" and path.suffix != ".py" and len(path.parts) > 1:
        return notebook_uri(path.relative_to("docs").as_posix())
    return None


def notebook_uri(uri: str) -> str:
    """Returns the page of a notebook, or the same path for any other file."""
    return re.sub(r"\.ipynb$", ".md", uri)


def notebook_page(notebook: Path) -> str:
    """Returns a notebook as Markdown: its texts, and its code in blocks. Ours are kept without outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(cell_text(cell["cell_type"], "".join(cell["source"])) for cell in cells) + "\n"


def cell_text(kind: str, source: str) -> str:
    """Returns a cell of a notebook as Markdown."""
    return f"```python\n{source}\n```" if kind == "code" else source


def options_tables() -> str:
    """Returns every option of training in tables, one for each part of the work, from where they are declared."""
    rows: dict[str, list[str]] = {room: [] for room in PANELS}
    for name, (room, declared) in option_fields().items():
        its: Option = declared.metadata["option"]
        cells = (
            f"`--{name.replace('_', '-')}`",
            cell(its.help),
            default(declared.default),
            values(str(declared.type), its),
        )
        rows[room].append(f"| {' | '.join(cells)} |")
    head = "| option | what it does | default | values |\n|---|---|---|---|"
    tables = ("\n".join((f"## {title}\n", head, *rows[room])) for room, title in PANELS.items())
    return "\n\n".join(('<div class="options" markdown>', *tables, "</div>"))


def cell(text: str) -> str:
    """Returns a help text as it can stand in a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def default(value: Any) -> str:
    """Returns a default as the command line writes it."""
    if value in (None, "", ()):
        return ""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"`{value}`"


def values(kind: str, declared: Option) -> str:
    """Returns which values an option takes: its words, or its kind and range."""
    if declared.choices:
        return ", ".join(f"`{word}`" for word in declared.choices)
    if kind == "bool":
        return "yes or no"
    if "int" in kind or "float" in kind:
        low, high = (number(bound) for bound in (declared.low, declared.high))
        named = "whole number" if "int" in kind else "number"
        span = f" from {low} to {high}" if low and high else f" from {low}" if low else ""
        return named + span
    return "words between commas" if "tuple" in kind else "text"


def number(bound: float) -> str:
    """Returns a bound in its shortest form, or nothing where there is none."""
    if math.isinf(bound):
        return ""
    return f"{bound:g}" if abs(bound) < 1e6 or bound % 10 == 0 else f"{bound:.0f}"
