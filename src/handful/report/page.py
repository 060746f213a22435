"""The page: everything a person wants to know about a run, in one file that needs nothing else."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from handful.core.records import Evaluation, Run
from handful.core.search import Search
from handful.report.cards import looked_cards, plain_cards
from handful.report.choice import choice
from handful.report.folds import folds
from handful.report.leaks import leaked_pairs
from handful.report.learning import Axis, Curve, learnings
from handful.report.next_steps import next_steps
from handful.report.numbers import (
    Answer,
    answers,
    by_recall,
    confident_mistakes,
    held_out_noun,
    least_certain,
    reliability,
    worst_confusions,
)
from handful.report.provenance import data_sha256
from handful.report.reliance import SHARES, reliance
from handful.report.remarks import majority_class, remarks
from handful.report.result import N_CONFUSIONS, TEST_READ, backbone_name, seconds_by_stage
from handful.report.summary import search_line
from handful.report.suspects import suspicions
from handful.report.text import counted, megabytes, percent, percent_range, printable, seconds
from handful.transfer.looks import N_MISTAKES

if TYPE_CHECKING:
    import jinja2

N_UNCERTAIN = 8
N_SKIPPED = 50

MATRIX_LIMIT = 20
"""Classes up to which a matrix can be read; beyond, the worst confusions are listed."""

TURNED_FROM = 12
"""Letters in a class name from which the names above the matrix stand upright."""

CLASSES_LIMIT = 40
"""Classes shown at once, the least recognised first; the others can be unfolded."""

CLOSE_CALL = 0.9
"""Confidence below which an answer may be called close."""

MAIN_OPTIONS = ("backbone", "size", "fit", "interpolation", "views", "view_use", "engine", "precision", "head")
"""The options that decide what the network sees and what is trained; the others can be unfolded."""

TRAINING_OPTIONS = ("freeze", "lr", "epochs", "batch", "optimizer", "schedule", "weight_factor", "patience", "augment")
"""The options that decide how layers are trained by gradient descent."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How often a class was given an answer; `share` of the pictures of the true class."""

    n: int
    share: float


def render_page(run: Run, *, folder: Path) -> str:
    """Returns report.html: no script, no request, no outside file; it works from a disk and on paper.

    Names of classes and files come from the user's disk and are escaped; a content security policy in the page
    forbids everything but its own styles and pictures.

    Args:
        run: the finished run.
        folder: where the model will lie, for the command that uses it.
    """
    return environment("handful.report").get_template("page.html.j2").render(_content(run, folder))


@cache
def environment(*packages: str) -> jinja2.Environment:
    """Returns what fills in the templates of some rooms, with the filters by which numbers and names are written.

    Args:
        packages: rooms whose `templates` are read, the first that has a name first.
    """
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package, "templates") for package in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": lambda share: _unbroken(percent(share)),
        "range": lambda interval: _unbroken(percent_range(interval)),
        "counted": counted,
        "unbroken": lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%"),
        "megabytes": lambda n_bytes: _unbroken(megabytes(n_bytes)),
        "seconds": lambda duration: _unbroken(seconds(duration)),
        "capital": lambda text: f"{text[:1].upper()}{text[1:]}",
        "shown": _shown,
        "breakable": _breakable,
        "polyline": _polyline,
    }
    return made


