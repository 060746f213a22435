"""Where a model looked, drawn over the picture in colours that stay apart for every eye."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from handful.core.looks import Look
from handful.core.records import FloatArray, PixelArray

COLOURS = ((0, 32, 77), (0, 67, 107), (87, 92, 109), (124, 123, 120), (165, 156, 116), (210, 193, 95), (255, 234, 70))
"""From little to much, dark blue to yellow: cividis (Nunez, Anderton and Renslow 2018), made to look alike with and
without a deficiency of colour vision, and lighter at every step."""

LEAST, MOST = 0.35, 0.8
"""How much of the colour covers the grey picture where there is no heat, and where there is most."""

UNSEEN = 0.25
"""How much is left of the picture's contrast outside of the square that the network saw."""


def heated(picture: Image.Image, look: Look) -> Image.Image:
    """Returns a picture in grey under the colours of its map; what the network never saw is faded.

    Args:
        picture: mode RGB, of any size.
        look: the map, and where it lies on the picture.
    """
    heat, seen = heat_of(look, width=picture.width, height=picture.height)
    grey = np.asarray(picture.convert("L"), dtype=np.float64)[..., None]
    cover = (LEAST + (MOST - LEAST) * heat)[..., None]
    shown = (1.0 - cover) * grey + cover * colours_of(heat)
    faded = 255.0 * (1.0 - UNSEEN) + UNSEEN * grey
    blended = np.where(seen[..., None], shown, faded)
    return Image.fromarray(np.rint(blended).clip(0, 255).astype(np.uint8))


def heat_of(look: Look, *, width: int, height: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Returns the map at the pixels of a picture, float64 (H, W) in [0, 1], and bool (H, W), what the network saw.

    What speaks against the answer counts as nothing, as in Grad-CAM; the place that speaks most for it is 1.
    """
    left, top, right, bottom = (
        round(share * side) for share, side in zip(look.seen, (width, height, width, height), strict=True)
    )
    places = np.maximum(look.places, np.float32(0.0))
    most = float(places.max())
    scaled = Image.fromarray(places / np.float32(most or 1.0))
    canvas = Image.new("F", (width, height), -1.0)
    size = (max(1, right - left), max(1, bottom - top))
    canvas.paste(scaled.resize(size, Image.Resampling.BILINEAR), (left, top))
    values = np.asarray(canvas, dtype=np.float64)
    return values.clip(0.0, 1.0), values >= 0.0


def colours_of(heat: FloatArray) -> FloatArray:
    """Returns float64 (H, W, 3), in [0, 255], for heat (H, W) in [0, 1]."""
    steps = np.linspace(0.0, 1.0, len(COLOURS))
    channels = np.array(COLOURS, dtype=np.float64).T
    return np.stack([np.interp(heat, steps, channel) for channel in channels], axis=-1)


def as_grey(colours: PixelArray | FloatArray) -> FloatArray:
    """Returns the lightness that colours have without any colour vision, in [0, 255] (Rec. 709)."""
    lightness: FloatArray = np.asarray(colours, dtype=np.float64) @ np.array([0.2126, 0.7152, 0.0722])
    return lightness
