"""What a user may give as data: a path, or pictures and tables that a program already holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handful.core.errors import DataError
from handful.images import Given, from_pictures


def as_data(data: Any) -> Path | Given:
    """Returns what `train` is given as a path or a data set in memory.

    Raises:
        DataError: it is neither.
    """
    if isinstance(data, str | os.PathLike):
        return Path(data)
    return as_labelled(data)


def as_labelled(data: Any) -> Given:
    """Returns a data set in memory that has labels of its own.

    Raises:
        DataError: it has none.
    """
    raise DataError(f"a {type(data).__name__} has no labels. Expected them beside it, as y.")


def as_pictures(data: Any, *, labels: Sequence[str] | None = None, groups: Sequence[str] | None = None) -> Given:
    """Returns pictures that are paths or in memory, with labels and groups if they are given."""
    return from_pictures(data, labels, groups)