def _content(run: Run, folder: Path) -> dict[str, Any]:
    """Returns what the template needs, all numbers computed."""
    given = answers(run)
    mistakes = confident_mistakes(given, limit=N_MISTAKES)
    looks = (*run.looks.mistakes, *run.looks.typical) if run.looks else ()
    classes = by_recall(run.evaluation)
    main_options = (*MAIN_OPTIONS, *TRAINING_OPTIONS) if run.training else MAIN_OPTIONS
    spent = seconds_by_stage(run)
    steps = next_steps(run)
    told = {step.about for step in steps}
    total = spent.pop("total")
    return {
        "run": run,
        "figures": run.evaluation,
        "held_out": run.held_out,
        "title": printable(run.table.root.stem or str(run.table.root)),
        "majority": majority_class(run),
        "expected": _of_a_hundred(run.evaluation.accuracy_interval),
        "steps": steps,
        "remarks": [remark for remark in remarks(run) if remark.about not in told],
        "backbone": backbone_name(run),
        "n_wrong": sum(not answer.right for answer in given),
        "classes_in_words": counted(len(classes), "class", "classes"),
        "guessing_loss": math.log(len(classes)),
        "show_matrix": len(classes) <= MATRIX_LIMIT,
        "turned": len(classes) > 8 or max(len(each.name) for each in classes) > TURNED_FROM,
        "matrix": _matrix(run.evaluation) if len(classes) <= MATRIX_LIMIT else (),
        "confusions": worst_confusions(run.evaluation, limit=N_CONFUSIONS),
        "classes": classes[:CLASSES_LIMIT],
        "more_classes": classes[CLASSES_LIMIT:],
        "mistakes": looked_cards(run, mistakes, run.looks.mistakes if run.looks else ()),
        "typical": looked_cards(run, _typical(run, given), run.looks.typical if run.looks else ()),
        "uncertain": plain_cards(run, least_certain(given, limit=N_UNCERTAIN)),
        "has_alike": any(look.alike for look in looks),
        "map_shape": next((look.places.shape for look in looks if look.places.size > 1), None),
        "close_calls": given and min(answer.confidence for answer in given) < CLOSE_CALL,
        "reliability": reliability(run),
        "choice": choice(run),
        "search_in_words": search_line(run.search) if run.search else "",
        "search_reach": _reach(run.search) if run.search else 1.0,
        "learnings": learnings(run),
        "ranking": run.ranking,
        "leaked": leaked_pairs(run),
        "reliance": reliance(run),
        "folds": folds(run),
        "suspicions": suspicions(run, folder=folder),
        "shares": SHARES,
        "counts": _counts(run),
        "skipped": run.table.skipped[:N_SKIPPED],
        "main_options": {name: run.options[name] for name in main_options if name in run.options},
        "more_options": {name: option for name, option in run.options.items() if name not in main_options},
        "stages": spent,
        "total": total,
        "test_read": TEST_READ,
        "held_out_noun": held_out_noun(run),
        "data_sha256": data_sha256(run.table),
        "folder": shlex.quote(printable(str(folder))),
        "folder_in_python": repr(str(folder)),
    }


def _reach(search: Search) -> float:
    """Returns the largest difference from the probe that a drawing needs room for, its standard error included."""
    ends = (abs(each.difference or 0.0) + (each.standard_error or 0.0) for each in search.attempts)
    return max(ends) or 1.0


def _of_a_hundred(interval: tuple[float, float]) -> str:
    """Returns "85 to 95", or "95" where both ends round to it; 100 only where nothing speaks against it."""
    low, high = (min(round(100 * end), 99) if end < 1.0 else 100 for end in interval)
    return f"{low}" if low == high else f"{low} to {high}"


def _matrix(figures: Evaluation) -> list[list[Cell]]:
    totals = figures.confusion.sum(axis=1)
    return [
        [Cell(n, n / total if total else 0.0) for n in row]
        for row, total in zip(figures.confusion.tolist(), totals.tolist(), strict=True)
    ]


def _typical(run: Run, given: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Returns the answers to the typical pictures, class by class."""
    by_path = {answer.picture.path: answer for answer in given}
    looks = run.looks.typical if run.looks else ()
    return tuple(by_path[run.table.pictures[look.index].path] for look in looks)


def _counts(run: Run) -> dict[str, tuple[str, int]]:
    """Returns, for each part that holds pictures, what it was used for and how many it holds."""
    parts = {
        "training": ("to learn from", len(run.split.train)),
        "validation": ("to choose by", len(run.split.validation)),
        "test": ("looked at once, at the end", len(run.split.test)),
        "skipped": ("not used", len(run.table.skipped)),
    }
    return {name: part for name, part in parts.items() if part[1]}


def _polyline(curve: Curve, x: Axis, y: Axis, *, width: int, height: int) -> str:
    """Returns the points of a curve as SVG writes them, for a drawing area of this size with its origin at the top."""
    points = zip(curve.steps, curve.values, strict=True)
    return " ".join(f"{width * x.share(step):.1f},{height * (1 - y.share(value)):.1f}" for step, value in points)


def _unbroken(text: str) -> str:
    """Returns the text with spaces at which no line breaks."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _shown(value: Any) -> str:
    """Returns the value of an option, or any name from the user's disk, as it is written for people."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(printable(str(each)) for each in value) or "none"
    return printable(str(value))


def _breakable(text: str) -> Markup:
    """Returns a name, escaped, with places after / _ - and . where a line may break."""
    safe = str(escape(printable(text)))
    for mark in "/_-.":
        safe = safe.replace(mark, f"{mark}<wbr>")
    return Markup(safe)  # noqa: S704  escaped above; the marks are no part of any entity
