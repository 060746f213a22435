"""Pictures at addresses: object stores and web servers, in the words of fsspec (s3://, gs://, az://, http://, ...)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any, BinaryIO, TypeVar

from handful.core.errors import DataError, HandfulError
from handful.images.layout import looks_like_picture
from handful.images.listing import is_table, read_paths
from handful.images.rows import RowPlace, open_rows
from handful.images.sources import UNKNOWN, Entry, Found, is_hidden
from handful.images.unreadable import UnreadableError

T = TypeVar("T")

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.+", re.DOTALL)

PAUSES = (1.0, 4.0, 16.0)
"""Seconds before something is asked for again that was not answered; services are busy at times."""

ABSENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""What is an answer, and no fault of the way to it."""

INVALID = re.compile("credential|expired|token", re.IGNORECASE)
"""In the names of such errors, like ExpiredToken, where credentials are the fault."""

EXPIRED = re.compile(r"\btoken [\w ]*\bexpired\b", re.IGNORECASE)
"""In the words of services of which no more is known, like "The provided token has expired."."""

CREDENTIALS = "AWS_ACCESS_KEY_ID and so on, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_CONNECTION_STRING"
"""Where the usual services' libraries look for them first."""

CHANGED = ("ETag", "etag", "LastModified", "updated", "mtime")
"""What file systems call that which tells when a file changed."""


