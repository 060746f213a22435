"""Small copies of pictures, inside the page."""

from __future__ import annotations

import base64
import io

from PIL import Image

from handful.core.errors import HandfulError
from handful.core.records import ImageTable, Picture
from handful.images import pixels

SHORTEST = 240
"""Side in pixels: the page shows them at 150 points on a telephone and at 210 on a wide screen."""

LONGEST = 360
"""A panorama would cost more bytes than all others together."""

QUALITY = 78


def thumbnail(table: ImageTable, picture: Picture, *, shortest: int = SHORTEST) -> str:
    """Returns a JPEG as a data URL, or "" where the picture cannot be read any more (a report must not fail for it)."""
    small = reduced(table, picture, shortest=shortest)
    return "" if small is None else data_url(small)


def reduced(table: ImageTable, picture: Picture, *, shortest: int) -> Image.Image | None:
    """Returns a small copy of a picture, in mode RGB; None where it cannot be read any more.

    Args:
        table: where it comes from.
        picture: one of the table's.
        shortest: its shorter side is at most so long; its longer side at most half as long again.
    """
    try:
        small = Image.fromarray(pixels(table, picture, shortest=shortest))
    except (HandfulError, OSError):
        return None
    longest = LONGEST * shortest // SHORTEST
    scale = min(1.0, shortest / min(small.size), longest / max(small.size))
    return small.resize([max(1, round(side * scale)) for side in small.size], Image.Resampling.BOX)


def data_url(picture: Image.Image) -> str:
    """Returns a picture as JPEG inside a URL."""
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
