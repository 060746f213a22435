"""The files of a feature space: rows under the hashes of their pictures, in a safetensors file named by its own hash.

A shard is read through a map of the file, a piece at a time, so that its size is no matter; one that vanishes while it
is read (another process made room) stays readable where the system allows it, and is otherwise not there.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from handful.core.parsed import MALFORMED, parse_json
from handful.core.records import IntArray

Rows = npt.NDArray[np.floating[Any]]
"""float32 or float16 (N, ...)."""

DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype(np.float32), "F16": np.dtype(np.float16)}
"""What rows are kept in, by the format's names."""

DIGEST = 32
"""Bytes of a SHA-256."""

PIECE = 1 << 22
"""Bytes of rows copied at once: enough to forget the overhead, little beside a network."""

MAX_HEADER = 1 << 16
"""Bytes; ours take some 200."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What the header of a shard says.

    Attributes:
        dtype: float32 or float16.
        shape: of all rows, (N, ...).
        keys_at: where the keys begin in the file, bytes.
        rows_at: where the rows begin.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    keys_at: int
    rows_at: int


def pack(keys: Sequence[str], values: Rows) -> bytes:
    """Returns the bytes of a shard.

    Args:
        keys: SHA-256 of each picture's bytes, 64 hex digits.
        values: float32 or float16 (N, ...).

    Raises:
        ValueError: other numbers, or not one row per key.
    """
    if values.dtype not in DTYPES.values() or len(values) != len(keys):
        raise ValueError(
            f"{len(keys)} keys, values {values.dtype} {values.shape}; expected a row of float32 or float16 for each key"
        )
    return safetensors.numpy.save(
        {"keys": digests(keys).view(np.uint8).reshape(len(keys), DIGEST), "values": np.ascontiguousarray(values)}
    )


def digests(keys: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Returns keys of 64 hex digits as an array of their 32 bytes, which sorts and compares."""
    return np.frombuffer(bytes.fromhex("".join(keys)), dtype=f"S{DIGEST}")


def read_header(stream: BufferedReader) -> Shard | None:
    """Returns what an open file holds, or None where it is no shard of rows."""
    try:
        stream.seek(0)
        length = int.from_bytes(stream.read(8), "little")
        header = parse_json(stream.read(min(length, MAX_HEADER)))
        keys, values = header["keys"], header["values"]
        shape = tuple(int(size) for size in values["shape"])
        keys_at, rows_at = (8 + length + int(tensor["data_offsets"][0]) for tensor in (keys, values))
        shard = Shard(DTYPES[values["dtype"]], shape, keys_at, rows_at)
        end = max(keys_at + shape[0] * DIGEST, rows_at + math.prod(shape) * shard.dtype.itemsize)
        fits = keys["dtype"] == "U8" and min(shape) > 0 and min(keys_at, rows_at) > 0 and end <= stream.seek(0, 2)
    except (OSError, *MALFORMED):
        return None
    return shard if fits else None


def read_keys(stream: BufferedReader, shard: Shard) -> npt.NDArray[np.bytes_]:
    """Returns the digests (N,) of an open shard's pictures."""
    stream.seek(shard.keys_at)
    return np.frombuffer(stream.read(shard.shape[0] * DIGEST), dtype=f"S{DIGEST}")


def is_whole(stream: BufferedReader, path: Path) -> bool:
    """Returns whether an open file still has the hash that is its name, reading it in pieces."""
    stream.seek(0)
    return hashlib.file_digest(stream, "sha256").hexdigest() == path.stem


def copy_rows(stream: BufferedReader, shard: Shard, rows: IntArray, into: Rows, places: IntArray) -> None:
    """Copies rows of an open shard (ascending, perhaps repeated) to places in an array with rows of their shape.

    Each piece is a map of its own, so that no more than two of them are in memory.
    """
    shape = shard.shape[1:]
    row_bytes = math.prod(shape) * shard.dtype.itemsize
    for first, last in _pieces(rows, max(1, PIECE // row_bytes)):
        start = int(rows[first])
        piece: Rows = np.memmap(
            stream,
            dtype=shard.dtype,
            mode="r",
            offset=shard.rows_at + start * row_bytes,
            shape=(int(rows[last - 1]) - start + 1, *shape),
        )
        into[places[first:last]] = piece[rows[first:last] - start]


def _pieces(rows: IntArray, size: int) -> Iterator[tuple[int, int]]:
    """Yields the bounds of runs in ascending rows that lie within so many rows of the file, and are at most as many."""
    first = 0
    while first < len(rows):
        last = min(first + size, int(np.searchsorted(rows, rows[first] + size)))
        yield first, last
        first = last
