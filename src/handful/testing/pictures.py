"""Drawn data sets for tests: small coloured shapes on noise, learnable but not trivial, every picture different."""

from __future__ import annotations

import colorsys
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CORNERS: dict[str, tuple[int, float]] = {
    "circle": (48, 1.0),
    "triangle": (3, 1.0),
    "square": (4, 1.0),
    "hexagon": (6, 1.0),
    "star": (10, 0.45),
    "flower": (16, 0.7),
}
"""Shapes as polygons: number of corners, and the radius of every second one as a share of the others'."""

NOISE = 24.0
"""Standard deviation of the noise, of 255: one picture never equals another, and pixels alone do not tell the class."""


def draw_folder(
    root: Path,
    *,
    classes: Sequence[str] = ("circle", "square", "triangle"),
    per_class: int = 12,
    size: int = 64,
    seed: int = 0,
) -> Path:
    """Draws a data set with one folder per class and returns its root.

    Args:
        root: folder to fill; made where it is missing.
        classes: names of the folders; "part/name" makes a folder in a folder, drawn like "name".
        per_class: pictures in each class.
        size: side of the square pictures, in pixels.
        seed: equal arguments give equal files; no two pictures of a call have equal pixels.

    Returns:
        `root`, which then holds `circle/000.png` and so on.
    """
    for number, name in enumerate(classes):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(per_class):
            rng = np.random.default_rng((seed, number, index))
            draw_picture(name.rsplit("/", 1)[-1], size, rng).save(folder / f"{index:03d}.png")
    return root


def draw_picture(kind: str, size: int, rng: np.random.Generator) -> Image.Image:
    """Draws one shape of random place, extent, angle and colour on a noisy ground.

    Args:
        kind: one of `CORNERS`; any other word gets one of these shapes by its spelling.
        size: side in pixels.
        rng: decides everything else.

    Returns:
        A picture in mode RGB.
    """
    ground = _colour(rng, brightness=rng.uniform(0.15, 0.45))
    shape = _colour(rng, brightness=rng.uniform(0.65, 1.0))
    image = Image.new("RGB", (size, size), ground)
    ImageDraw.Draw(image).polygon(_outline(kind, size, rng), fill=shape)
    noisy = np.asarray(image, dtype=np.float64) + rng.normal(0.0, NOISE, (size, size, 3))
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _outline(kind: str, size: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    shapes = sorted(CORNERS)
    corners, waist = CORNERS[kind if kind in CORNERS else shapes[zlib.crc32(kind.encode()) % len(shapes)]]
    radius = size * rng.uniform(0.22, 0.36)
    x, y = rng.uniform(radius, size - radius, 2)
    start = rng.uniform(0.0, 2.0 * math.pi)
    outline = []
    for corner in range(corners):
        angle = start + 2.0 * math.pi * corner / corners
        reach = radius * (waist if corner % 2 else 1.0)
        outline.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return outline


def _colour(rng: np.random.Generator, *, brightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.3, 0.9), brightness)
    return round(255 * red), round(255 * green), round(255 * blue)
