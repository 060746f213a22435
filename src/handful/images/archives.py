r"""Zip and tar archives, read without ever using a name of theirs as a path.

A zip, and a tar that is not compressed, are read in place. A compressed tar is unpacked into one file of the cache, as
a tar, named by the archive's hash; its members are read from there by their positions. So what an archive calls its
members (`../../x`, `C:\x`, `CON`, a link, a device) cannot make a file anywhere.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handful.core.errors import DataError
from handful.core.files import cache_folder, sha256_file, staged_file
from handful.core.sealed import find_named, named_by_hash
from handful.images.sources import Entry, is_hidden, printable
from handful.images.unreadable import UnreadableError

PIECE = 1 << 20
COMPRESSIONS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
)
"""What the standard library raises on damaged, encrypted or oddly compressed archives."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How far an archive is followed before it is taken for a bomb.

    Attributes:
        members: files and folders in it.
        total_bytes: its size when unpacked.
        ratio: unpacked size as a multiple of the packed one. Pictures are compressed already, so theirs is near 1;
            looked at only above `ratio_from` bytes, because a few flat drawings may have any ratio.
        ratio_from: in bytes.
    """

    members: int = 1_000_000
    total_bytes: int = 20 * 10**9
    ratio: float = 200.0
    ratio_from: int = 100 * 10**6


LIMITS = ArchiveLimits()


def open_zip(path: Path, limits: ArchiveLimits = LIMITS) -> ZipSource:
    """Opens a zip archive after checking all its members.

    Raises:
        DataError: damaged, or with names or sizes that no honest archive has.
    """
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGES as error:
        raise _damaged(path, error) from None
    packed, total = path.stat().st_size, 0
    members: dict[str, zipfile.ZipInfo] = {}
    entries: dict[str, Entry] = {}
    for count, info in enumerate(archive.infolist(), start=1):
        total += info.file_size
        _check_limits(path, limits, members=count, unpacked=total, packed=packed)
        name = _safe_name(path, info.orig_filename)
        if not name or is_hidden(name):
            continue
        is_folder = info.orig_filename.endswith(("/", "\\"))
        _take(path, entries, Entry(name, is_folder=is_folder, reason=_zip_fault(info)))
        members[name] = info
    return ZipSource(path, archive, members, tuple(entries.values()))


def open_tar(path: Path, limits: ArchiveLimits = LIMITS) -> TarSource:
    """Opens a tar archive, compressed or not, after checking all its members.

    Raises:
        DataError: damaged, or with names or sizes that no honest archive has.
    """
    try:
        plain = _uncompressed(path, limits)
        places: dict[str, tuple[int, int]] = {}
        entries: dict[str, Entry] = {}
        with tarfile.open(plain, "r:") as archive:
            for count, member in enumerate(archive, start=1):
                _check_limits(path, limits, members=count)
                name = _safe_name(path, member.name)
                if not name or is_hidden(name):
                    continue
                _take(path, entries, Entry(name, is_folder=member.isdir(), reason=_tar_fault(member)))
                places[name] = (member.offset_data, member.size)
    except DAMAGES as error:
        raise _damaged(path, error) from None
    return TarSource(plain, places, tuple(entries.values()))


@dataclass(frozen=True, slots=True)
class ZipSource:
    """A zip archive, read in place; made by `open_zip`."""

    path: Path
    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]
    listed: tuple[Entry, ...]

    def names(self) -> Iterator[str]:
        """Yields the names of the files."""
        return (entry.name for entry in self.listed if not entry.is_folder)

    def entries(self) -> Iterator[Entry]:
        """Yields folders and files."""
        return iter(self.listed)

    def size(self, name: str) -> int:
        """Returns the size in bytes; see `ListedSource`."""
        return self._member(name).file_size

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file; at most as many as the archive's list says.

        Raises:
            UnreadableError: the member is damaged, encrypted, or compressed in an unknown way.
        """
        member = self._member(name)
        try:
            return self.archive.read(member)
        except DAMAGES as error:
            raise UnreadableError(f"cannot be read from {self.path.name}: {error}") from None

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self.members:
            raise UnreadableError("there is no such file in the archive")
        return self.members[name]


