"""Durable files: written whole or not at all, named by their content where that matters."""

from __future__ import annotations

import hashlib
import json
import os
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

IN_PROGRESS = ".in-progress"
"""Marks a folder whose content is still being made beside it."""


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
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(8)}.tmp"
        probe.open("x").close()
        probe.unlink()
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
    with staged_file(path) as stream:
        stream.write(data)


@contextmanager
def staged_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a new file that takes its name, as with `write_bytes`, when all of it has been written.

    Raises:
        HandfulError: it cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name[:80]}.{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)
    except OSError as error:
        raise HandfulError(
            f"could not write {path}: {error.strerror or error}. "
            "Check the free space and the permissions of the folder, or choose another one."
        ) from error


@contextmanager
def staged_folder(folder: Path) -> Iterator[Path]:
    """Reserves a name for a folder and opens a temporary one beside it, which takes the name when all went well.

    While the work lasts the folder exists and holds only a marker, so that two runs never take one name; the finished
    folder replaces it in one step. When the work fails, both are removed.

    Raises:
        HandfulError: something of that name exists, or the place cannot be written to; raised before any work.
    """
    refuse_existing(folder)
    staging = folder.parent / f".{folder.name[:80]}.{secrets.token_hex(8)}.partial"
    marker = folder / IN_PROGRESS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marker.open("x").close()
        staging.mkdir()
    except FileExistsError:
        raise HandfulError(f"{folder} was just taken by another run. Choose another name with --out.") from None
    except OSError as error:
        raise HandfulError(
            f"cannot create {folder}: {error.strerror or error}. Choose a folder that you may write to, with --out."
        ) from error
    try:
        yield staging
        marker.unlink(missing_ok=True)
        folder.rmdir()
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        marker.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise
    _flush_folder(folder.parent)


def refuse_existing(folder: Path) -> None:
    """Raises HandfulError where a folder cannot be made: it exists and is not empty, or has no name of its own."""
    whole = folder.absolute()
    if not whole.name or whole.resolve() == Path.cwd():
        raise HandfulError(f"{str(folder)!r} is not the name of a new folder. Give one, for instance --out run.")
    try:
        taken = whole.exists() and (not whole.is_dir() or any(whole.iterdir()))
    except OSError as error:
        raise HandfulError(f"{folder} cannot be used: {error.strerror}. Choose another name with --out.") from error
    if taken:
        raise HandfulError(
            f"{folder} exists already, and nothing is overwritten. Choose another name, for instance "
            f"--out {free_name(folder)}."
        )


def free_name(folder: Path) -> Path:
    """Returns the folder's own name, or the first of name-2, name-3, ... that is not taken."""
    number = 1
    free = folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


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


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
