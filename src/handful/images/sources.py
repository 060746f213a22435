"""Where bytes come from: a folder, an archive, or the CIFAR-10 batches."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from handful.core.errors import DataError
from handful.core.records import Source
from handful.images.unreadable import UnreadableError

JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "Desktop.ini", "$RECYCLE.BIN", "System Volume Information"})
"""What systems leave in folders; ignored without a word, like every name that begins with a dot."""

UNKNOWN = -1
"""The size of what has to be read to know it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a source.

    Attributes:
        name: relative to the root, with forward slashes.
        is_folder: True for folders, which are told too so that empty ones can be reported.
        reason: why it cannot be used; "" for what can be tried.
    """

    name: str
    is_folder: bool = False
    reason: str = ""


class ListedSource(Source, Protocol):
    """A source that also tells its folders and refused members, and sizes before anything is read."""

    def entries(self) -> Iterator[Entry]:
        """Yields everything below the root except hidden things and `JUNK`."""

    def size(self, name: str) -> int:
        """Returns the size of a file in bytes; 0 for a picture in memory, which is no file; or `UNKNOWN`.

        Raises:
            UnreadableError: there is no such file, or it must not be read.
        """


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


def open_source(path: Path) -> ListedSource:
    """Opens a folder, a zip or tar archive, or CIFAR-10 (python version; its archive or its extracted folder).

    An archive is found by its content, not its name. Nothing is written beside it; a compressed tar is unpacked once
    into one file of handful's cache.

    Raises:
        DataError: there is nothing there, it is no archive, or it is an archive that cannot be trusted.
    """
    from handful.images.archives import is_tar, is_zip, open_tar, open_zip
    from handful.images.cifar import find_batches, open_batches

    if not _mode(path):
        raise DataError(
            f"there is no {path}. Check the spelling; expected a folder of pictures, a table or an archive."
        )
    source: ListedSource
    if stat.S_ISDIR(_mode(path)):
        source = FolderSource(path)
    elif not is_file(path):
        raise DataError(f"{path} is neither a folder nor a file; expected a folder of pictures, a table or an archive.")
    elif not os.access(path, os.R_OK):
        raise DataError(f"{path} cannot be read: permission denied. Change its permissions, or copy it.")
    elif is_zip(path):
        source = open_zip(path)
    elif is_tar(path):
        source = open_tar(path)
    else:
        raise DataError(
            f"{path} is a file, and neither a zip or tar archive nor a table (.csv, .tsv, .parquet). "
            "Expected one of these, or a folder with one folder of pictures per class. An archive may be damaged."
        )
    batches = find_batches(source)
    return source if batches is None else open_batches(source, batches, path)


def is_file(path: Path) -> bool:
    """Returns whether there is a regular file; False, unlike `Path.is_file`, for a name that no file can have."""
    return stat.S_ISREG(_mode(path))


def is_hidden(name: str) -> bool:
    """Returns whether any part of a name is hidden or left there by the system."""
    return any(part.startswith(".") or part in JUNK for part in name.split("/"))


def printable(name: str) -> str:
    """Returns a name from the disk as text that can be written as UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class FolderSource:
    r"""A folder on disk; links are followed only to files inside it.

    A name that is not UTF-8 on disk is told with its odd bytes as \xNN, so that it can be written into reports.
    """

    root: Path
    real_root: Path = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "real_root", Path(os.path.realpath(self.root)))

    def names(self) -> Iterator[str]:
        """Yields the names of the files, in a fixed order."""
        return (entry.name for entry in self.entries() if not entry.is_folder)

    def entries(self) -> Iterator[Entry]:
        """Yields folders and files, depth first, in a fixed order; never enters a link."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                children, folders, links = self._children(folder)
            except OSError as error:
                yield Entry(folder, is_folder=True, reason=f"the folder cannot be read: {error.strerror}")
                continue
            below = []
            for child in children:
                name = f"{folder}/{printable(child)}" if folder else printable(child)
                if child in folders:
                    yield Entry(name, is_folder=True)
                    below.append(name)
                elif child in links and stat.S_ISDIR(_mode(self.path(name))):
                    yield Entry(name, is_folder=True, reason="a link to a folder; links are not followed, copy it")
                else:
                    yield Entry(name)
            waiting.extend(reversed(below))

    def files_in(self, folders: Iterable[str]) -> Iterator[str]:
        """Yields the names of the files that lie directly in some folders; nothing for a folder that is not there."""
        for folder in folders:
            try:
                with os.scandir(self.path(folder)) as found:
                    children = sorted(child.name for child in found if child.is_file() and not is_hidden(child.name))
            except OSError:
                continue
            yield from (f"{folder}/{printable(child)}" if folder else printable(child) for child in children)

    def size(self, name: str) -> int:
        """Returns the size in bytes; see `ListedSource`."""
        with _as_unreadable():
            return _regular(self._real(name).stat()).st_size

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file.

        Raises:
            UnreadableError: it cannot be read, or must not be.
        """
        with _as_unreadable(), open(self._real(name), "rb", opener=_open_once) as stream:
            _regular(os.fstat(stream.fileno()))
            return stream.read()

    def stamp(self, name: str) -> str:
        """Returns what tells whether a file was changed meanwhile: its size, and when it last was; "" for none."""
        try:
            status = self.path(name).stat()
        except (OSError, ValueError):
            return ""
        return f"{status.st_size}.{status.st_mtime_ns}"

    def path(self, name: str) -> Path:
        """Returns where a file lies."""
        path = self.root / name
        if "\\x" in name and not os.path.lexists(path):
            raw = re.sub(rb"\\x([0-9a-f]{2})", lambda odd: bytes.fromhex(odd[1].decode()), os.fsencode(name))
            return self.root / os.fsdecode(raw)
        return path

    def _real(self, name: str) -> Path:
        """Returns where a file is once links are followed; those of a plain name must not lead out of the root."""
        real = Path(os.path.realpath(self.path(name), strict=True))
        if not Path(name).is_absolute() and ".." not in name.split("/") and not real.is_relative_to(self.real_root):
            raise UnreadableError("a link that leads out of the folder; copy the picture itself")
        return real

    def _children(self, folder: str) -> tuple[list[str], set[str], set[str]]:
        """Returns the sorted names in a folder, and which are folders and links; names alone, as there may be many."""
        names, folders, links = [], set(), set()
        with os.scandir(self.path(folder)) as found:
            for child in found:
                if is_hidden(child.name):
                    continue
                names.append(child.name)
                if child.is_dir(follow_symlinks=False):
                    folders.add(child.name)
                elif child.is_symlink():
                    links.add(child.name)
        return sorted(names), folders, links


