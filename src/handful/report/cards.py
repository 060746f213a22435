"""Pictures as the page shows them: with what the model said, where it looked, and what it has seen like them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handful.core.looks import Look
from handful.core.records import Run
from handful.report.heat import heated
from handful.report.numbers import Answer
from handful.report.text import encodable
from handful.report.thumbnails import data_url, reduced, thumbnail

PAIRED = 200
"""Shorter side in pixels of pictures that stand beside their map: shown at 175 points."""

SMALL = 96
"""Shorter side in pixels of training pictures beside a mistake: shown at 75 points."""

DIGITS = 5
"""Decimals of a map in result.json."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training picture beside a mistake: its class, its path, and the cosine of its features to the mistake's."""

    label: str
    path: str
    cosine: float
    image: str


@dataclass(frozen=True, slots=True)
class Card:
    """A picture and what the model said about it.

    Attributes:
        answer: the answer.
        image: a data URL, or "" where the picture cannot be read any more.
        heat: the picture under the map of where the model looked, as `image`; "" where that is not known.
        alike: training pictures, the most alike first.
    """

    answer: Answer
    image: str
    heat: str = ""
    alike: tuple[Neighbour, ...] = ()


def plain_cards(run: Run, chosen: tuple[Answer, ...]) -> list[Card]:
    """Returns answers with their pictures."""
    return [Card(answer, thumbnail(run.table, answer.picture)) for answer in chosen]


def looked_cards(run: Run, chosen: tuple[Answer, ...], looks: tuple[Look, ...]) -> list[Card]:
    """Returns answers with their pictures and, where it is known, where the model looked and what is like them."""
    by_path = {run.table.pictures[look.index].path: look for look in looks}
    return [_looked(run, answer, by_path.get(answer.picture.path)) for answer in chosen]


def looks_dict(run: Run) -> dict[str, Any] | None:
    """Returns where the model looked as plain values; maps are rows from top to bottom."""
    looks = run.looks
    if looks is None:
        return None
    return {
        "backbone": looks.backbone,
        "n_networks": looks.n_networks,
        "n_compared": looks.n_compared,
        "left_out": encodable(looks.left_out),
        "mistakes": [_plain(run, look) for look in looks.mistakes],
        "typical": [_plain(run, look) for look in looks.typical],
    }


def _looked(run: Run, answer: Answer, look: Look | None) -> Card:
    small = reduced(run.table, answer.picture, shortest=PAIRED)
    if small is None or look is None:
        return Card(answer, "" if small is None else data_url(small))
    pictures, classes = run.table.pictures, run.table.classes
    alike = tuple(
        Neighbour(
            label=classes[pictures[each.index].label],
            path=pictures[each.index].path,
            cosine=each.cosine,
            image=thumbnail(run.table, pictures[each.index], shortest=SMALL),
        )
        for each in look.alike
    )
    has_map = look.places.size > 1
    return Card(answer, data_url(small), data_url(heated(small, look)) if has_map else "", alike)


def _plain(run: Run, look: Look) -> dict[str, Any]:
    pictures, classes = run.table.pictures, run.table.classes
    return {
        "path": encodable(pictures[look.index].path),
        "class": encodable(classes[pictures[look.index].label]),
        "answer": encodable(classes[look.answer]),
        "map": [[round(float(value), DIGITS) for value in row] for row in look.places],
        "seen": list(look.seen),
        "alike": [
            {
                "path": encodable(pictures[each.index].path),
                "class": encodable(classes[pictures[each.index].label]),
                "cosine": each.cosine,
            }
            for each in look.alike
        ],
    }
