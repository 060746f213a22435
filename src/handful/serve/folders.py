"""Folders of this machine that a page may look into: those below a few, such as the user's home."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from handful.images.layout import looks_like_picture
from handful.serve.refused import RefusedError

MOST_FOLDERS = 500
"""Folders shown of one; nobody looks through more, and each is counted."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A folder in another, and how many pictures lie directly in it."""

    name: str
    path: str
    n_pictures: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a folder holds.

    Attributes:
        path: the folder.
        above: the folder that it lies in; "" where that may not be looked into.
        n_pictures: pictures that lie directly in it.
        folders: by name; the first `MOST_FOLDERS`.
    """

    path: str
    above: str
    n_pictures: int
    folders: tuple[Inside, ...]


def roots() -> tuple[Path, ...]:
    """Returns the folders below which all may be looked into: the user's home, and the current folder."""
    here = Path.cwd().resolve()
    try:
        home = Path.home().resolve()
    except RuntimeError:  # a user without a home
        return (here,)
    return (home,) if here.is_relative_to(home) else (here, home)


def within(path: str, allowed: Sequence[Path]) -> Path:
    """Returns a path that a person typed or chose, without links and dots.

    Raises:
        RefusedError: it lies elsewhere, or there is nothing.
    """
    try:
        found = Path(path).expanduser().resolve()
        exists = any(found.is_relative_to(root) for root in allowed) and found.exists()
    except (OSError, RuntimeError, ValueError):
        raise RefusedError(422, f"{path!r:.200} is no path.") from None
    if not any(found.is_relative_to(root) for root in allowed):
        raise RefusedError(
            422,
            f"{path:.200} lies outside of {' and '.join(map(str, allowed))}. To use it, start `handful ui` in there, "
            "or copy it.",
        )
    if not exists:
        raise RefusedError(404, f"there is no {path:.200}.")
    return found


def show(path: str, allowed: Sequence[Path]) -> Shown:
    """Returns what a folder holds; hidden folders are left out.

    Raises:
        RefusedError: it lies elsewhere, there is none, or it may not be read.
    """
    folder = within(path, allowed)
    if not folder.is_dir():
        raise RefusedError(422, f"{path:.200} is no folder.")
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                (each.name for each in entries if not each.name.startswith(".") and each.is_dir()), key=str.casefold
            )
    except OSError as error:
        raise RefusedError(422, f"{path:.200} cannot be read: {error.strerror or error}.") from None
    inside = tuple(Inside(name, str(folder / name), _count(folder / name)) for name in names[:MOST_FOLDERS])
    above = folder.parent
    is_free = above != folder and any(above.is_relative_to(root) for root in allowed)
    return Shown(str(folder), str(above) if is_free else "", _count(folder), inside)


def _count(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(1 for each in entries if looks_like_picture(each.name))
    except OSError:
        return 0
