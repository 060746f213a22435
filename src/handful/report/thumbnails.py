"""Small copies of pictures, inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from functools import partial

from PIL import Image

from handful.core.errors import HandfulError
from handful.core.records import ImageTable, Picture, PixelArray
from handful.images import pixels
from handful.images.unreadable import UnreadableError

SHORTEST = 240
"""Side in pixels: the page shows them at 150 points on a telephone and at 210 on a wide screen."""

LONGEST = 360
"""A panorama would cost more bytes than all others together."""

QUALITY = 78


def thumbnail(table: ImageTable, picture: Picture, *, shortest: int = SHORTEST) -> str:
    """Returns a JPEG as a data URL, or "" where the picture cannot be read any more (a report must not fail for it)."""
    return small_url(partial(pixels, table, picture), shortest=shortest)


def small_url(read: Callable[..., PixelArray], *, shortest: int) -> str:
    """Returns what `thumbnail` does, of a picture that is got by a call with `shortest`, as `pixels` takes it."""
    small = _small(read, shortest=shortest)
    return "" if small is None else data_url(small)


def reduced(table: ImageTable, picture: Picture, *, shortest: int) -> Image.Image | None:
    """Returns a small copy of a picture, in mode RGB; None where it cannot be read any more.

    Args:
        table: where it comes from.
        picture: one of the table's.
        shortest: its shorter side is at most so long; its longer side at most half as long again.
    """
    return _small(partial(pixels, table, picture), shortest=shortest)


def _small(read: Callable[..., PixelArray], *, shortest: int) -> Image.Image | None:
    try:
        small = Image.fromarray(read(shortest=shortest))
    except (HandfulError, UnreadableError, OSError):
        return None
    return shrunk(small, shortest=shortest, longest=LONGEST * shortest // SHORTEST)


def shrunk(picture: Image.Image, *, shortest: int, longest: int) -> Image.Image:
    """Returns a picture whose shorter and longer sides, in pixels, are at most these; one that is smaller as it is."""
    scale = min(1.0, shortest / min(picture.size), longest / max(picture.size))
    return picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.BOX)


def data_url(picture: Image.Image) -> str:
    """Returns a picture as JPEG inside a URL."""
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
