"""What was found out on this machine, one file for each question, so that it is found out once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handful.core.errors import HandfulError
from handful.core.files import cache_folder, dump_json, sha256_bytes, write_json
from handful.core.parsed import parse_json


def memory_of(facts: Mapping[str, Any]) -> Path:
    """Returns the file that remembers what the machine can do; the facts have to name the question in full."""
    return cache_folder("engines") / f"{sha256_bytes(dump_json(facts).encode())[:32]}.json"


def recall(memory: Path) -> dict[str, Any]:
    """Returns what is remembered; nothing where there is no such file, or one that cannot be understood."""
    try:
        found = parse_json(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(memory: Path, found: Any) -> None:
    """Writes down what was found; where that cannot be done, it will be found out again."""
    try:
        write_json(memory, found)
    except HandfulError:
        return
