"""Test pictures that were learnt from, beside the pictures that they copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handful.core.records import Picture, Run
from handful.report.text import encodable
from handful.report.thumbnails import thumbnail

N_PAIRS = 6
"""Pairs that the page shows; all are in result.json."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with its class and its part; `image` is a data URL, or "" where it cannot be read any more."""

    picture: Picture
    label: str
    part: str
    image: str


def leaked_pairs(run: Run) -> tuple[tuple[Shown, Shown], ...]:
    """Returns the first pairs of a test picture and a copy of it outside the test part, to be looked at."""
    return tuple((_shown(run, test), _shown(run, copy)) for test, copy in run.split.leaks[:N_PAIRS])


def leaks_dict(run: Run) -> dict[str, Any] | None:
    """Returns the leaks as plain values, with the accuracy without them (None where every test picture leaked)."""
    if not run.split.leaks:
        return None
    paths = [picture.path for picture in run.table.pictures]
    without = run.unleaked
    return {
        "n": len(run.split.leaks),
        "pairs": [[encodable(paths[test]), encodable(paths[copy])] for test, copy in run.split.leaks],
        "accuracy_without": None if without is None else without.accuracy,
        "accuracy_without_interval": None if without is None else list(without.accuracy_interval),
        "n_test_without": 0 if without is None else without.n_test,
    }


def _shown(run: Run, index: int) -> Shown:
    picture = run.table.pictures[index]
    label = run.table.classes[picture.label]
    return Shown(picture, label, picture.part or "train", thumbnail(run.table, picture))
