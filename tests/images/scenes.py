"""Drawn pictures with as much to know them by as photographs have, and others that are much alike."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def scene(seed, side=128):
    """Returns a picture of clouds of all sizes, like no other seed's."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side, 3))
    for cells in (2, 4, 8, 16, 32, side):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC), dtype=float) * cells**-0.5
    return Image.fromarray(np.uint8(np.clip((total - total.min()) / np.ptp(total) * 255, 0, 255)))


def cell(seed, side=128):
    """Returns a picture of three bars and a frame that all seeds share, with a faint texture of its own."""
    rng = np.random.default_rng(seed)
    values = np.full((side, side), 170.0)
    values += 20 * np.sin(np.linspace(0, np.pi, side))
    for bar in (0.2, 0.5, 0.8):
        values[int(bar * side) : int(bar * side) + 3] = 60
    values[:2] = values[-2:] = values[:, :2] = values[:, -2:] = 40
    noise = Image.fromarray(rng.normal(0, 4, (side // 2, side // 2)).astype(np.float32))
    values += np.asarray(noise.resize((side, side), Image.Resampling.BILINEAR))
    return Image.fromarray(np.uint8(np.clip(values, 0, 255))).convert("RGB")


def encoded(image, quality=70):
    """Returns the picture after a JPEG encoder."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def resized(image, factor=0.75):
    return image.resize([round(side * factor) for side in image.size], Image.Resampling.BICUBIC)


def mirrored(image):
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cropped(image, share=0.95, left=1.0, upper=0.3):
    """Returns a window of the picture; `left` and `upper` say where in the rest it begins."""
    width, height = (round(share * side) for side in image.size)
    x, y = round(left * (image.width - width)), round(upper * (image.height - height))
    return image.crop((x, y, x + width, y + height))


CHANGES = {"encoded": encoded, "resized": resized, "mirrored": mirrored, "cropped": cropped}
