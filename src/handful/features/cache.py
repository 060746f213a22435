"""Features on disk: a row is computed once per picture's bytes and per feature space, and kept.

A space is a folder named by the hash of everything that decides the numbers; its shards are safetensors files named by
the hash of their own content, so that a damaged one is noticed and simply computed again. Shards are only ever added,
each in one step: any number of processes may write at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from handful.core.files import cache_folder, dump_json, sha256_bytes, write_bytes, write_json
from handful.core.records import FeatureArray

CACHE_FORMAT = 1


def space_key(facts: Mapping[str, Any]) -> str:
    """Returns the name of a feature space: a hash of the facts that decide its numbers."""
    return sha256_bytes(dump_json({"format": CACHE_FORMAT, **dict(sorted(facts.items()))}).encode())[:32]


def lookup(space: str, keys: Sequence[str], into: np.ndarray) -> np.ndarray:
    known = np.zeros(len(keys), dtype=bool)
    wanted: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        wanted.setdefault(key, []).append(index)
    for data in kept(space):
        rows = safetensors.numpy.load(data)
        for row, key in enumerate(rows["keys"]):
            for index in wanted.get(bytes(key).hex(), ()):
                into[index] = rows["values"][row]
                known[index] = True
    return known


def store(space: str, keys: Sequence[str], values: FeatureArray, *, facts: Mapping[str, Any]) -> None:
    """Adds a shard of rows, float32 (N, D), under the keys of their pictures; the facts are kept beside for people."""
    if not keys:
        return
    key_bytes = np.frombuffer(bytes.fromhex("".join(keys)), dtype=np.uint8).reshape(len(keys), 32)
    data = safetensors.numpy.save({"keys": key_bytes, "values": np.ascontiguousarray(values)})
    keep(space, data, facts=facts)


def keep(space: str, data: bytes, *, facts: Mapping[str, Any]) -> None:
    """Adds a file to a space, named by its own hash; the facts are kept beside it for people."""
    folder = _folder(space)
    if not (folder / "space.json").exists():
        write_json(folder / "space.json", dict(facts))
    write_bytes(folder / f"{sha256_bytes(data)}.safetensors", data)


def kept(space: str) -> Iterator[bytes]:
    """Yields the files of a space that are still what their names say; the others are removed."""
    for path in sorted(_folder(space).glob("*.safetensors")):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        if sha256_bytes(data) == path.stem:
            yield data
        else:
            path.unlink(missing_ok=True)


def _folder(space: str) -> Path:
    return cache_folder("features") / space
