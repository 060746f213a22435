"""Features on disk: a row is computed once per picture's bytes and per feature space, and kept while there is room.

A space is a folder named by the hash of everything that decides the numbers; its shards are named by the hash of their
own content, so that a damaged one is noticed and simply computed again. Shards are added and removed whole, each in one
step: any number of processes may do either at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handful.core.errors import HandfulError
from handful.core.files import cache_folder, cache_limit, dump_json, sha256_bytes, write_bytes
from handful.core.records import IntArray
from handful.core.sealed import sealed
from handful.features.shards import Rows, copy_rows, digests, is_whole, pack, read_header, read_keys
from handful.features.upkeep import FACTS, ROOM, facts_of, shrink, touch

CACHE_FORMAT = 1

TRIES = 5
"""At writing a file whose folder vanishes: one is seldom needed twice, and never five times by accident."""


def space_key(facts: Mapping[str, Any]) -> str:
    """Returns the name of a feature space: a hash of the facts that decide its numbers."""
    return sha256_bytes(dump_json({"format": CACHE_FORMAT, **dict(sorted(facts.items()))}).encode())[:32]


def lookup(space: str, keys: Sequence[str], into: Rows) -> npt.NDArray[np.bool_]:
    """Fills in what the cache holds of some pictures, a piece at a time.

    A shard's hash is checked before its rows are used, and a damaged one is removed; rows of another shape than those
    of `into` are no use and count as unknown.

    Args:
        space: from `space_key`.
        keys: SHA-256 of each picture's bytes, 64 hex digits; one may be there more than once.
        into: (N, ...) of floating-point numbers, in memory, mapped or a view; rows that are not known stay as they are.

    Returns:
        bool (N,): which rows are known.
    """
    if len(into) != len(keys):
        raise ValueError(f"{len(into)} rows to fill for {len(keys)} keys; expected one for each")
    known = np.zeros(len(keys), dtype=bool)
    wanted = _Wanted(keys)
    for path in _shards(space):
        if known.all():
            break
        with suppress(OSError), path.open("rb") as stream:
            _take(stream, path, wanted, into, known)
    return known


def store(space: str, keys: Sequence[str], values: Rows, *, facts: Mapping[str, Any]) -> None:
    """Adds a shard of rows, float32 or float16 (N, ...), under the keys of their pictures; see `keep`.

    Raises:
        ValueError: other numbers, or not one row per key.
    """
    if keys:
        keep(space, pack(keys, values), facts=facts)


def keep(space: str, data: bytes, *, facts: Mapping[str, Any]) -> None:
    """Adds a file to a space, named by its own hash, with the facts beside it for people; then makes room.

    Where all features together exceed the limit, those go that were not used for longest.
    """
    folder = _folder(space)
    path = folder / f"{sha256_bytes(data)}.safetensors"
    _write(path, data)
    touch(path)
    if facts_of(folder) is None:
        _write(folder / FACTS, sealed(facts))
    shrink(cache_limit())


def kept(space: str) -> Iterator[bytes]:
    """Yields the files of a space that are still what their names say; the others are removed."""
    for path in _shards(space):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        if sha256_bytes(data) == path.stem:
            touch(path)
            yield data
        else:
            _drop(path)


class _Wanted:
    """The keys that are asked for, sorted, so that a shard's are found among them at once."""

    def __init__(self, keys: Sequence[str]) -> None:
        unsorted = digests(keys)
        self.order = np.argsort(unsorted, kind="stable")
        self.keys = unsorted[self.order]

    def among(self, keys: npt.NDArray[np.bytes_]) -> tuple[IntArray, IntArray]:
        """Returns pairs of a row in `keys` (ascending) and a place that asks for it, int64 each."""
        first = np.searchsorted(self.keys, keys, side="left")
        counts = np.searchsorted(self.keys, keys, side="right") - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(keys)), counts), self.order[np.repeat(first, counts) + within]


def _take(stream: BufferedReader, path: Path, wanted: _Wanted, into: Rows, known: npt.NDArray[np.bool_]) -> None:
    """Copies from an open shard what is asked for and not known yet."""
    shard = read_header(stream)
    if shard is None:
        if not is_whole(stream, path):
            _drop(path)
        return
    rows, places = wanted.among(read_keys(stream, shard))
    fresh = ~known[places]
    if shard.shape[1:] != into.shape[1:] or not fresh.any():
        return
    if not is_whole(stream, path):
        _drop(path)
        return
    copy_rows(stream, shard, rows[fresh], into, places[fresh])
    known[places[fresh]] = True
    touch(path)


def _shards(space: str) -> list[Path]:
    return sorted(_folder(space).glob("*.safetensors"))


def _write(path: Path, data: bytes) -> None:
    """Writes a file, again where another process, making room, removes the folder that is not filled yet."""
    for _ in range(TRIES - 1):
        try:
            return write_bytes(path, data)
        except HandfulError as error:
            if not isinstance(error.__cause__, FileNotFoundError | FileExistsError):
                raise
    return write_bytes(path, data)


def _drop(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _folder(space: str) -> Path:
    return cache_folder(ROOM) / space
