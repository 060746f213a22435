"""Pictures whose class is not known: found one after the other in whatever the user named, and read unchecked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.core.records import PixelArray
from handful.images.check import read_within
from handful.images.decode import decode
from handful.images.layout import looks_like_picture
from handful.images.listing import is_table, read_paths
from handful.images.sources import FolderSource, ListedSource, open_source, printable


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was found and not opened yet.

    Attributes:
        name: as the user named it, or below what they named.
        source: has its bytes.
        inner: its name there.
        reason: why it cannot be used; "" for what can be tried.
    """

    name: str
    source: ListedSource
    inner: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Something that the user named, opened: a picture, a folder, an archive, or a table that lists pictures.

    Attributes:
        path: as it was named.
        source: has the bytes of its pictures.
        root: the folder or archive that they lie in.
    """

    path: Path
    source: ListedSource
    root: Path

    def find(self) -> Iterator[Found]:
        """Yields its pictures, in an order of their own: by name, or that of the table; a table may repeat some.

        Of a folder, only the names of one folder in it are held at a time.

        Raises:
            DataError: a table cannot be read.
        """
        if self._is_table:
            yield from self._listed()
        elif self._is_picture:
            yield Found(printable(str(self.path)), self.source, printable(self.path.name))
        else:
            for entry in self.source.entries():
                if entry.reason or (not entry.is_folder and looks_like_picture(entry.name)):
                    name = f"{printable(self.path.as_posix())}/{entry.name}"
                    yield Found(name, self.source, entry.name, entry.reason)

    def stamp(self, inner: str) -> str:
        """Returns what tells whether a file was changed meanwhile; the archive's for what is in one."""
        if isinstance(self.source, FolderSource):
            return self.source.stamp(inner)
        return FolderSource(self.root.parent).stamp(self.root.name)

    @property
    def _is_table(self) -> bool:
        return self.path.is_file() and is_table(self.path.name)

    @property
    def _is_picture(self) -> bool:
        return self.path.is_file() and isinstance(self.source, FolderSource)

    def _listed(self) -> Iterator[Found]:
        try:
            with self.path.open("rb") as stream:
                for name in read_paths(stream, str(self.path)):
                    inner = name.replace("\\", "/") if "\\" in name and not (self.root / name).exists() else name
                    yield Found(name, self.source, inner)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}. Check its permissions.") from None


def open_place(path: Path) -> Place:
    """Opens what the user named; a file that is neither table nor archive is taken for a picture, whatever its name.

    Raises:
        DataError: there is nothing there, or it is a damaged archive.
    """
    if path.is_file() and (is_table(path.name) or looks_like_picture(path.name)):
        return _in_folder(path)
    try:
        source = open_source(path)
    except DataError:
        if not path.is_file():
            raise
        return _in_folder(path)
    return Place(path, source, path.absolute())


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


def _in_folder(path: Path) -> Place:
    folder = path.absolute().parent
    return Place(path, FolderSource(folder.resolve()), folder)
