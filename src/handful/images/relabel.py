"""Corrected labels: a table that overrides the labels of the pictures it lists, such as a run's suspects.csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from handful.core.errors import DataError
from handful.core.notation import nearest
from handful.core.records import Finding, Skipped
from handful.core.spreadsheet import unprotect
from handful.images.layout import Layout, Placed, some
from handful.images.listing import Row, read_table

MOST_COMPARED = 2000
"""Paths that a misspelt one is compared with."""


def relabel(layout: Layout, files: Sequence[str], everything: Sequence[Placed], root: Path) -> Layout:
    """Returns the layout with the labels that some tables give; an empty label leaves its picture out.

    Args:
        layout: pictures with the classes that their folders or their own table say.
        files: tables with the columns path and label, paths as reports write them; of contradicting ones the last wins.
        everything: every picture that the tables may name, used or not.
        root: for messages.

    Raises:
        DataError: a table that cannot be read, contradicts itself, or names a picture or class that is not there.
    """
    names = {picture.name for picture in everything}
    classes = sorted({picture.class_name for picture in everything})
    for file in map(Path, files):
        layout = _relabelled(layout, file, _wanted(file, names, classes, root))
    return layout


def _relabelled(layout: Layout, file: Path, wanted: dict[str, str]) -> Layout:
    """Returns the layout with the wanted labels of the pictures in it; `wanted` may name others too."""
    listed = [picture for picture in layout.placed if picture.name in wanted]
    left_out = [picture.name for picture in listed if not wanted[picture.name]]
    moved = [picture for picture in listed if wanted[picture.name] not in ("", picture.class_name)]
    n_same = len(listed) - len(left_out) - len(moved)
    skipped = (Skipped(name, f"its label in {file.name} is empty") for name in left_out)
    return replace(
        layout,
        placed=tuple(
            replace(picture, class_name=wanted.get(picture.name, picture.class_name))
            for picture in layout.placed
            if wanted.get(picture.name) != ""
        ),
        set_aside=(*layout.set_aside, *skipped),
        findings=(*layout.findings, Finding("labels", _said(file, moved, left_out, n_same, wanted))),
    )


def _wanted(file: Path, names: set[str], classes: Sequence[str], root: Path) -> dict[str, str]:
    """Returns the label of every picture that a table lists, by name."""
    known = {name.strip(): name for name in names}  # cells come without the spaces around them
    labels = {name.strip(): name for name in classes}
    wanted: dict[str, str] = {}
    for row in _rows(file):
        path = _original(row.path, known)
        if path is None:
            raise DataError(
                f"row {row.number} of {file} names {row.path!r}, which is no labelled picture in {root}. "
                f"{nearest(row.path, _alike(row.path, sorted(names)))}Expected paths as reports write them, below that "
                "folder, such as " + repr(min(names)) + "."
            )
        label = _original(row.label, {**labels, "": ""})
        if label is None:
            raise DataError(
                f"row {row.number} of {file} gives {path!r} the label {row.label!r}, and {root} has no such class. "
                f"{nearest(row.label, classes)}The classes are {some(classes, 10)}; no label leaves a picture out."
            )
        if wanted.setdefault(path, label) != label:
            raise DataError(
                f"row {row.number} of {file} gives {path!r} the label {label!r}, and a row above it "
                f"{wanted[path]!r}. Expected one row per picture; delete the wrong one."
            )
    return wanted


def _rows(file: Path) -> list[Row]:
    try:
        return read_table(file.read_bytes(), str(file))
    except OSError as error:
        raise DataError(
            f"the labels in {file} cannot be read: {error.strerror}. Expected a table with the columns path and label."
        ) from None


def _original(cell: str, known: dict[str, str]) -> str | None:
    """Returns what a cell stands for: what handful's own tables would write so, or else what is called so."""
    return known.get(unprotect(cell).strip(), known.get(cell))


def _alike(path: str, names: Sequence[str]) -> Sequence[str]:
    """Returns the names that a misspelt path may mean: those in its folder or of its file name first."""
    folder, file = str(PurePosixPath(path).parent), PurePosixPath(path).name
    near = [name for name in names if PurePosixPath(name).name == file or str(PurePosixPath(name).parent) == folder]
    return list(dict.fromkeys([*near, *names]))[:MOST_COMPARED]


def _said(file: Path, moved: Sequence[Placed], left_out: Sequence[str], n_same: int, wanted: dict[str, str]) -> str:
    moves = [f"{each.name} from {each.class_name} to {wanted[each.name]}" for each in moved]
    parts = [
        f"changes {_counted(len(moved), 'label')} ({some(moves)})" if moved else "",
        f"leaves out {len(left_out)} {'picture' if len(left_out) == 1 else 'pictures'} ({some(left_out)})"
        if left_out
        else "",
        f"confirms {_counted(n_same, 'label')}" if n_same else "",
    ]
    nothing = "names only pictures that are not used" if wanted else "names no picture"
    return f"{file} {', '.join(filter(None, parts)) or nothing}."


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
