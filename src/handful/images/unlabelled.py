"""Pictures whose class is not known: found one after the other in whatever the user named, and read unchecked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.core.progress import Progress, Silent
from handful.core.records import ImageTable, PixelArray, Skipped
from handful.images.channels import scale_for
from handful.images.check import as_picture, check_files, read_within
from handful.images.decode import decode
from handful.images.films import unfold
from handful.images.given import Given
from handful.images.layout import Placed, looks_like_picture, some
from handful.images.listing import is_table, read_paths
from handful.images.remote import open_remote
from handful.images.rows import RowPlace, open_rows
from handful.images.sources import (
    FolderSource,
    Found,
    JoinedSource,
    ListedSource,
    is_file,
    open_source,
    printable,
    telling_unreadable,
)


class Place(Protocol):
    """Something that the user named, opened: a picture, a folder, an archive, or a table that lists pictures."""

    @property
    def path(self) -> Path | str:
        """As it was named; a text where it is an address."""

    @property
    def address(self) -> str:
        """By what name other processes find it."""

    @property
    def source(self) -> ListedSource:
        """Has the bytes of its pictures."""

    @property
    def root(self) -> Path:
        """The folder or archive that they lie in."""

    def find(self, *, films: bool = False) -> Iterator[Found]:
        """Yields its pictures, in an order of their own: by name, or that of the table; a table may repeat some.

        Of a folder, only the names of one folder in it are held at a time.

        Args:
            films: yield video files too.

        Raises:
            DataError: a table cannot be read.
        """

    def stamp(self, inner: str) -> str:
        """Returns what tells whether a file was changed since it was found."""


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A place on the disks of this machine, or on those that it mounts; see `Place`.

    Attributes:
        path: as it was named.
        source: has the bytes of its pictures.
        root: the folder or archive that they lie in.
    """

    path: Path
    source: ListedSource
    root: Path

    @property
    def address(self) -> str:
        """Returns its path from the root of the disk."""
        return str(self.path.absolute())

    def find(self, *, films: bool = False) -> Iterator[Found]:
        """Yields its pictures; see `Place`."""
        if self._is_table:
            yield from self._listed()
        elif self._is_picture:
            yield Found(printable(str(self.path)), self.source, printable(self.path.name))
        else:
            for entry in self.source.entries():
                if entry.reason or (not entry.is_folder and looks_like_picture(entry.name, films=films)):
                    name = f"{printable(self.path.as_posix())}/{entry.name}"
                    yield Found(name, self.source, entry.name, entry.reason)

    def stamp(self, inner: str) -> str:
        """Returns what tells whether a file was changed meanwhile; the archive's for what is in one."""
        if isinstance(self.source, FolderSource):
            return self.source.stamp(inner)
        return FolderSource(self.root.parent).stamp(self.root.name)

    @property
    def _is_table(self) -> bool:
        return is_file(self.path) and is_table(self.path.name)

    @property
    def _is_picture(self) -> bool:
        return is_file(self.path) and isinstance(self.source, FolderSource)

    def _listed(self) -> Iterator[Found]:
        with telling_unreadable(self.path), self.path.open("rb") as stream:
            for name in read_paths(stream, str(self.path)):
                inner = name.replace("\\", "/") if "\\" in name and not is_file(self.root / name) else name
                yield Found(name, self.source, inner)


def open_place(path: Path | str) -> Place:
    """Opens what the user named; a file that is neither table nor archive is taken for a picture, whatever its name.

    Args:
        path: a path; or an address, as a text (`remote.path_or_address`).

    Raises:
        DataError: there is nothing there, or it is a damaged archive.
    """
    if isinstance(path, str):
        return open_remote(path)
    if is_file(path) and is_table(path.name):
        with telling_unreadable(path):
            rows = open_rows(lambda: path.open("rb"), printable(path.as_posix()))
        stamp = FolderSource(path.parent).stamp(path.name)
        return RowPlace(path, rows, path.absolute(), stamp) if rows else _in_folder(path)
    if is_file(path) and looks_like_picture(path.name):
        return _in_folder(path)
    try:
        source = open_source(path)
    except DataError:
        if not is_file(path):
            raise
        return _in_folder(path)
    return LocalPlace(path, source, path.absolute())


