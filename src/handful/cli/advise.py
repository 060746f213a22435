"""`handful advise`: which way of transfer suits a data set, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json

if TYPE_CHECKING:
    from handful.core.advice import Decision

BAR = 40
"""Characters of a similarity of 1."""


def advise(
    photos: Annotated[Path, typer.Argument(help="A folder with one folder per class, a table, or an archive.")],
    options: dict[str, Any],
    as_json: Json = False,
) -> None:
    """Measure size and similarity to ImageNet, and say how to train on the pictures, and why."""
    from handful import api
    from handful.report.result import decision_dict

    decision = api.advise(photos, progress=Bars(), **options)
    Answer(as_json).give("\n".join(_lines(decision)), decision_dict(decision))


def _lines(decision: Decision) -> Iterator[str]:
    from handful.report.choice import asked_for
    from handful.transfer.choose import CASES, WAYS

    yield (
        f"Case {decision.case} of the paper's four: {CASES[decision.case]}. {decision.n_images:,} pictures in "
        f"{decision.n_classes} classes."
    )
    yield f"Advice: {WAYS[decision.plan.strategy]} ({asked_for(decision.plan)})."
    yield decision.expects
    yield from ("", "What was measured")
    for piece in decision.evidence:
        yield f"  {piece.name}: {piece.value}. {_sentence(piece.meaning)}"
    yield from ("", "Where your pictures lie (similarity to ImageNet)", *_scale(decision))
    yield from ("", "Why, and the option that overrides it")
    for name, reason in decision.reasons.items():
        yield f"  --{name.replace('_', '-')}: {_sentence(reason)}"
    yield from ("", "Other ways")
    for other in decision.alternatives:
        yield f"  {WAYS[other.plan.strategy]} ({asked_for(other.plan)}): {other.reason}."
    yield from ("", f"Run     {decision.command}")


def _scale(decision: Decision) -> Iterator[str]:
    """Yields one bar per known set, with the user's among them and the border between like and unlike."""
    from handful.transfer.similarity import BORDER, LANDMARKS, similarity_of

    rows = [(landmark.divergence, f"  {landmark.name}", "-") for landmark in LANDMARKS]
    rows += [(decision.similarity.divergence, "> your pictures", "="), (BORDER, "", "")]
    width = max(len(name) for _, name, _ in rows)
    for divergence, name, mark in sorted(rows):
        value = similarity_of(divergence)
        if mark:
            yield f"  {name:<{width}}  {value:.2f}  {mark * round(BAR * value)}"
        else:
            yield f"  {' above: similar, below: not ':.^{width + BAR // 2 + 8}}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
