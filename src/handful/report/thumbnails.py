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


def thumbnail(table: ImageTable, picture: Picture) -> str:
    """Returns a JPEG as a data URL, or "" where the picture cannot be read any more (a report must not fail for it)."""
    try:
        small = Image.fromarray(pixels(table, picture, shortest=SHORTEST))
    except (HandfulError, OSError):
        return ""
    scale = min(1.0, SHORTEST / min(small.size), LONGEST / max(small.size))
    small = small.resize([max(1, round(side * scale)) for side in small.size], Image.Resampling.BOX)
    stream = io.BytesIO()
    small.save(stream, format="JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