def read_unchecked(found: Found, config: ReadingConfig, *, full_scale: int, shortest: int | None = None) -> PixelArray:
    """Reads and decodes a picture that was not checked before, once; safe to call from several threads.

    Args:
        found: the picture.
        config: the limits on size.
        full_scale: what stands for white in pictures of more than 8 bits; the training data set's.
        shortest: as in `pixels`.

    Returns:
        uint8 (H, W, 3), RGB, upright: what `pixels` gives of a picture that was checked.

    Raises:
        UnreadableError: it cannot be used; the message is the reason.
    """
    data = read_within(found.source, found.inner, config.max_file_mb * 1e6)
    return decode(data, max_pixels=config.max_megapixels * 1e6, shortest=shortest).rgb(full_scale)


def _in_folder(path: Path) -> LocalPlace:
    folder = path.absolute().parent
    return LocalPlace(path, FolderSource(folder.resolve()), folder)


def name_none(paths: Iterable[Path | str]) -> DataError:
    """Returns the error for want of any picture."""
    return DataError(
        f"no pictures in {some([str(path) for path in paths])}. Expected picture files, or folders of them."
    )


def find_pictures(
    wanted: Sequence[Path | str] | Given, config: ReadingConfig, *, progress: Progress | None = None
) -> list[Found]:
    """Returns all pictures of what the user named, each once, in its order; the frames of films last.

    Args:
        wanted: paths, addresses, or what `given` made of pictures in memory.
        config: whether films are taken, and their limits.
        progress: told about every film.

    Raises:
        DataError: a path does not exist, or there are no pictures at all.
    """
    if isinstance(wanted, Given):
        return [Found(picture.name, wanted.source, picture.name) for picture in wanted.layout.placed]
    found: dict[str, Found] = {}
    for place in [open_place(path) for path in wanted]:
        for each in place.find(films=config.fps is not None):
            found.setdefault(each.name, each)
    if not found:
        raise name_none(wanted)
    if config.fps is None:
        return list(found.values())
    unfolded = unfold(
        {each.name: (each.source, each.inner) for each in found.values() if not each.reason},
        fps=config.fps,
        max_pixels=config.max_megapixels * 1e6,
        progress=progress or Silent(),
    )
    return [
        *(each for each in found.values() if each.reason),
        *(Found(one.path, found[one.path].source, found[one.path].inner, one.reason) for one in unfolded.refused),
        *(Found(name, source, inner) for name, (source, inner) in unfolded.places.items()),
    ]


def read_unlabelled(
    wanted: Sequence[Path] | Given,
    config: ReadingConfig,
    *,
    full_scale: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> ImageTable:
    """Reads and checks pictures whose class is not known, where a table is wanted.

    Args:
        wanted: pictures, folders (searched to any depth), archives, tables that list pictures; or what `given` made of
            pictures in memory.
        config: the limits on size.
        full_scale: what stands for white in pictures of more than 8 bits: the training data set's; by default what
            suits these.
        threads: pictures decoded at the same time.
        progress: told about every picture.

    Returns:
        A table without classes, every label -1, in the order in which the paths were given, each once; each picture is
        named as the user named it, or below what they named.

    Raises:
        DataError: a path does not exist, or there are no pictures at all.
    """
    watch = progress or Silent()
    found = find_pictures(wanted, config, progress=watch)
    places = {each.name: (each.source, each.inner) for each in found if not each.reason}
    source = wanted.source if isinstance(wanted, Given) else JoinedSource(places)
    checked = check_files(source, list(places), config, threads=threads, progress=watch)
    pictures, skipped = [], [Skipped(each.name, each.reason) for each in found if each.reason]
    for name, one in zip(places, checked, strict=True):
        if one.facts.reason:
            skipped.append(Skipped(name, one.facts.reason))
        else:
            pictures.append(as_picture(Placed(name, ""), -1, one))
    if isinstance(wanted, Given):
        root = Path(wanted.title)
    else:
        root = Path(os.path.commonpath([path.absolute() for path in wanted]))
    in_order = tuple(sorted(skipped, key=lambda one: one.path))
    if full_scale is None:
        full_scale = scale_for(one.facts.maximum for one in checked)
    return ImageTable(root, source, (), tuple(pictures), in_order, full_scale=full_scale)
