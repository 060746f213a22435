r"""Zip and tar archives, read without ever using a name of theirs as a path.

A zip, and a tar that is not compressed, are read in place. A compressed tar is unpacked into one file of the cache, as
a tar, named by the archive's hash; its members are read from there by their positions. So what an archive calls its
members (`../../x`, `C:\x`, `CON`, a link, a device) cannot make a file anywhere.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
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
    MemoryError,
    OverflowError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What the standard library raises on damaged, encrypted or oddly compressed archives."""

MAX_HEADER = 1 << 20
"""Bytes that a tar may spend on one member's name and attributes."""

END = struct.Struct("<4s4H2LH")
END_64 = struct.Struct("<4sQ2H2L4Q")
LONGEST_COMMENT = (1 << 16) - 1
DIRECTORY_ENTRY = b"PK\x01\x02"
LEAST_ENTRY = 46
"""The records at the end of a zip archive, and what stands before each member in its list."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How far an archive is followed before it is taken for a bomb.

    Attributes:
        members: files and folders in it.
        depth: folders inside each other.
        total_bytes: its size when unpacked.
        ratio: unpacked size as a multiple of the packed one. Pictures are compressed already, so theirs is near 1;
            looked at only above `ratio_from` bytes, because a few flat drawings may have any ratio.
        ratio_from: in bytes.
    """

    members: int = 1_000_000
    depth: int = 100
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
        _check_directory(path, limits)
        archive = zipfile.ZipFile(path)
    except DAMAGES as error:
        raise _damaged(path, error) from None
    packed, total = path.stat().st_size, 0
    members: dict[str, zipfile.ZipInfo] = {}
    entries: dict[str, Entry] = {}
    for count, info in enumerate(archive.infolist(), start=1):
        total += info.file_size
        _check_limits(path, limits, members=count, unpacked=total, packed=packed, at=info.orig_filename)
        name = _safe_name(path, info.orig_filename, limits)
        if not name or is_hidden(name):
            continue
        is_folder = info.orig_filename.endswith(("/", "\\"))
        _take(path, entries, Entry(name, is_folder=is_folder, reason=_zip_fault(info)))
        members[name] = info
    return ZipSource(path, archive, members, tuple(entries.values()))


def is_zip(path: Path) -> bool:
    """Returns whether a file ends as a zip archive does, a damaged one too."""
    try:
        return zipfile.is_zipfile(path)
    except DAMAGES:
        return True


def is_tar(path: Path) -> bool:
    """Returns whether a file begins as a tar archive does, compressed or not; reads one block of it."""
    unpack = _compression(path)
    try:
        with unpack(path, "rb") if unpack else path.open("rb") as stream:
            block = stream.read(tarfile.BLOCKSIZE)
        if any(block):
            tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except DAMAGES:
        return False
    return len(block) == tarfile.BLOCKSIZE


def open_tar(path: Path, limits: ArchiveLimits = LIMITS) -> TarSource:
    """Opens a tar archive, compressed or not, after checking all its members.

    Raises:
        DataError: damaged, or with names or sizes that no honest archive has.
    """
    try:
        plain = _uncompressed(path, limits)
        places: dict[str, tuple[int, int]] = {}
        entries: dict[str, Entry] = {}
        with _Headers(plain) as headers, tarfile.open(fileobj=headers, mode="r:") as archive:
            for count, member in enumerate(archive, start=1):
                _check_limits(path, limits, members=count, at=member.name)
                if member.size < 0:
                    raise tarfile.ReadError(f"{printable(member.name)[:200]!r} has less than no bytes")
                name = _safe_name(path, member.name, limits)
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


class _Headers(FileIO):
    """A tar whose members' names and attributes are read, and only these: the rest is skipped."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Returns bytes; none of the pieces that a header asks for is larger than an honest one."""
        if size is None or not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError(f"a name or attribute of more than {MAX_HEADER:,} bytes")
        return super().read(size)


def _compression(path: Path) -> Callable[..., Any] | None:
    """Returns what opens a compressed file, by its first bytes; None for others."""
    with path.open("rb") as stream:
        start = stream.read(8)
    return next((opener for magic, opener in COMPRESSIONS if start.startswith(magic)), None)


def _check_directory(path: Path, limits: ArchiveLimits) -> None:
    """Raises DataError where a zip lists too many members, before the standard library makes an object of each."""
    with path.open("rb") as stream:
        n_bytes = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, n_bytes - END.size - END_64.size - 20 - LONGEST_COMMENT))
        tail = stream.read()
        end, end_64 = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
        if end < 0 or len(tail) - end < END.size:
            return
        at = n_bytes - len(tail) + end
        size = END.unpack_from(tail, end)[5]
        if end_64 >= 0 and len(tail) - end_64 >= END_64.size:
            at, size = n_bytes - len(tail) + end_64, END_64.unpack_from(tail, end_64)[8]
        if not limits.members * LEAST_ENTRY < size <= at:
            return
        stream.seek(at - size)
        n_members = sum(piece.count(DIRECTORY_ENTRY) for piece in iter(lambda: stream.read(PIECE), b""))
    _check_limits(path, limits, members=n_members)


def _uncompressed(path: Path, limits: ArchiveLimits) -> Path:
    """Returns a tar that is not compressed: the archive itself, or its one unpacked copy in the cache."""
    unpack = _compression(path)
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


def _check_limits(
    path: Path, limits: ArchiveLimits, *, members: int = 0, unpacked: int = 0, packed: int = 1, at: str = ""
) -> None:
    if members > limits.members:
        fault = f"has more than {limits.members:,} members"
    elif unpacked > limits.total_bytes:
        fault = f"unpacks to more than {limits.total_bytes / 1e9:g} GB"
    elif unpacked > limits.ratio_from and unpacked > limits.ratio * packed:
        fault = f"unpacks to more than {limits.ratio:g} times its size"
    else:
        return
    where = f" (at its member {printable(at)[:200]!r})" if at else ""
    raise DataError(
        f"{path} {fault}{where}, which no archive of pictures should. Unpack what you need, and give the folder."
    )


def _safe_name(path: Path, name: str, limits: ArchiveLimits) -> str:
    """Returns a member's name with forward slashes and without "." parts; "" for the root itself.

    Names are keys here, never paths. One that points elsewhere still means that the archive is not what it should be.
    """
    slashed = printable(name.replace("\\", "/"))
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    is_outside = "\0" in slashed or slashed.startswith("/") or re.match(r"[A-Za-z]:", slashed) or ".." in parts
    if not is_outside and len(parts) <= limits.depth:
        return "/".join(parts)
    fault = "points outside the archive" if is_outside else f"lies more than {limits.depth} folders deep"
    raise DataError(
        f"{path} has a member named {name[:200]!r}, which {fault}: it is damaged or made to do harm. Expected names "
        "below the archive's root; get it from where you trust, or unpack what you need."
    )


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
