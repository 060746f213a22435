"""Small grey copies of pictures, taken while a picture is decoded anyway and remembered: what copies are found by."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from PIL import Image

from handful.core.records import PixelArray
from handful.images.channels import choose_full_scale
from handful.images.decode import Decoded

SIDE = 32
"""Side of a sketch, in pixels: 1 KB of memory for each picture, and a crop of 5 % still moves it by more than one."""


def sketch(picture: Decoded) -> str:
    """Returns a picture squeezed into a small grey square, as text."""
    values = picture.rgb(choose_full_scale(picture.maximum))
    small = Image.fromarray(values).resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return base64.b64encode(small.convert("L").tobytes()).decode("ascii")


def read_sketches(texts: Sequence[str]) -> PixelArray:
    """Returns uint8 (N, SIDE, SIDE): what `sketch` wrote down."""
    data = b"".join(base64.b64decode(text) for text in texts)
    return np.frombuffer(data, dtype=np.uint8).reshape(len(texts), SIDE, SIDE)
