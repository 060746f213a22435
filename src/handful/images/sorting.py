"""Pictures put into a folder for each class, as links or copies; the originals stay where they are, untouched."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from handful.core.errors import ConfigError, DataError
from handful.core.files import make_folder, write_bytes
from handful.images.check import FORMAT_SUFFIXES
from handful.images.decode import format_of
from handful.images.layout import suffix_of
from handful.images.sources import FolderSource, Found, ListedSource
from handful.images.unlabelled import Place
from handful.images.unreadable import UnreadableError

By = Literal["link", "copy"]

UNSURE = "_unsure"
"""The folder of pictures that need a person's eye."""

NO_PART_OF_A_NAME = re.compile(r'[<>:"|?*\\\x00-\x1f]')
"""What some file system or other does not have in a name."""


@dataclass(frozen=True, slots=True)
class Sorter:
    """Where pictures go, and how; made by `plan_sorting`.

    Attributes:
        folder: has a folder for each class.
        by: "link": a hard link, a symbolic one where the file system has no hard link for it; or "copy".
        root: pictures keep their path below this one; those that lie elsewhere keep all of it.
        folders: the name of each class's folder, and of `UNSURE`.
    """

    folder: Path
    by: By
    root: Path
    folders: Mapping[str, str]

    def put(self, found: Found, where: Path, class_name: str) -> str:
        """Puts one picture into a folder; a file that is there already stays as it is.

        A name without an ending, like that of a table's row, gets its format's, by which `read` knows pictures.

        Args:
            found: the picture.
            where: the folder or archive that it lies in.
            class_name: of the folder, or `UNSURE`.

        Returns:
            Why that was not possible; "" where the picture is in its place.

        Raises:
            DataError: the folder cannot be written to.
        """
        target = self.folder / self.folders[class_name] / self._below(where / found.inner)
        try:
            if not suffix_of(found.inner):
                (suffix, *_) = FORMAT_SUFFIXES.get(format_of(found.source.read(found.inner)), ("",))
                target = target.with_name(target.name + suffix)
            make_folder(target.parent)
            done = _link(found.source, found.inner, target) if self.by == "link" else _copy(found, target)
        except UnreadableError as error:
            return str(error)
        except FileNotFoundError:
            return "it is gone since it was answered"
        except OSError as error:
            instead = "--by copy, or " if self.by == "link" else ""
            raise DataError(
                f"{target} cannot be made: {error.strerror or error}. Choose {instead}another folder; the answers so "
                "far are kept."
            ) from error
        return "" if done else f"there is another file {target}"

    def _below(self, place: Path) -> Path:
        """Returns where a picture goes below its class's folder."""
        whole = Path(os.path.normpath(place))
        parts = whole.relative_to(self.root).parts if whole.is_relative_to(self.root) else whole.parts[1:]
        return Path(*map(_safe, parts))


def plan_sorting(folder: Path, by: By, places: Sequence[Place], classes: Sequence[str]) -> Sorter:
    """Returns where pictures will go, before any work.

    Raises:
        ConfigError: no such way, or links into an archive were asked for.
        DataError: the folder lies among the pictures, or two classes would have one folder.
    """
    if by not in ("link", "copy"):
        raise ConfigError(f"by is {by!r}; expected link or copy.")
    inside = folder.absolute().resolve()
    for place in places:
        if by == "link" and not isinstance(place.source, FolderSource):
            raise ConfigError(f"by is 'link', and nothing can link into {place.path}. Expected --by copy.")
        if isinstance(place.path, Path) and place.path.is_dir() and inside.is_relative_to(place.root.resolve()):
            raise DataError(
                f"{folder} lies in {place.path}, so that sorted pictures would be found as new ones. Choose a folder "
                "outside, with --sort-into."
            )
    folders = {name: "/".join(map(_safe, name.split("/"))) for name in classes}
    taken = Counter(path.casefold() for path in (*folders.values(), UNSURE))
    shared = [path for path, n in taken.items() if n > 1]
    if shared:
        raise DataError(
            f"classes would be sorted into one folder {shared[0]!r}. Rename one of them, and train; {UNSURE!r} is for "
            "pictures that need a person's eye."
        )
    roots = [os.path.normpath(place.root) for place in places]
    try:
        root = Path(os.path.commonpath(roots))
    except ValueError:  # several drives
        root = Path(roots[0])
    return Sorter(folder, by, root, {**folders, UNSURE: UNSURE})


def _link(source: ListedSource, inner: str, target: Path) -> bool:
    """Returns whether the target is now a link to a file, and was no other file before."""
    assert isinstance(source, FolderSource)
    origin = source.path(inner).resolve(strict=True)
    if os.path.lexists(target):
        return target.exists() and target.samefile(origin)
    try:
        target.hardlink_to(origin)
    except OSError:  # another disk, a file system without hard links, or too many of one file
        target.symlink_to(origin)
    return True


def _copy(found: Found, target: Path) -> bool:
    """Returns whether the target now has a file's bytes, and was no other file before."""
    if os.path.lexists(target):
        return target.is_file() and target.read_bytes() == found.source.read(found.inner)
    write_bytes(target, found.source.read(found.inner))
    if isinstance(found.source, FolderSource):
        shutil.copystat(found.source.path(found.inner), target)
    return True


def _safe(part: str) -> str:
    """Returns a part of a name that every file system takes, and that leads nowhere else."""
    return NO_PART_OF_A_NAME.sub("_", part).rstrip(". ") or "_"
