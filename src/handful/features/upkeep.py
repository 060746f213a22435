"""The features room as a whole: which spaces it holds, and how it stays below its limit."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handful.core.caches import CacheFile, Freed, remade, remove
from handful.core.sealed import read_sealed
from handful.features.shards import read_header

ROOM = "features"
FACTS = "space.json"

BEGAN = time.time()
"""When this process began, near enough: what was used since is never removed to make room."""

GRAIN = 2.0
"""Seconds by which a file's time may be off: the coarsest clock of a file system in use (FAT)."""

REFRESH = 3600.0
"""Seconds after which the time of a file's last use is written down again."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Feature spaces that differ in what few people ask for (versions, weights, reading).

    Attributes:
        network: name of the backbone; "" where the space does not say.
        tap: where in it the features are taken.
        size: side of the square that it sees, pixels; 0 where none is said.
        precision: of the pass.
        view: of the picture.
    """

    network: str = ""
    tap: str = ""
    size: int = 0
    precision: str = ""
    view: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """How much the features room holds of one kind: spaces, rows, bytes, and when one was last used."""

    kind: Kind
    n_spaces: int
    n_rows: int
    n_bytes: int
    used: float


def touch(path: Path) -> None:
    """Notes that a file is in use, unless that was noted a short while ago; where it cannot be, nothing happens."""
    now = time.time()
    with suppress(OSError):
        if path.stat().st_mtime < max(BEGAN, now - REFRESH):
            os.utime(path, (now, now))


def shrink(n_bytes: int) -> Freed:
    """Removes features until they take no more than so many bytes, the least recently used first.

    What was used since this process began stays, whatever it takes. Other processes may read, write and make room
    meanwhile: a file is read whole or is not there.
    """
    files = [file for file in remade(ROOM) if file.path.name != FACTS]
    excess = sum(file.n_bytes for file in files) - n_bytes
    old = [file for file in files if file.used < BEGAN - GRAIN]
    chosen: list[CacheFile] = []
    for file in sorted(old, key=lambda file: (file.used, file.path)):
        if excess <= 0:
            break
        chosen.append(file)
        excess -= file.n_bytes
    freed = remove(chosen)
    _sweep({file.path.parent for file in chosen})
    return freed


def holdings() -> tuple[Holding, ...]:
    """Returns what the features room holds, the largest first; what says nothing of itself is of the kind `Kind()`."""
    spaces: dict[Path, list[CacheFile]] = {}
    for file in remade(ROOM):
        spaces.setdefault(file.path.parent, []).append(file)
    by_kind: dict[Kind, list[list[CacheFile]]] = {}
    for folder, files in spaces.items():
        shards = [file for file in files if file.path.suffix == ".safetensors"]
        if shards:
            by_kind.setdefault(_kind(folder), []).append(shards)
    found = [_holding(kind, members) for kind, members in by_kind.items()]
    return tuple(sorted(found, key=lambda holding: (-holding.n_bytes, str(holding.kind))))


def _holding(kind: Kind, spaces: list[list[CacheFile]]) -> Holding:
    shards = [shard for space in spaces for shard in space]
    return Holding(
        kind,
        len(spaces),
        sum(_count_rows(shard.path) for shard in shards),
        sum(shard.n_bytes for shard in shards),
        max(shard.used for shard in shards),
    )


def _count_rows(path: Path) -> int:
    try:
        with path.open("rb") as stream:
            shard = read_header(stream)
    except OSError:
        return 0
    return shard.shape[0] if shard else 0


def facts_of(folder: Path) -> dict[str, Any] | None:
    """Returns what a space says about itself; None where its file is missing, or a byte of it changed."""
    try:
        return read_sealed(folder / FACTS)
    except (OSError, ValueError):
        return None


def _kind(folder: Path) -> Kind:
    """Returns of which kind a space is; one that says nothing, or nothing of ours, of none."""
    facts = facts_of(folder)
    try:
        if facts is None:
            return Kind()
        if "trunk" in facts:
            return Kind(str(facts["trunk"]), str(facts["tap"]), view="weights, for models")
        return Kind(
            str(facts["backbone"]),
            str(facts["tap"]),
            int(facts["preprocessing"]["size"]),
            str(facts["precision"]),
            _series(str(facts["view"])),
        )
    except (ValueError, TypeError, KeyError):
        return Kind()


def _series(view: str) -> str:
    """Returns the name of a view without the number of its drawing, which only changed views have ("ksh 0/17")."""
    name, _, number = view.rpartition("/")
    return name if number.isdecimal() else view


def _sweep(folders: Iterable[Path]) -> None:
    """Removes spaces that hold no more than the facts about them."""
    for folder in folders:
        with suppress(OSError):
            if {path.name for path in folder.iterdir()} == {FACTS}:
                (folder / FACTS).unlink()
                folder.rmdir()