def path_or_address(text: str | os.PathLike[str]) -> Path | str:
    """Returns an address as it is, and everything else as a path."""
    return text if isinstance(text, str) and ADDRESS.fullmatch(text) else Path(text)


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """Files below an address.

    Attributes:
        address: as it was named, without a slash at its end.
        files: fsspec's file system.
        root: the address as the file system writes it.
        stamps: of the files that were listed last, by name: size, and what tells when they changed.
    """

    address: str
    files: Any
    root: str
    stamps: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def names(self) -> Iterator[str]:
        """Yields the names of the files, in a fixed order."""
        return (entry.name for entry in self.entries() if not entry.is_folder)

    def entries(self) -> Iterator[Entry]:
        """Yields folders and files, depth first, in a fixed order."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            at = f"{self.root}/{folder}" if folder else self.root
            found: list[dict[str, Any]] = self.asked(partial(self.files.ls, at, detail=True), at)
            children = {str(facts["name"]).rstrip("/").removeprefix(f"{self.root}/"): facts for facts in found}
            self.stamps.clear()
            below = []
            for name in sorted(children):
                if name.rpartition("/")[0] != folder or is_hidden(name):  # the folder itself, or a link to elsewhere
                    continue
                self.stamps[name] = _stamp(children[name])
                is_folder = children[name]["type"] == "directory"
                yield Entry(name, is_folder=is_folder)
                below += [name] if is_folder else []
            waiting.extend(reversed(below))

    def size(self, name: str) -> int:
        """Returns the size in bytes; `UNKNOWN` where the service does not say. See `ListedSource`."""
        n_bytes: int | None = self.asked(partial(self.files.size, self._at(name)), self._at(name))
        return UNKNOWN if n_bytes is None else n_bytes

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file.

        Raises:
            UnreadableError: there is no such file, or it must not be read.
            DataError: the service does not answer.
        """
        data: bytes = self.asked(partial(self.files.cat_file, self._at(name)), self._at(name))
        return data

    def opened(self, name: str) -> BinaryIO:
        """Opens a file that is read piece by piece.

        Raises:
            UnreadableError: as in `read`.
            DataError: as there.
        """
        stream: BinaryIO = self.asked(partial(self.files.open, self._at(name), "rb"), self._at(name))
        return stream

    def _at(self, name: str) -> str:
        """Returns where a file is; a table may name files of the same service by their whole addresses."""
        if ADDRESS.fullmatch(name):
            return str(self.files._strip_protocol(name))
        return f"{self.root}/{name}"

    def asked(self, ask: Callable[[], T], what: str) -> T:
        """Returns an answer of the service; asks again where there is none.

        Raises:
            UnreadableError: that there is nothing is an answer.
            DataError: there is none.
        """
        pauses = list(PAUSES)
        while True:
            try:
                return ask()
            except (UnreadableError, HandfulError):
                raise
            except Exception as error:  # of the service's own library
                lacks = _lacks_credentials(error, what)
                if isinstance(error, ABSENT) and not lacks:
                    raise UnreadableError(f"cannot be read: {_reason(error)}", lasting=False) from None
                if lacks or not pauses:
                    raise DataError(
                        f"{what} cannot be read: {_reason(error)}. It was asked for {1 + len(PAUSES) - len(pauses)} "
                        f"times; check the address, the network and your credentials ({CREDENTIALS}), and give the "
                        "command again."
                    ) from error
                sleep(pauses.pop(0))


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A picture, a folder or a table at an address; see `unlabelled.Place`.

    Attributes:
        path: the address as it was named.
        source: has the bytes of its pictures.
        root: the folder that they lie in.
        name: of the picture or table in this folder; "" for the folder.
    """

    path: str
    source: RemoteSource
    root: Path
    name: str

    @property
    def address(self) -> str:
        """Returns by what name every process finds it."""
        return self.path

    def find(self, *, films: bool = False) -> Iterator[Found]:
        """Yields its pictures; see `unlabelled.Place`."""
        if not self.name:
            for entry in self.source.entries():
                if not entry.is_folder and looks_like_picture(entry.name, films=films):
                    yield Found(f"{self.source.address}/{entry.name}", self.source, entry.name)
        elif is_table(self.name):
            with _expecting(self.path), self.source.opened(self.name) as stream:
                yield from (Found(name, self.source, name) for name in read_paths(stream, self.path))
        else:
            yield Found(self.path, self.source, self.name)

    def stamp(self, inner: str) -> str:
        """Returns what tells whether a file was changed meanwhile; "" for files that no folder listed."""
        return self.source.stamps.get(inner, "")


def open_remote(address: str) -> RemotePlace | RowPlace:
    """Opens what the user named by an address; credentials are the environment's, as its library reads them.

    Raises:
        DataError: a library is missing or unknown, there is nothing there, or no answer.
    """
    import fsspec

    whole = address.rstrip("/")
    try:
        fsspec.get_filesystem_class(fsspec.utils.get_protocol(whole))
    except (ImportError, ValueError) as error:
        raise DataError(
            f"{address} cannot be opened: {error}. fsspec has a library for each kind of address: s3fs (s3://), gcsfs "
            "(gs://), adlfs (az://), aiohttp (http://, https://); pip install it on every machine that reads."
        ) from None
    try:
        files, root = fsspec.url_to_fs(whole)
    except Exception as error:  # of the service's own library
        raise DataError(
            f"{address} cannot be opened: {_reason(error)}. Check the address, and your credentials ({CREDENTIALS})."
        ) from error
    folder = RemoteSource(whole, files, str(root).rstrip("/"))
    name = whole.rpartition("/")[2]
    parent = _parent(folder)
    with _expecting(address):
        opening = partial(open_rows, partial(parent.opened, name), whole, asked=parent.asked)
        if rows := parent.asked(opening, whole):
            stamp = _stamp(parent.asked(partial(files.info, folder.root), whole))
            return RowPlace(address, rows, Path(folder.root), stamp)
        if is_table(name) or looks_like_picture(name):
            return RemotePlace(address, parent, Path(parent.root), name)
        next(folder.entries(), None)
    return RemotePlace(address, folder, Path(folder.root), "")


@contextmanager
def _expecting(address: str) -> Iterator[None]:
    """Says what can be named, where there is nothing, and what to check, where it ends before its end."""
    try:
        yield
    except UnreadableError as error:
        raise DataError(
            f"{address}: {error}. Expected a folder of pictures, a picture or a table, and credentials for it."
        ) from None
    except OSError as error:
        raise DataError(
            f"{address} cannot be read to its end: {_reason(error)}. Check the network and your credentials "
            f"({CREDENTIALS}), and give the command again."
        ) from error


def _parent(source: RemoteSource) -> RemoteSource:
    return RemoteSource(source.address.rpartition("/")[0], source.files, source.root.rpartition("/")[0])


def _stamp(facts: dict[str, Any]) -> str:
    changed = next((str(facts[key]) for key in CHANGED if key in facts), "")
    return f"{facts.get('size')}.{changed}"


def _lacks_credentials(error: Exception, what: str) -> bool:
    """Returns whether no other file will be given either: there are no credentials, or they are not valid any more."""
    if isinstance(error, ABSENT) and not isinstance(error, PermissionError):
        return False
    told = " ".join(str(error).replace(what, "").split())
    return EXPIRED.search(told) is not None or any(INVALID.search(name) for name in _names(error))


def _names(error: Exception) -> Iterator[str]:
    """Yields what an error, and the one that it comes from, are called by the library and by the service."""
    for each in (error, error.__cause__):
        yield type(each).__name__
        yield str(getattr(each, "error_code", ""))  # Azure's
        response = getattr(each, "response", None)  # Amazon's
        yield str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}".rstrip(".: ")