def _mode(path: Path) -> int:
    """Returns what kind of thing lies there, as `stat` numbers it; 0 for nothing that can be looked at."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


@contextmanager
def telling_unreadable(path: Path) -> Iterator[None]:
    """Says which table cannot be read, and why."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Check its permissions.") from None


@contextmanager
def _as_unreadable() -> Iterator[None]:
    """Turns what the system says about a file into the reason why it is not used."""
    try:
        yield
    except FileNotFoundError:
        raise UnreadableError("there is no such file", lasting=False) from None
    except (OSError, ValueError, MemoryError) as error:  # a loop of links, no permission, a name with NUL
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"cannot be read: {reason}", lasting=False) from None


def _regular(status: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("not a regular file")
    return status


def _open_once(path: str, flags: int) -> int:
    """Opens a file whose links were followed before: it is no link meanwhile, and a pipe does not wait for a writer."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


@dataclass(frozen=True, slots=True)
class JoinedSource:
    """Files of several sources under names of their own.

    Attributes:
        places: name to the source that has it and its name there.
    """

    places: Mapping[str, tuple[ListedSource, str]]

    def names(self) -> Iterator[str]:
        """Yields the names of the files."""
        return iter(self.places)

    def entries(self) -> Iterator[Entry]:
        """Yields the files."""
        return (Entry(name) for name in self.places)

    def size(self, name: str) -> int:
        """Returns the size in bytes; see `ListedSource`."""
        source, inner = self.places[name]
        return source.size(inner)

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file."""
        source, inner = self.places[name]
        return source.read(inner)
