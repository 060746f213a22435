"""Folders that appear whole or not at all, and whose they are in the meantime."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from handful.core.errors import HandfulError
from handful.core.files import STALE_SECONDS, make_folder, move, why_not_written
from handful.core.owners import Owner
from handful.core.progress import Progress, Silent

FETCHING = ".fetching-"


@contextmanager
def staged_folder(folder: Path, *, progress: Progress | None = None) -> Iterator[Path]:
    """Reserves a name for a folder and opens a temporary one beside it, which takes the name when all went well.

    The finished folder takes its name in one step, which is the only one that matters: before it there is no folder,
    behind it there is a whole one. When the work fails, nothing is left; what a process that was killed left is
    removed by the next one that wants the name. The content has to be written by `core.files`, which flushes it.

    Args:
        folder: must not exist, or be empty.
        progress: told where the name was left over from a process that is gone.

    Raises:
        HandfulError: something of that name exists, another process is making it, or the place cannot be written to;
            raised before any work.
    """
    _check_name(folder)
    with reserved(folder, progress=progress):
        refuse_existing(folder)
        staging = folder.with_name(f".{folder.name}.partial")
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
        except OSError as error:
            raise _cannot_make(folder, error) from error
        try:
            yield staging
            _give_name(staging, folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


@contextmanager
def fetching_folder(beside: Path) -> Iterator[Path]:
    """Opens a folder for files that another program fetches, removed with the context, or a day after a kill.

    Args:
        beside: where what was fetched will be moved to.

    Raises:
        OSError: it cannot be made.
    """
    make_folder(beside)
    for left in beside.glob(f"{FETCHING}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=FETCHING, dir=beside) as name:
        yield Path(name)


@contextmanager
def reserved(folder: Path, *, progress: Progress | None = None) -> Iterator[None]:
    """Keeps a folder for this process while the context is open.

    A hidden file beside it says which process has it. A process of this machine that is gone has lost it; whether one
    of another machine is still there cannot be told, so it is taken for alive.

    Args:
        folder: need not exist.
        progress: told where it is taken over.

    Raises:
        HandfulError: another process has it, or the place cannot be written to.
    """
    marker = _marker(folder)
    try:
        make_folder(folder.parent)
        before = _take(folder, marker)
    except OSError as error:
        raise _cannot_make(folder, error) from error
    if before is not None:
        (progress or Silent()).say(f"{folder} was left unfinished by {before}, which is gone; taken over.")
    try:
        yield
    finally:
        marker.unlink(missing_ok=True)


def refuse_held(folder: Path) -> None:
    """Raises HandfulError where another process has a folder, for those who reserve it after some other work."""
    owner = _owner(folder)
    if owner is not None:
        raise _in_use(folder, owner)


def refuse_existing(folder: Path) -> None:
    """Raises HandfulError where a folder cannot be made: it exists and is not empty, or has no name of its own."""
    _check_name(folder)
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise HandfulError(f"{folder} cannot be used: {error.strerror}. Choose another name with --out.") from error
    if taken:
        raise HandfulError(
            f"{folder} exists already, and nothing is overwritten. Choose another name, for instance "
            f"--out {free_name(folder)}."
        )


def free_name(folder: Path) -> Path:
    """Returns the folder's own name, or the first of name-2, name-3, ... that is not taken, and not being made."""
    number = 1
    free = folder
    while free.exists() or _owner(free):
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def _give_name(staging: Path, folder: Path) -> None:
    try:
        if folder.exists():  # and is empty, over which not every system renames
            folder.rmdir()
        move(staging, folder)
    except OSError as error:
        raise _cannot_make(folder, error) from error


def _check_name(folder: Path) -> None:
    whole = folder.absolute()
    try:
        is_here = whole.resolve() == Path.cwd()
    except OSError as error:
        raise _cannot_make(folder, error) from error
    if not whole.name or is_here:
        raise HandfulError(f"{str(folder)!r} is not the name of a new folder. Give one, for instance --out run.")


def _marker(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.in-progress")


def _owner(folder: Path) -> Owner | None:
    """Returns the process that has a folder; None where nobody has, or one that is gone."""
    try:
        owner = Owner.read(_marker(folder).read_bytes())
    except OSError:
        return None
    return None if owner is None or owner.is_gone() else owner


def _take(folder: Path, marker: Path) -> Owner | None:
    """Writes this process into a marker, and returns the one that it had before and that is gone."""
    while True:
        with marker.open("a+b") as stream:
            _lock(stream)
            if not _is_at(stream, marker):
                continue  # its owner has just removed it
            stream.seek(0)
            before = Owner.read(stream.read())
            if before is not None and not before.is_gone():
                raise _in_use(folder, before)
            try:
                stream.truncate(0)
                stream.write(Owner.here().written())
                stream.flush()
            except OSError:
                marker.unlink()
                raise
            return before


def _lock(stream: BinaryIO) -> None:
    """Waits until no other process looks at a marker; where the system has no such locks, two may both take it over."""
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)
    except (ImportError, OSError):
        return


def _is_at(stream: BinaryIO, path: Path) -> bool:
    """Returns whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _in_use(folder: Path, owner: Owner) -> HandfulError:
    remedy = "Wait for it, or choose another name with --out."
    if owner.is_elsewhere() or os.name == "nt":
        remedy = (
            "Whether it still runs cannot be told from here. Wait for it; or, if it is gone, remove "
            f"{_marker(folder)}; or choose another name with --out."
        )
    return HandfulError(f"{folder} is being made by {owner}. {remedy}")


def _cannot_make(folder: Path, error: OSError) -> HandfulError:
    reason = why_not_written(error, folder.parent, needed="a few hundred")
    return HandfulError(f"cannot create {folder}: {reason} Name another one with --out.")
