"""What a user may give as data: a path, or pictures and tables that a program already holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from handful.core.errors import DataError
from handful.images import Given, from_labelled, from_pictures, lay_out, path_or_address, rows_of
from handful.images.held import is_picture


def as_data(data: Any) -> Path | Given:
    """Returns what `train` is given as a path, or as a data set in memory.

    Raises:
        DataError: it is neither.
    """
    return Path(data) if isinstance(data, str | os.PathLike) else from_labelled(data)


def as_wanted(pictures: Any) -> Sequence[Path | str] | Given:
    """Returns what `predict` is given as paths and addresses, which may be folders, or as pictures in memory.

    Raises:
        DataError: it is neither.
    """
    if isinstance(pictures, str | os.PathLike):
        return [path_or_address(pictures)]
    if is_picture(pictures):
        return as_pictures(pictures)
    if rows_of(pictures, labelled=False) is None and not hasattr(pictures, "__array__"):
        pictures = list(pictures) if hasattr(pictures, "__iter__") else [pictures]
        if all(isinstance(one, str | os.PathLike) for one in pictures):
            return [path_or_address(one) for one in pictures]
    return as_pictures(pictures)


def as_pictures(data: Any, *, labels: Sequence[str] | None = None, groups: Sequence[str] | None = None) -> Given:
    """Returns pictures, paths of files or in memory, with labels and groups if they are given.

    Args:
        data: N pictures, or a data set of another library, whose own labels are left alone.
        labels: (N,) their classes.
        groups: (N,) what they belong to.

    Raises:
        DataError: there are none, or not as many labels.
    """
    if isinstance(data, str):
        raise DataError(f"{data!r} is one path; expected a list of pictures or of their paths.")
    found = rows_of(data, labelled=False)
    if found is None:
        return from_pictures(data, labels, groups)
    title, rows = found
    for name, values in (("labels", labels), ("groups", groups)):
        if values is not None and len(values) != len(rows):
            raise DataError(f"the {title} has {len(values)} {name}; expected one for each row.")
    if labels is not None:
        rows = [replace(row, label=label) for row, label in zip(rows, labels, strict=True)]
    if groups is not None:
        rows = [replace(row, group=group) for row, group in zip(rows, groups, strict=True)]
    return lay_out(title, rows, labelled=labels is not None)
