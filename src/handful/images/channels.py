"""From Pillow's modes to arrays: 8-bit RGB, or all the bits of a picture that has more."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from handful.core.records import PixelArray
from handful.images.unreadable import UnreadableError

FULL_SCALES = (255, 1023, 4095, 16383, 65535)
"""What white may be in pictures of 8 to 16 bits; cameras and microscopes have 8, 10, 12, 14 or 16."""

DEFAULT_FULL_SCALE = FULL_SCALES[-1]

BAND = 1 << 18
"""Pixels that are converted at a time where that takes several times their memory."""

OTHER_BYTE = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
"""The byte order that makes Pillow, which keeps the upper byte of 16-bit colours, keep the lower one."""


@dataclass(frozen=True, slots=True)
class Channels:
    """The values of a picture: uint8 (H, W, 3), or uint16 (H, W, 1 or 3 or 4) where there are more than 8 bits."""

    values: npt.NDArray[Any]
    notes: tuple[str, ...] = ()


def read_channels(image: Image.Image, again: Callable[[], ImageFile.ImageFile] | None = None) -> Channels:
    """Decodes an opened picture into RGB, or into its 16 bits.

    Transparent parts are laid over white; palettes, CMYK, YCbCr and Lab are converted by Pillow; a single channel is
    repeated (here for 8 bits, in `deep_to_8_bits` for more).

    Args:
        image: an opened picture; it is loaded here.
        again: opens it anew; needed for all 16 bits of a colour picture.

    Raises:
        UnreadableError: values that no rule turns into colours.
    """
    if image.mode.startswith("I;16"):
        return Channels(np.asarray(image).astype(np.uint16)[:, :, None])
    if image.mode in ("I", "F"):
        return _from_wide_numbers(image)
    raw_mode = _raw_mode(image)
    base, _, depth = raw_mode.partition(";")
    if depth in OTHER_BYTE and base in ("RGB", "RGBA", "RGBX") and again is not None:
        return Channels(_two_bytes(image, again(), f"{base};{OTHER_BYTE[depth]}"))
    notes = ("only the upper 8 of its 16 bits are used",) if depth in OTHER_BYTE else ()
    image.load()
    return Channels(_to_rgb(image), notes)


def choose_full_scale(maximum: int) -> int:
    """Returns the least of `FULL_SCALES` that is not below the brightest value of a data set."""
    return next((scale for scale in FULL_SCALES if maximum <= scale), FULL_SCALES[-1])


def scale_for(maxima: Iterable[int]) -> int:
    """Returns what counts as white among pictures, by the brightest value of each; 0 stands for one of 8 bits."""
    brightest = max(maxima, default=0)
    return choose_full_scale(brightest) if brightest else DEFAULT_FULL_SCALE


def deep_to_8_bits(values: npt.NDArray[Any], full_scale: int) -> PixelArray:
    """Scales uint16 (H, W, 1 or 3 or 4) to uint8 (H, W, 3): round(255 value / full_scale), alpha laid over white."""
    scaled = np.empty((*values.shape[:2], 3), dtype=np.uint8)
    for rows in _bands(*values.shape[:2]):
        scaled[rows] = _scaled(values[rows], full_scale)
    return scaled


def _scaled(values: npt.NDArray[Any], full_scale: int) -> PixelArray:
    colours = np.minimum(values[:, :, :3].astype(np.float64) * (255.0 / full_scale), 255.0)
    if values.shape[2] == 4:
        alpha = values[:, :, 3:].astype(np.float64) / 65535.0
        colours = colours * alpha + 255.0 * (1.0 - alpha)
    return np.asarray(np.rint(colours).astype(np.uint8))


def _bands(height: int, width: int) -> Iterator[slice]:
    """Yields the rows of a picture in bands, so that what lies between two forms of it takes little memory."""
    n_rows = max(1, BAND // max(width, 1))
    return (slice(start, min(start + n_rows, height)) for start in range(0, height, n_rows))


def _from_wide_numbers(image: Image.Image) -> Channels:
    """Returns the values of a 32-bit picture as 16 bits: fractions from 0 to 1 fill the range, others must fit."""
    numbers = np.asarray(image)
    low, high = float(numbers.min()), float(numbers.max())  # each is NaN where any number is
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UnreadableError("it holds values that are not finite numbers")
    if low < 0 or high > 65535:
        raise UnreadableError(f"its values go from {low:g} to {high:g}; expected 0 to 65535, or fractions from 0 to 1")
    if image.mode == "I":
        return Channels(numbers.astype(np.uint16)[:, :, None])
    factor, note = (65535.0, "fractions, 1 taken as white") if high <= 1.0 else (1.0, "numbers rounded to integers")
    whole = np.empty((*numbers.shape, 1), dtype=np.uint16)
    for rows in _bands(*numbers.shape):
        whole[rows, :, 0] = np.rint(numbers[rows].astype(np.float64) * factor).astype(np.uint16)
    return Channels(whole, (note,))


def _raw_mode(image: Image.Image) -> str:
    """Returns how the decoder is told to unpack, like "RGB;16B"; Pillow's mode alone hides that there are 16 bits."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    args = tiles[0].args if tiles else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _two_bytes(upper: Image.Image, lower: ImageFile.ImageFile, raw_mode: str) -> npt.NDArray[np.uint16]:
    """Returns all 16 bits of a colour picture, of which Pillow can decode the upper and the lower byte but not both."""
    with lower:
        lower.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in lower.tile
        ]
        high, low = np.asarray(upper, dtype=np.uint16), np.asarray(lower, dtype=np.uint16)
        return np.bitwise_or(np.left_shift(high, 8), low, dtype=np.uint16)


def _to_rgb(image: Image.Image) -> PixelArray:
    if image.mode not in ("RGBA", "RGBa", "LA", "La", "PA") and "transparency" not in image.info:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    opaque = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for rows in _bands(image.height, image.width):
        over = image.crop((0, rows.start, image.width, rows.stop)).convert("RGBA")
        opaque[rows] = np.asarray(Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB"))
    return opaque
