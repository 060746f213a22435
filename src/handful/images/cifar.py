"""The official CIFAR-10 archive (python version) or its extracted folder, as a source of pictures.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from handful.core.errors import DataError
from handful.core.records import PixelArray
from handful.core.unpickle import read_numpy_pickle
from handful.images.sources import Entry, ListedSource
from handful.images.unreadable import UnreadableError

FOLDER = "cifar-10-batches-py/"
META = "batches.meta"
BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
SIDE = 32
LONGEST_NAME = 100
"""Letters in the name of a class; every picture's name holds it."""


def find_batches(source: ListedSource) -> str | None:
    """Returns the folder of CIFAR-10's batches in a source ("" for its root), or None where there are none."""
    for folder in ("", FOLDER):
        try:
            source.size(folder + META)
            source.size(folder + BATCHES["train"][0])
        except UnreadableError:
            continue
        return folder
    return None


def open_batches(source: ListedSource, folder: str, path: Path) -> CifarSource:
    """Reads the batches that `find_batches` found; all pictures are held in memory, 184 MB for the whole set.

    Pictures are named part/class/number, the number counting through the batches of the part in their order.

    Args:
        source: where the batches lie.
        folder: where in it.
        path: what the user named, for messages.

    Raises:
        DataError: a batch is damaged or not what it should be.
    """
    meta = _unpickled(source, folder + META, path)
    names = [_text(name) for name in meta.get("label_names") or ()]
    if not names or max(map(len, names)) > LONGEST_NAME:
        raise DataError(f"{path}: {META} holds no label_names; expected CIFAR-10's python version. Get it again.")
    pixels: list[PixelArray] = []
    places: dict[str, tuple[int, int]] = {}
    for part, batches in BATCHES.items():
        number = 0
        for batch in batches:
            try:
                source.size(folder + batch)
            except UnreadableError:
                continue
            data, labels = _batch(_unpickled(source, folder + batch, path), batch, path, n_classes=len(names))
            for row, label in enumerate(labels):
                places[f"{part}/{names[label]}/{number + row:05d}.bmp"] = (len(pixels), row)
            number += len(labels)
            pixels.append(data)
    return CifarSource(tuple(pixels), places)


@dataclass(frozen=True, slots=True)
class CifarSource:
    """CIFAR-10's pictures as if each were a bitmap file in train/<class>/ or test/<class>/.

    Attributes:
        batches: per batch, uint8 (n, 3 x 32 x 32), the red, green and blue planes one after another.
        places: name to batch and row.
    """

    batches: tuple[PixelArray, ...]
    places: Mapping[str, tuple[int, int]]

    def names(self) -> Iterator[str]:
        """Yields the names of the pictures."""
        return iter(self.places)

    def entries(self) -> Iterator[Entry]:
        """Yields the pictures."""
        return (Entry(name) for name in self.places)

    def size(self, name: str) -> int:
        """Returns the size in bytes; see `ListedSource`."""
        return len(self.read(name))

    def read(self, name: str) -> bytes:
        """Returns one picture as a bitmap file: the format whose bytes do not depend on a compressor's version."""
        if name not in self.places:
            raise UnreadableError("there is no such picture in CIFAR-10")
        batch, row = self.places[name]
        planes = self.batches[batch][row].reshape(3, SIDE, SIDE)
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0))).save(stream, "BMP")
        return stream.getvalue()


def _unpickled(source: ListedSource, name: str, path: Path) -> dict[str, Any]:
    try:
        value = read_numpy_pickle(source.read(name), encoding="bytes")
    except (DataError, UnreadableError) as error:
        raise DataError(f"{path}: {name} cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: {name} holds a {type(value).__name__}; expected CIFAR-10's dictionary. Get it again.")
    return {_text(key): item for key, item in value.items()}


def _batch(value: dict[str, Any], name: str, path: Path, *, n_classes: int) -> tuple[PixelArray, list[int]]:
    data, labels = value.get("data"), value.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3 * SIDE**2:
        raise DataError(f"{path}: {name} holds no pictures of 32 x 32 pixels; expected CIFAR-10's python version.")
    if not isinstance(labels, list) or len(labels) != len(data):
        raise DataError(f"{path}: {name} does not hold one label per picture. It is damaged; get it again.")
    if not all(isinstance(label, int) and 0 <= label < n_classes for label in labels):
        raise DataError(f"{path}: {name} holds labels outside 0 to {n_classes - 1}. It is damaged; get it again.")
    return data, labels


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
