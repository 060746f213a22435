"""Pictures that a program already holds: paths, bytes, arrays and Pillow's pictures, as a source of files.

Everything after this room knows pictures by the bytes of a file. So a picture in memory becomes the bytes of an
uncompressed file whenever it is asked for: a bitmap, or a TIFF for what a bitmap cannot hold. Both are lossless, quick,
and the same on every machine.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from handful.core.records import ImageTable, Picture, PixelArray
from handful.images.decode import reasons
from handful.images.sources import Entry, FolderSource
from handful.images.unreadable import UnreadableError

SHAPES = "uint8 (H, W), (H, W, 3) or (H, W, 4), or uint16 (H, W)"


@dataclass(frozen=True, slots=True)
class HeldSource:
    """Pictures that are got one by one.

    Attributes:
        pictures: name to what gives the picture: a path, bytes, an array, Pillow's picture, or a dictionary with
            "bytes" or "path", as Hugging Face and Parquet keep them. Called once for every read, by several threads.
    """

    pictures: Mapping[str, Callable[[], Any]]

    def names(self) -> Iterator[str]:
        """Yields the names of the pictures."""
        return iter(self.pictures)

    def entries(self) -> Iterator[Entry]:
        """Yields the pictures."""
        return (Entry(name) for name in self.pictures)

    def size(self, name: str) -> int:
        """Returns 0, which no file has: how large a picture is shows when it is got."""
        return 0

    def read(self, name: str) -> bytes:
        """Returns a picture as the bytes of a file.

        Raises:
            UnreadableError: there is none, or it is nothing that a picture can be made of.
        """
        return as_file(self.pictures[name]())


@dataclass(frozen=True, slots=True)
class PackedSource:
    """Files one after the other in one array, which the processes of a machine can share.

    Attributes:
        content: uint8 (bytes,).
        places: name to where its file begins and ends.
    """

    content: PixelArray
    places: Mapping[str, tuple[int, int]]

    def names(self) -> Iterator[str]:
        """Yields the names of the files."""
        return iter(self.places)

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file.

        Raises:
            UnreadableError: there is none of this name.
        """
        if name not in self.places:
            raise UnreadableError("there is no such file")
        begin, end = self.places[name]
        return self.content[begin:end].tobytes()


def carried(table: ImageTable, pictures: Iterable[Picture]) -> ImageTable:
    """Returns a table with the bytes of some of its pictures, for machines that do not have their files.

    Raises:
        UnreadableError: a file is not there any more.
    """
    files = {picture.path: table.source.read(picture.path) for picture in pictures}
    ends = np.cumsum([0, *map(len, files.values())]).tolist()
    content = np.frombuffer(b"".join(files.values()), dtype=np.uint8)
    source = PackedSource(content, dict(zip(files, pairwise(ends), strict=True)))
    return replace(table, source=source, skipped=(), findings=(), copies=())


def as_file(picture: Any) -> bytes:
    """Returns a picture as the bytes of a file; those of a file stay as they are.

    Args:
        picture: a path, bytes, an array (`SHAPES`), Pillow's picture, or a dictionary with "bytes" or "path".

    Raises:
        UnreadableError: it is none of these, or a file that cannot be read.
    """
    if isinstance(picture, Mapping):
        picture = picture.get("bytes") or picture.get("path")
    if picture is None or (isinstance(picture, float) and picture != picture):
        raise UnreadableError("there is no picture in this row")
    if isinstance(picture, str | os.PathLike):
        path = Path(picture)
        return FolderSource(path.parent.resolve()).read(path.name)
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, Image.Image):
        return _from_pillow(picture)
    if hasattr(picture, "__array__"):
        return _from_array(np.asarray(picture))
    raise UnreadableError(
        f"a {type(picture).__name__} is no picture; expected a path, bytes, an array or Pillow's picture"
    )


def is_picture(thing: Any) -> bool:
    """Returns whether something is one picture in memory, as opposed to several or to a path."""
    if isinstance(thing, Image.Image | bytes | bytearray):
        return True
    return hasattr(thing, "__array__") and _looks_like_one(np.shape(thing), str(getattr(thing, "dtype", "")))


def _looks_like_one(shape: tuple[int, ...], dtype: str) -> bool:
    return len(shape) == 3 or (len(shape) == 2 and dtype in ("uint8", "uint16"))


def _from_array(values: np.ndarray[Any, Any]) -> bytes:
    """Returns an array as a file; channels come last."""
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    fits = (
        values.size > 0
        and values.ndim in (2, 3)
        and (values.ndim == 2 or values.shape[2] in (3, 4))
        and (values.dtype == np.uint8 or (values.dtype == np.uint16 and values.ndim == 2))
    )
    if not fits:
        raise UnreadableError(f"an array of {values.dtype} {values.shape}; expected {SHAPES}")
    return _written(Image.fromarray(np.ascontiguousarray(values)))


def _from_pillow(image: Image.Image) -> bytes:
    """Returns Pillow's picture as a file, upright, with what it says about transparency."""
    with reasons():  # Pillow may have opened it and not yet decoded it
        turned = ImageOps.exif_transpose(image)
        if turned.mode == "P" or "transparency" in turned.info:
            turned = turned.convert("RGBA" if "transparency" in turned.info else "RGB")
        elif turned.mode in ("PA", "La", "RGBa"):
            turned = turned.convert("RGBA")
        elif turned.mode in ("HSV", "RGBX"):
            turned = turned.convert("RGB")
        bare = turned.copy()
        bare.info = {}
        return _written(bare)


def _written(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "BMP" if image.mode in ("L", "RGB") else "TIFF")
    return stream.getvalue()
