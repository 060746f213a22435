"""What becomes of a portion of a list of pictures: the records of its answers, here or on a node of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from handful.api.answering import answer_portion
from handful.api.unfinished import Listed
from handful.core.progress import Progress
from handful.images import Found, Place
from handful.report import as_line, as_record
from handful.transfer import Model

Portion = Sequence[Listed]
"""At most `answering.PORTION` pictures of the list, in order: what is answered whole or not at all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of each picture.

    Attributes:
        top: see `as_record`.
        features: what the networks see, beside the answer.
    """

    top: int | None = None
    features: bool = False


def records_of(
    model: Model,
    portion: Portion,
    places: Sequence[Place],
    *,
    wanted: Wanted,
    threads: int,
    progress: Progress,
) -> list[str]:
    """Returns a line of JSON for every picture of a portion, in order; see `report.as_record`.

    Args:
        model: answers.
        portion: some of the pictures.
        places: what the user named, opened.
        wanted: of each picture.
        threads: for decoding and for the network; no number depends on it.
        progress: told about every square.
    """
    found = [found_at(each, places) for each in portion]
    answers = answer_portion(model, found, threads=threads, progress=progress, with_features=wanted.features)
    return [as_line(as_record(answer, model.classes, top=wanted.top)) for answer in answers]


def found_at(listed: Listed, places: Sequence[Place]) -> Found:
    """Returns where a picture of the list is."""
    return Found(listed.name, places[listed.place].source, listed.inner, listed.reason)
