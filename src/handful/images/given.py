"""Data that a program already has, laid out as a folder would be: rows of a picture, a label, a group and a part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from handful.core.errors import DataError
from handful.core.records import Finding, Part, Skipped
from handful.images.held import HeldSource, is_picture
from handful.images.layout import PART_NAMES, Layout, Placed, settle_validation, some
from handful.images.sources import ListedSource


@dataclass(frozen=True, slots=True)
class Given:
    """A data set that is no path.

    Attributes:
        title: what it is, for messages and the report: "pandas DataFrame with 48 rows".
        source: where the pictures come from.
        layout: their classes, groups and parts; without classes where they are to be predicted.
    """

    title: str
    source: ListedSource
    layout: Layout

    def __str__(self) -> str:
        return self.title


@dataclass(frozen=True, slots=True)
class Row:
    """One picture that is not got yet.

    Attributes:
        get: gives the picture (see `held.as_file`).
        path: its path, where it has one; "" otherwise.
        label: its class; "" where it is not known.
        group: what it belongs to; "" for nothing.
        part: as the user calls it; "" for none.
    """

    get: Callable[[], Any]
    path: str = ""
    label: str = ""
    group: str = ""
    part: str = ""


def lay_out(title: str, rows: Sequence[Row], *, labelled: bool = True) -> Given:
    """Returns rows as a data set; a row is named by its path where all paths differ, and by its number otherwise.

    Args:
        title: see `Given`.
        rows: in their order, which stays the order of the names.
        labelled: whether rows without a label are left out.

    Raises:
        DataError: there are no rows, no labels, or parts that are not understood.
    """
    if not rows:
        raise DataError(f"the {title} is empty. Expected one row per picture.")
    names = _names(rows)
    parts = [_part(row.part, name, title) for row, name in zip(rows, names, strict=True)]
    placed = tuple(
        Placed(name, row.label, settle_validation(part, parts), row.group)
        for name, row, part in zip(names, rows, parts, strict=True)
        if row.label or not labelled
    )
    if not placed:
        raise DataError(f"no row of the {title} has a label. Expected the class of each picture.")
    alone = tuple(Skipped(name, "it has no label") for name, row in zip(names, rows, strict=True) if not row.label)
    findings = []
    if labelled and alone:
        findings.append(Finding("no-label", f"{len(alone)} rows have no label; their pictures are not used."))
    if "validation" in parts and "test" not in parts:
        findings.append(
            Finding("validation-as-test", "the validation part is the test part, because there is no other.")
        )
    in_order = tuple(sorted(placed, key=lambda picture: picture.name)) if labelled else placed
    source = HeldSource({name: row.get for name, row in zip(names, rows, strict=True)})
    return Given(title, source, Layout(in_order, alone if labelled else (), (), tuple(findings)))


def from_pictures(
    pictures: Iterable[Any], labels: Sequence[str] | None = None, groups: Sequence[str] | None = None
) -> Given:
    """Returns pictures in memory, or paths of files, as a data set.

    Args:
        pictures: N paths, arrays, Pillow's pictures or bytes; or one array (N, H, W, 3).
        labels: their classes; None where they are to be predicted.
        groups: what they belong to.

    Raises:
        DataError: there are none, or not as many labels.
    """
    if isinstance(pictures, str | os.PathLike) or is_picture(pictures):
        pictures = [pictures]
    things = list(pictures)
    for name, values in (("labels", labels), ("groups", groups)):
        if values is not None and len(values) != len(things):
            raise DataError(
                f"there are {len(things)} pictures and {len(values)} {name}; expected one for each picture."
            )
    rows = [
        Row(
            partial(_itself, thing),
            path=path_of(thing),
            label=labels[index] if labels is not None else "",
            group=groups[index] if groups is not None else "",
        )
        for index, thing in enumerate(things)
    ]
    return lay_out(counted("", len(rows), "picture"), rows, labelled=labels is not None)


def path_of(thing: Any) -> str:
    """Returns the path by which a picture is named; "" where it has none."""
    return Path(thing).as_posix() if isinstance(thing, str | os.PathLike) else ""


def counted(kind: str, n_rows: int, what: str = "row") -> str:
    """Returns "pandas DataFrame with 48 rows", or "48 pictures" where the kind is empty."""
    number = f"{n_rows} {what}{'' if n_rows == 1 else 's'}"
    return f"{kind} with {number}" if kind else number


def _itself(thing: Any) -> Any:
    return thing


def _names(rows: Sequence[Row]) -> list[str]:
    paths = [row.path for row in rows]
    if all(paths) and len(set(paths)) == len(paths):
        return paths
    return [f"{number:0{len(str(len(rows)))}d}" for number in range(len(rows))]


def _part(text: str, name: str, title: str) -> Part:
    if not text:
        return ""
    part = PART_NAMES.get(text.lower())
    if part is None:
        raise DataError(
            f"the part of {name} in the {title} is {text!r}; expected one of {some(list(PART_NAMES), 7)}, or nothing."
        )
    return part
