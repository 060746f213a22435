"""Durable files: written whole or not at all, named by their content where that matters."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from platformdirs import user_cache_path

from handful.core.errors import HandfulError
from handful.core.notation import read_size

CACHE_VARIABLE = "HANDFUL_CACHE"
LIMIT_VARIABLE = "HANDFUL_CACHE_LIMIT"
DEFAULT_LIMIT = "10GB"
"""Of features: those of two million pictures with 1280 features each."""

TEMPORARY = r"\.[^/]+\.[0-9a-f]{16}\.tmp"
"""The names of files that are being written; one that is left over was its process's, which was killed."""

STALE_SECONDS = 24 * 3600
"""Age after which what is being written is taken for left over, where nobody can say whose it is."""


def cache_folder(room: str) -> Path:
    """Returns the folder where a room keeps what it can compute or fetch again; $HANDFUL_CACHE moves all of them."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else user_cache_path("handful")) / room


def cache_limit() -> int:
    """Returns the bytes that features may take on disk; $HANDFUL_CACHE_LIMIT moves it.

    Raises:
        ConfigError: the variable does not hold a size.
    """
    return read_size(os.environ.get(LIMIT_VARIABLE) or DEFAULT_LIMIT, option=LIMIT_VARIABLE)


def check_cache() -> None:
    """Raises HandfulError where the cache cannot be used as it is set, before work is done that would go into it."""
    cache_limit()
    folder = cache_folder("")
    try:
        make_folder(folder)
        probe = folder / f".{secrets.token_hex(8)}.tmp"
        try:
            probe.write_bytes(b"1")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise HandfulError(
            f"the cache {folder} cannot be written to: {error.strerror or error}. Set {CACHE_VARIABLE} to a folder "
            "that you may write to."
        ) from error


def sha256_bytes(data: bytes | memoryview) -> str:
    """Returns the SHA-256 of some bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file as 64 hex digits, reading it in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file so that a reader sees the old content or the new, never a part, whatever happens meanwhile.

    The bytes go to a temporary file beside it, are flushed to the disk, and take the name in one step; then the
    folder itself is flushed, so that the name survives a power cut too.

    Raises:
        HandfulError: the file cannot be written (no space, no permission); nothing is left behind.
    """
    with staged_file(path, n_bytes=len(data)) as stream:
        stream.write(data)


@contextmanager
def staged_file(path: Path, *, n_bytes: int | None = None) -> Iterator[BinaryIO]:
    """Opens a new file that takes its name, as with `write_bytes`, when all of it has been written.

    An OSError in the context is taken for one of the writing; others are for the caller to turn into its own.

    Args:
        path: of the file.
        n_bytes: how many it will have, where that is known; told where they do not fit.

    Raises:
        HandfulError: it cannot be written; nothing is left behind.
    """
    temporary = path.parent / f".{path.name[:80]}.{secrets.token_hex(8)}.tmp"
    n_written = 0
    try:
        make_folder(path.parent)
        try:
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            n_written = temporary.stat().st_size if temporary.exists() else 0
            temporary.unlink(missing_ok=True)
            raise
        flush_folder(path.parent)
    except OSError as error:
        needed = f"more than {n_written:,}" if n_bytes is None else f"{n_bytes:,}"
        raise HandfulError(f"could not write {path}: {why_not_written(error, path.parent, needed=needed)}") from error


def move(path: Path, to: Path) -> None:
    """Gives a finished file or folder another name on the same disk, in one step, and brings that to the disk.

    A file that has the name is replaced; of a file from elsewhere the content is flushed first. That of a folder has
    to be written by this module.

    Raises:
        OSError: that cannot be done.
    """
    if path.is_file():
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())
    make_folder(to.parent)
    path.replace(to)
    for folder in {path.parent, to.parent}:
        flush_folder(folder)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, whose names then survive a power cut, unless they are there.

    Raises:
        OSError: that cannot be done.
    """
    if folder.is_dir() or folder == folder.parent:
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Brings a folder's list of names to the disk, where the system can do that."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def why_not_written(error: OSError, folder: Path, *, needed: str) -> str:
    """Returns why something could not be written, and what to do; where the disk is full, with the bytes."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{error.strerror or error}. Check the permissions of the folder, or choose another one."
    there = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(there).free
    return (
        f"{error.strerror}. It needs {needed} bytes, and {free:,} are free there. Make room, or choose another place."
    )


def remove_unfinished(folder: Path) -> None:
    """Removes the files that processes which were killed left half written in a folder that nobody else writes to."""
    for path in folder.rglob(".*.tmp"):
        if re.fullmatch(TEMPORARY, path.name):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text with `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Writes readable JSON with `write_bytes`; NaN and infinities, which JSON does not have, become null."""
    write_text(path, dump_json(value, indent=2) + "\n")


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """Returns strict JSON text; NaN and infinities become null."""
    return json.dumps(_without_nan(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if hasattr(value, "tolist"):
        return _without_nan(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Path):
        return str(value)
    return value
