"""Files and folders that say by themselves what they should hold, so that one changed byte is noticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handful.core.errors import BundleError
from handful.core.files import dump_json, move, sha256_bytes, sha256_file, write_bytes, write_json

SEAL, MANIFEST = "seal", "manifest.json"
AGAIN = "Copy the run folder again from where it was made, or train again."


def sealed(value: Mapping[str, Any]) -> bytes:
    """Returns values as JSON that begins with the SHA-256 of the rest."""
    return (dump_json({SEAL: sha256_bytes(dump_json(value).encode()), **value}, indent=1) + "\n").encode()


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Writes values as `sealed` returns them.

    Raises:
        HandfulError: the file cannot be written.
    """
    write_bytes(path, sealed(value))


def read_sealed(path: Path) -> dict[str, Any]:
    """Returns values that `write_sealed` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: a byte of it changed.
    """
    data = path.read_bytes()
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("no object of JSON")
    value = {name: each for name, each in found.items() if name != SEAL}
    if sealed(value) != data:
        raise ValueError("its SHA-256 is not the one that it begins with")
    return value


def find_named(path: Path) -> Path | None:
    """Returns the file that `named_by_hash` made of a name, if it is still what it was; else it is removed."""
    for found in path.parent.glob(f"{path.stem}-*{path.suffix}"):
        if found.stem == f"{path.stem}-{sha256_file(found)}":
            return found
        found.unlink(missing_ok=True)
    return None


def named_by_hash(path: Path) -> Path:
    """Adds a file's own SHA-256 to its name, for `find_named`, and returns the new one.

    Raises:
        OSError: it cannot be renamed.
    """
    target = path.with_name(f"{path.stem}-{sha256_file(path)}{path.suffix}")
    move(path, target)
    return target


def write_manifest(folder: Path) -> None:
    """Writes the SHA-256 of every file in a folder beside them, last, so that a folder that has it is complete.

    A folder below that has a manifest of its own is covered by the hash of that.

    Raises:
        HandfulError: it cannot be written.
    """
    inner = [path.parent for path in folder.rglob(MANIFEST)]
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.name == MANIFEST or not any(path.is_relative_to(each) for each in inner))
    ]
    write_json(folder / MANIFEST, {path.relative_to(folder).as_posix(): sha256_file(path) for path in files})


def read_manifest(path: Path) -> dict[str, Any]:
    """Returns the hashes of a manifest by the files' names, of one that is to the byte as it was written.

    Raises:
        BundleError: a byte of it changed.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    try:
        hashes = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}. {AGAIN}") from error
    if not isinstance(hashes, dict) or (dump_json(hashes, indent=2) + "\n").encode() != data:
        raise BundleError(f"{path} changed since it was written. {AGAIN}")
    return hashes


def changed(folder: Path) -> tuple[Path, ...]:
    """Returns the files of a folder that are not, or no more, what its manifest says, in its order.

    Raises:
        BundleError: a byte of a manifest changed.
        OSError: there is no manifest, or a file cannot be read.
    """
    found: list[Path] = []
    for name, sha256 in read_manifest(folder / MANIFEST).items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != sha256:
            found.append(path)
        elif path.name == MANIFEST:
            found += changed(path.parent)
    return tuple(found)


def read_verified(folder: Path, name: str) -> bytes:
    """Returns the bytes of a file of a folder; checked where the folder has a manifest.

    Raises:
        BundleError: a byte of it changed.
        OSError: it cannot be read.
    """
    data = (folder / name).read_bytes()
    if (folder / MANIFEST).is_file() and sha256_bytes(data) != read_manifest(folder / MANIFEST).get(name):
        raise BundleError(f"{folder / name} changed since it was written: its SHA-256 is not the manifest's. {AGAIN}")
    return data
