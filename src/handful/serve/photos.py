"""A data set that is put together on a page: one folder for each class, pictures under names made of their content."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from handful.core.files import make_folder, move
from handful.images import UnreadableError, decode
from handful.images.channels import scale_for
from handful.images.layout import PART_NAMES, looks_like_picture
from handful.serve.kept import class_folder, keep_picture
from handful.serve.refused import RefusedError

SMALL = 160
"""Shorter side in pixels of a picture as the page shows it, at 80 points on a screen of two pixels to a point."""

QUALITY = 80


@dataclass(frozen=True, slots=True)
class Class:
    """A class and the names of its pictures, the newest first."""

    name: str
    pictures: tuple[str, ...]


def list_classes(root: Path) -> list[Class]:
    """Returns the classes below a folder by name; none where it does not exist."""
    if not root.is_dir():
        return []
    folders = sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
    return [Class(folder.name, tuple(_pictures(folder))) for folder in folders]


def add_class(root: Path, name: str) -> None:
    """Makes a class without pictures.

    Raises:
        RefusedError: there is one of that name, no folder can have it, or the disk cannot be written to.
    """
    _check_new(root, name)
    try:
        make_folder(root / class_folder(name))
    except OSError as error:
        raise RefusedError(507, f"the class could not be made: {error}") from None


def rename_class(root: Path, name: str, to: str) -> None:
    """Gives a class another name.

    Raises:
        RefusedError: there is no such class, the other name is taken or none that a folder can have.
    """
    folder = _existing(root, name)
    if name.casefold() != to.casefold():
        _check_new(root, to)
    try:
        move(folder, root / class_folder(to))
    except OSError as error:
        raise RefusedError(507, f"the class could not be renamed: {error}") from None


def remove_class(root: Path, name: str) -> None:
    """Deletes a class and its pictures.

    Raises:
        RefusedError: there is no such class, or its folder holds something else, which is left alone.
    """
    folder = _existing(root, name)
    try:
        for picture in _pictures(folder):
            (folder / picture).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        raise RefusedError(409, f"the folder {folder} could not be removed whole: {error.strerror or error}.") from None


def add_picture(root: Path, name: str, data: bytes, *, max_pixels: float) -> str:
    """Saves a picture in a class and returns its file's name; it leaves the class that it was in before.

    Raises:
        RefusedError: there is no such class, or the disk cannot be written to.
        UnreadableError: it is no picture that is read.
    """
    _existing(root, name)
    return keep_picture(data, name, folder=root, max_pixels=max_pixels).rpartition("/")[2]


def remove_picture(root: Path, name: str, picture: str) -> None:
    """Deletes a picture of a class.

    Raises:
        RefusedError: there is none.
    """
    _find(root, name, picture).unlink(missing_ok=True)


def small_picture(root: Path, name: str, picture: str) -> bytes:
    """Returns a small copy of a picture as a JPEG.

    Raises:
        RefusedError: there is none.
        UnreadableError: it is no picture that is read.
    """
    try:
        found = decode(_find(root, name, picture).read_bytes(), max_pixels=np.inf, shortest=SMALL)
    except OSError as error:
        raise UnreadableError(str(error)) from None
    small = Image.fromarray(found.rgb(scale_for((found.maximum,))))
    side = min(small.size)
    left, top = (small.width - side) // 2, (small.height - side) // 2
    small = small.crop((left, top, left + side, top + side)).resize((SMALL, SMALL), Image.Resampling.BOX)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def _pictures(folder: Path) -> list[str]:
    """Returns the names of a folder's pictures, the newest first."""
    found = [
        (-path.stat().st_mtime_ns, path.name)
        for path in folder.iterdir()
        if looks_like_picture(path.name) and not path.name.startswith(".") and path.is_file()
    ]
    return [name for _, name in sorted(found)]


def _existing(root: Path, name: str) -> Path:
    """Returns the folder of a class, whose name is compared with those that there are and never used as a path."""
    for each in list_classes(root):
        if each.name == name:
            return root / each.name
    raise RefusedError(404, f"there is no class {name!r:.100}. Add it first.")


def _find(root: Path, name: str, picture: str) -> Path:
    folder = _existing(root, name)
    if picture not in _pictures(folder):
        raise RefusedError(404, f"there is no picture {picture!r:.100} in {name!r:.100}.")
    return folder / picture


def _check_new(root: Path, name: str) -> None:
    class_folder(name)
    if "/" in name:
        raise RefusedError(422, f"the class {name!r} has a slash in its name; leave it out.")
    if name.casefold() in PART_NAMES:
        raise RefusedError(422, f"{name!r} is the name of a part of a data set. Give the class another name.")
    if name.casefold() in {each.name.casefold() for each in list_classes(root)}:
        raise RefusedError(409, f"there is a class {name!r} already.")
