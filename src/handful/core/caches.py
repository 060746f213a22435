"""What the cache folder holds, room by room: how much, what for, and what of it can be made again.

Only files that look like handful's own are ever removed, and links are never followed: the folder may be one that the
user chose and has other things in.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from handful.core.files import STALE_SECONDS, TEMPORARY, cache_folder

PURPOSES = {
    "features": "what networks made of your pictures",
    "reading": "what decoding found in each picture",
    "copies": "which pictures are copies of others",
    "archives": "compressed archives, unpacked",
    "films": "frames of video files",
    "engines": "what runs each network quickest on this machine",
    "trainings": "trainings that were stopped, to go on with",
    "weights": "weights of networks, downloaded",
    "data": "data sets, downloaded",
    "demo": "the list of the demo's pictures",
}
UNKNOWN = "not known to this version of handful; left alone"
LINKED = "a link to another place; neither measured nor cleaned"

REMADE = {
    "features": r"[^/]+/(space\.json|[0-9a-f]{64}\.safetensors)",
    "reading": r"[^/]+/[0-9a-f]{64}\.json",
    "copies": r"[^/]+/[0-9a-f]{64}\.json",
    "archives": r"[0-9a-f]{64}(-[0-9a-f]{64})?\.tar",
    "films": r"[0-9a-f]{64}-[^/]+\.zip",
    "engines": r"[0-9a-f]{32}\.json",
    "trainings": r"[0-9a-f]{32}/[0-9]{6}-[0-9a-f]{64}\.safetensors",
}
"""The rooms whose content is computed again when it is missing, and the names that handful gives to files there."""

UNFINISHED = rf"([^/]+/)?{TEMPORARY}"
"""Files under way (`files.write_bytes`): they have no name yet, and are left over where their process was killed."""


@dataclass(frozen=True, slots=True)
class CacheFile:
    """A file of the cache: its size, and when it was last used (its time of change, seconds since 1970)."""

    path: Path
    n_bytes: int
    used: float


@dataclass(frozen=True, slots=True)
class Room:
    """A folder of the cache: what it is for, in plain words, and how much it holds."""

    name: str
    purpose: str
    n_files: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Freed:
    """What was removed, and how many files could not be."""

    n_files: int
    n_bytes: int
    n_stuck: int = 0


def rooms() -> tuple[Room, ...]:
    """Returns the rooms that there are: those that handful knows, in a fixed order, then others by name."""
    order = list(PURPOSES)
    found = [Path(entry.path) for entry in _entries(cache_folder("")) if entry.is_dir()]
    found.sort(key=lambda path: (order.index(path.name) if path.name in order else len(order), path.name))
    return tuple(_room(path) for path in found)


def remade(room: str) -> tuple[CacheFile, ...]:
    """Returns the files of a room that handful made and can make again, and none that is being written right now."""
    folder = cache_folder(room)
    own, unfinished = re.compile(REMADE[room]), re.compile(UNFINISHED)
    stale = time.time() - STALE_SECONDS
    return tuple(
        CacheFile(Path(path), facts.st_size, facts.st_mtime)
        for name, path, facts in _files(folder)
        if own.fullmatch(name) or (unfinished.fullmatch(name) and facts.st_mtime < stale)
    )


def remove(files: Iterable[CacheFile]) -> Freed:
    """Removes files, and the folders that they leave empty; one that is gone already counts for nothing."""
    n_files = n_bytes = n_stuck = 0
    parents = set()
    for file in files:
        try:
            file.path.unlink()
        except FileNotFoundError:
            continue
        except OSError:
            n_stuck += 1
        else:
            n_files, n_bytes = n_files + 1, n_bytes + file.n_bytes
            parents.add(file.path.parent)
    for parent in parents:
        with suppress(OSError):
            parent.rmdir()
    return Freed(n_files, n_bytes, n_stuck)


def clear() -> Freed:
    """Removes everything that can be made again; what was downloaded, and what is not handful's, stays."""
    return remove(file for room in REMADE for file in remade(room))


def _room(folder: Path) -> Room:
    if folder.is_symlink():
        return Room(folder.name, LINKED, 0, 0)
    sizes = [facts.st_size for _, _, facts in _files(folder)]
    return Room(folder.name, PURPOSES.get(folder.name, UNKNOWN), len(sizes), sum(sizes))


def _files(folder: Path) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yields the files in a folder to any depth: name from there, path, facts.

    Nothing behind a link is among them, and nothing that vanishes meanwhile. There may be tens of thousands, looked
    through at every writing, so names are plain strings here.
    """
    waiting = [("", str(folder))] if not folder.is_symlink() else []
    while waiting:
        above, path = waiting.pop()
        for entry in _entries(path):
            name = above + entry.name
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{name}/", entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield name, entry.path, entry.stat(follow_symlinks=False)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
