"""Pictures that a person named the class of, kept as files in class folders, from which a later training learns."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from threading import Lock

from handful.core.errors import HandfulError
from handful.core.files import sha256_bytes, write_bytes
from handful.images import decode
from handful.images.check import FORMAT_SUFFIXES
from handful.serve.refused import RefusedError

SUFFIXES = {kind: endings[0] for kind, endings in FORMAT_SUFFIXES.items()}
"""Of a file of each format that is read."""

NAME_DIGITS = 20
"""Hexadecimal digits of a picture's hash that name its file."""

RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
"""Names that Windows keeps for devices."""

ONE_AT_A_TIME = Lock()
"""Of two corrections of one picture at the same time, each would remove the other's file."""


def keep_picture(data: bytes, label: str, *, folder: Path, max_pixels: float) -> str:
    """Saves a picture in the folder of its class and returns its name in there.

    Its name is made from its bytes, never from what the sender called it. A picture that was kept before lies only in
    the class that it was given last.

    Args:
        data: the picture's bytes, kept as they are.
        label: the name of its class.
        folder: holds the class folders; made if need be.
        max_pixels: of the picture.

    Raises:
        UnreadableError: it is no picture that is read.
        RefusedError: the class has a name that no folder can have, or the disk cannot be written to.
    """
    suffix = SUFFIXES[decode(data, max_pixels=max_pixels).format]
    name = f"{sha256_bytes(data)[:NAME_DIGITS]}{suffix}"
    target = folder / class_folder(label) / name
    try:
        with ONE_AT_A_TIME:
            write_bytes(target, data)
            for other in folder.glob(f"**/{name}"):
                if other != target:
                    other.unlink(missing_ok=True)
    except (HandfulError, OSError) as error:
        raise RefusedError(507, f"the picture could not be kept: {error}") from None
    return f"{label}/{name}"


def count_kept(folder: Path) -> int:
    """Returns how many pictures the folder holds."""
    return sum(1 for path in folder.glob("**/*") if path.suffix in SUFFIXES.values()) if folder.is_dir() else 0


def class_folder(label: str) -> PurePosixPath:
    """Returns where a class lies below the folder: each part of its name is a plain folder's name."""
    for part in label.split("/"):
        plain = part.strip() == part and not part.startswith(".") and not part.endswith(".")
        odd = any(character in '\\:*?"<>|' or ord(character) < 32 for character in part)
        if not part or not plain or odd or part.partition(".")[0].lower() in RESERVED or len(part.encode()) > 200:
            raise RefusedError(
                422, f"the class {label!r} cannot be a folder's name, so its pictures cannot be kept in one."
            )
    return PurePosixPath(label)
