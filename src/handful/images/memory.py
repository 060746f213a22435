"""What decoding found, remembered by the files' hashes, so that a second reading decodes nothing.

Every call that learns something writes one JSON file, named by its content, so that processes never write to the same
file; one that changed is removed, because all of this can be found out again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import PIL

from handful.core.errors import HandfulError
from handful.core.files import cache_folder, dump_json, sha256_bytes, write_text
from handful.images.decode import READING_VERSION

FACTS_VERSION = 3
"""Raised whenever there is more to remember of a file."""

MAX_SHARDS = 64
"""Files after which they are joined into one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What decoding found in a file.

    Attributes:
        pixel_sha256: see `Picture`; "" where the file is not readable.
        width: pixels, upright.
        height: pixels, upright.
        format: "JPEG", "PNG", ...
        maximum: the brightest value of a picture of more than 8 bits; 0 for others.
        notes: what was done to read it.
        reason: why it cannot be used; "" where it can.
        sketch: a small grey copy, by which copies are found (`handful.images.sketch`).
    """

    pixel_sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    maximum: int = 0
    notes: tuple[str, ...] = ()
    reason: str = ""
    sketch: str = ""


def recall(max_pixels: float) -> dict[str, Facts]:
    """Returns all that is remembered: SHA-256 of a file's bytes to what decoding it found under the same limit."""
    known: dict[str, Facts] = {}
    for path in _shards(_folder(max_pixels)):
        known.update(_read_shard(path))
    return known


def remember(facts: Mapping[str, Facts], max_pixels: float) -> None:
    """Writes down what was found; where the disk cannot be written to, the next reading takes longer and no more."""
    if not facts:
        return
    folder = _folder(max_pixels)
    try:
        _write_shard(folder, facts)
        shards = _shards(folder)
        if len(shards) > MAX_SHARDS:
            joined = _write_shard(folder, recall(max_pixels))
            for path in shards:
                if path != joined:
                    path.unlink(missing_ok=True)
    except (HandfulError, OSError):
        return


def _folder(max_pixels: float) -> Path:
    return cache_folder("reading") / f"{READING_VERSION}.{FACTS_VERSION}-pillow-{PIL.__version__}-{max_pixels:.0f}"


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _read_shard(path: Path) -> dict[str, Facts]:
    try:
        content = path.read_bytes()
        if sha256_bytes(content) != path.stem:
            path.unlink()
            return {}
        return {key: Facts(**{**value, "notes": tuple(value["notes"])}) for key, value in json.loads(content).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write_shard(folder: Path, facts: Mapping[str, Facts]) -> Path:
    text = dump_json({key: asdict(facts[key]) for key in sorted(facts)})
    path = folder / f"{sha256_bytes(text.encode())}.json"
    if not path.exists():
        write_text(path, text)
    return path