@dataclass(frozen=True, slots=True)
class TarSource:
    """An uncompressed tar, whose members are read by position; made by `open_tar`."""

    path: Path
    places: Mapping[str, tuple[int, int]]
    listed: tuple[Entry, ...]

    def names(self) -> Iterator[str]:
        """Yields the names of the files."""
        return (entry.name for entry in self.listed if not entry.is_folder)

    def entries(self) -> Iterator[Entry]:
        """Yields folders and files."""
        return iter(self.listed)

    def size(self, name: str) -> int:
        """Returns the size in bytes; see `ListedSource`."""
        if name not in self.places:
            raise UnreadableError("there is no such file in the archive")
        return self.places[name][1]

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file.

        Raises:
            UnreadableError: the archive ends before the file does.
        """
        size = self.size(name)
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.places[name][0])
                data = stream.read(size)
        except OSError as error:
            raise UnreadableError(f"cannot be read from {self.path}: {error.strerror}", lasting=False) from None
        if len(data) != size:
            raise UnreadableError(f"{self.path.name} ends before the end of this file")
        return data


def _uncompressed(path: Path, limits: ArchiveLimits) -> Path:
    """Returns a tar that is not compressed: the archive itself, or its one unpacked copy in the cache."""
    with path.open("rb") as stream:
        start = stream.read(8)
    unpack = next((opener for magic, opener in COMPRESSIONS if start.startswith(magic)), None)
    if unpack is None:
        return path
    target = cache_folder("archives") / f"{sha256_file(path)}.tar"
    if (known := find_named(target)) is not None:
        return known
    packed, total = path.stat().st_size, 0
    with staged_file(target) as copy:
        for piece in _pieces(path, unpack):
            total += len(piece)
            _check_limits(path, limits, unpacked=total, packed=packed)
            copy.write(piece)
    return named_by_hash(target)


def _pieces(path: Path, unpack: Callable[..., Any]) -> Iterator[bytes]:
    """Yields what a compressed file holds.

    Raises:
        DataError: it is damaged.
    """
    try:
        with unpack(path, "rb") as source:
            while piece := source.read(PIECE):
                yield piece
    except DAMAGES as error:
        raise _damaged(path, error) from None


def _check_limits(path: Path, limits: ArchiveLimits, *, members: int = 0, unpacked: int = 0, packed: int = 1) -> None:
    if members > limits.members:
        fault = f"has more than {limits.members:,} members"
    elif unpacked > limits.total_bytes:
        fault = f"unpacks to more than {limits.total_bytes / 1e9:g} GB"
    elif unpacked > limits.ratio_from and unpacked > limits.ratio * packed:
        fault = f"unpacks to more than {limits.ratio:g} times its size"
    else:
        return
    raise DataError(f"{path} {fault}, which no archive of pictures should. Unpack what you need, and give the folder.")


def _safe_name(path: Path, name: str) -> str:
    """Returns a member's name with forward slashes and without "." parts; "" for the root itself.

    Names are keys here, never paths. One that points elsewhere still means that the archive is not what it should be.
    """
    slashed = printable(name.replace("\\", "/"))
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if "\0" in slashed or slashed.startswith("/") or re.match(r"[A-Za-z]:", slashed) or ".." in parts:
        raise DataError(
            f"{path} has a member named {name[:200]!r}, which points outside the archive: it is damaged or made to do "
            "harm. Expected names below the archive's root; get it from where you trust, or unpack what you need."
        )
    return "/".join(parts)


def _take(path: Path, entries: dict[str, Entry], entry: Entry) -> None:
    known = entries.get(entry.name)
    if known is not None and not (known.is_folder and entry.is_folder):
        raise DataError(
            f"{path} has two members named {entry.name!r}; which one is meant cannot be known. Expected one member per "
            "name; pack the archive again."
        )
    entries[entry.name] = entry


def _zip_fault(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a link inside the archive; links are not followed"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "not a regular file"
    return "encrypted; unpack it with its password" if info.flag_bits & 1 else ""


def _tar_fault(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link inside the archive; links are not followed"
    if member.issparse():
        return "stored with holes (sparse)"
    return "" if member.isreg() or member.isdir() else "not a regular file"


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read as an archive: {error}. It is damaged or cut off; get it again.")
