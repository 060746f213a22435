"""Golden pictures: drawn ones of every kind that is read differently, on which a file has to answer as the model."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from handful.core.config import ReadingConfig
from handful.core.progress import Progress
from handful.core.records import FloatArray, ImageTable
from handful.export.opened import Opened
from handful.features.engines.parity import drawn_pictures
from handful.images import pixels, read_unlabelled
from handful.images.decode import EXIF_ORIENTATION
from handful.transfer import Model, classify

LARGEST_DIFFERENCE = 1e-4
"""In a probability, between the bundle and the exported file. Another order of the same sums gives 1e-7 to 1e-6."""

SIZES = ((300, 200), (200, 300), (640, 480), (97, 613), (613, 97), (33, 31), (1200, 900), (8, 5))
"""Width and height; one is so large that a JPEG is decoded at a reduced size for 224 pixels."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What the bundle and the exported file answer.

    Attributes:
        paths: N pictures that both could read.
        bundle: float64 (N, C).
        file: float64 (N, C).
    """

    paths: tuple[str, ...]
    bundle: FloatArray
    file: FloatArray

    @property
    def difference(self) -> float:
        """The largest of a probability."""
        return float(np.abs(self.bundle - self.file).max()) if len(self.paths) else 0.0


def golden_pictures() -> Iterator[tuple[str, bytes]]:
    """Yields drawn picture files with their names: sizes, modes, formats and orientations."""
    for number, (size, drawn) in enumerate(zip(SIZES, drawn_pictures(len(SIZES), 224), strict=True)):
        picture = Image.fromarray(drawn).resize(size, Image.Resampling.BICUBIC)
        yield f"{number}-rgb.png", encoded(picture, "PNG")
        yield f"{number}-turned.jpg", encoded(picture, "JPEG", orientation=number + 1)
    drawn = drawn_pictures(len(SIZES) + 1, 224)[-1]
    picture = Image.fromarray(drawn).resize((320, 240), Image.Resampling.BICUBIC)
    grey = np.asarray(picture.convert("L"))
    see_through = picture.convert("RGBA")
    see_through.putalpha(Image.fromarray(np.ascontiguousarray(grey[::-1])))
    yield "grey.png", encoded(picture.convert("L"), "PNG")
    yield "grey-16-bit.png", encoded(Image.fromarray(grey.astype(np.uint16) * 16), "PNG")
    yield "black-and-white.bmp", encoded(picture.convert("1"), "BMP")
    yield "palette.gif", encoded(picture.convert("P", palette=Image.Palette.ADAPTIVE), "GIF")
    yield "transparent.png", encoded(see_through, "PNG")
    yield "transparent-grey.png", encoded(see_through.convert("LA"), "PNG")
    yield "transparent.webp", encoded(see_through, "WEBP")
    yield "cmyk.jpg", encoded(picture.convert("CMYK"), "JPEG", orientation=6)
    yield "turned.tif", encoded(picture, "TIFF", orientation=8)


def encoded(picture: Image.Image, kind: str, *, orientation: int = 1) -> bytes:
    """Returns a picture as the bytes of a file, with an EXIF orientation where that is not 1."""
    stream = io.BytesIO()
    exif = Image.Exif()
    if orientation != 1:
        exif[EXIF_ORIENTATION] = orientation
        picture.save(stream, kind, exif=exif)
    else:
        picture.save(stream, kind)
    return stream.getvalue()


def compare(model: Model, opened: Opened, folder: Path, *, threads: int, progress: Progress) -> Compared:
    """Returns the bundle's and the exported file's answers for all pictures of a folder."""
    table = read_unlabelled([folder], ReadingConfig(), full_scale=model.full_scale, threads=threads, progress=progress)
    bundle = classify(model, table, table.pictures, threads=threads, progress=progress, use_cache=False)
    names = tuple(Path(picture.path).relative_to(folder).as_posix() for picture in table.pictures)
    return Compared(names, bundle, answers(opened, table, progress=progress))


def answers(opened: Opened, table: ImageTable, *, progress: Progress) -> FloatArray:
    """Returns float64 (N, C): an exported file's probabilities for all pictures of a table."""
    found = []
    with progress.stage("Pictures through the exported file", len(table.pictures)) as advance:
        for picture in table.pictures:
            squares: Mapping[str, np.ndarray] = {
                name: pixels(table, picture, shortest=size) for name, size in opened.inputs.items()
            }
            found.append(opened.probabilities(squares).astype(np.float64))
            advance(1)
    return np.stack(found) if found else np.empty((0, len(opened.classes)))
