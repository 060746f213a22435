"""What was found out on this machine, one file for each question, so that it is found out once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handful.core.errors import HandfulError
from handful.core.files import cache_folder, dump_json, sha256_bytes
from handful.core.sealed import read_sealed, write_sealed


def memory_of(facts: Mapping[str, Any]) -> Path:
    """Returns the file that remembers what the machine can do; the facts have to name the question in full."""
    return cache_folder("engines") / f"{sha256_bytes(dump_json(facts).encode())[:32]}.json"


def recall(memory: Path) -> dict[str, Any]:
    """Returns what is remembered; nothing where there is no such file, or a byte of it changed."""
    try:
        return read_sealed(memory)
    except (OSError, ValueError):
        return {}


def remember(memory: Path, found: Mapping[str, Any]) -> None:
    """Writes down what was found; where that cannot be done, it will be found out again."""
    try:
        write_sealed(memory, found)
    except HandfulError:
        return
