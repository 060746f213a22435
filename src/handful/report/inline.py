"""Results as a notebook shows them: a few lines of HTML without script, request or outside file, every name escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handful.core.records import PixelArray, Prediction, Run, Skipped
from handful.report.numbers import answers, by_recall, confident_mistakes
from handful.report.page import environment
from handful.report.summary import summary
from handful.report.thumbnails import small_url, thumbnail

SIDE = 96
"""Shorter side in pixels of a picture; a notebook keeps them in its file."""

MOST_PICTURES, MOST_CLASSES, MOST_ANSWERS = 6, 10, 12


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer with its picture as a data URL, "" where that cannot be read any more."""

    answer: Prediction
    image: str


def run_html(run: Run, report: str) -> str:
    """Returns the result of a training: its summary, the classes that are recognised least, and surest mistakes.

    Args:
        run: the finished run.
        report: where the whole page is.
    """
    wrong = confident_mistakes(answers(run), limit=MOST_PICTURES)
    classes = by_recall(run.evaluation)
    return _filled(
        "run",
        lines=summary(run).splitlines(),
        classes=classes[:MOST_CLASSES],
        n_more=len(classes[MOST_CLASSES:]),
        mistakes=[(each, thumbnail(run.table, each.picture, shortest=SIDE)) for each in wrong],
        report=report,
    )


def answers_html(
    given: Sequence[Prediction], skipped: Sequence[Skipped], read: Sequence[Callable[..., PixelArray]]
) -> str:
    """Returns the first answers for new pictures, with these.

    Args:
        given: the answers.
        skipped: what could not be read.
        read: of every answer, what gives its picture.
    """
    pairs = zip(given[:MOST_ANSWERS], read, strict=False)
    shown = [Shown(answer, small_url(picture, shortest=SIDE)) for answer, picture in pairs]
    return _filled("answers", shown=shown, n_more=len(given) - len(shown), skipped=skipped[:MOST_ANSWERS])


def model_html(classes: Sequence[str], networks: Sequence[str]) -> str:
    """Returns what a classifier tells apart, and by which networks."""
    return _filled("model", classes=classes, networks=networks)


def _filled(name: str, **content: object) -> str:
    return environment("handful.report").get_template(f"inline_{name}.html.j2").render(content)
