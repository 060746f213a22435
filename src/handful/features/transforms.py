"""From a decoded picture to the square that a network sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
from PIL import Image

from handful.core.records import PixelArray

Fit = Literal["crop", "squash", "pad"]
Interpolation = Literal["bilinear", "bicubic"]
View = Literal["plain", "mirror", "top-left", "top-right", "bottom-left", "bottom-right"]

VIEWS: dict[str, tuple[View, ...]] = {
    "plain": ("plain",),
    "mirror": ("plain", "mirror"),
    "crops": ("plain", "mirror", "top-left", "top-right", "bottom-left", "bottom-right"),
}
"""The views behind each value of the option `views`."""

CORNER_SHARE = 0.875
"""Side of a corner crop as a share of the square: 224 of 256, as in Krizhevsky et al. 2012, section 4.1."""

RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes the network's input; travels with the model.

    Attributes:
        size: side of the square, pixels.
        fit: "crop" takes the central square, "squash" changes the aspect ratio, "pad" adds a border in the colour
            `mean`, which becomes zero.
        interpolation: resampling filter; antialiased when pictures get smaller.
        share: side of the central crop as a share of the shorter side (1.0: all of it).
        mean: subtracted from each channel, in units of pixel values 0..255.
        std: divides each channel, in the same units.
    """

    size: int
    fit: Fit
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    share: float = 1.0


def prepare(pixels: PixelArray, preprocessing: Preprocessing, view: View = "plain") -> PixelArray:
    """Returns one view of a picture as the network's square, not yet normalised; see `prepare_views`."""
    (square,) = prepare_views(pixels, preprocessing, (view,))
    return square


def prepare_views(pixels: PixelArray, preprocessing: Preprocessing, views: Sequence[View]) -> Iterator[PixelArray]:
    """Yields views of a picture as the network's squares, not yet normalised.

    Args:
        pixels: uint8 (H, W, 3).
        preprocessing: size, fit and interpolation.
        views: which part of the picture, mirrored or not; the mirror image of a square is not resized again.

    Yields:
        uint8 (size, size, 3).
    """
    picture = Image.fromarray(pixels)
    upright: dict[View, PixelArray] = {}
    for view in views:
        part: View = "plain" if view == "mirror" else view
        if part not in upright:
            upright[part] = np.asarray(_square(picture, preprocessing, part))
        yield upright[part][:, ::-1] if view == "mirror" else upright[part]


def _square(picture: Image.Image, preprocessing: Preprocessing, view: View) -> Image.Image:
    """Returns a part of a picture as a square."""
    size, resampling = preprocessing.size, RESAMPLING[preprocessing.interpolation]
    match preprocessing.fit:
        case "crop":
            side = min(picture.size) * preprocessing.share
            left, top = (picture.width - side) / 2, (picture.height - side) / 2
            box = _within((left, top, left + side, top + side), view)
            return picture.resize((size, size), resampling, box=box)
        case "squash":
            box = _within((0.0, 0.0, float(picture.width), float(picture.height)), view)
            return picture.resize((size, size), resampling, box=box)
        case "pad":
            scale = size / max(picture.size)
            inner = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            colour = tuple(round(value) for value in preprocessing.mean)
            square = Image.new("RGB", (size, size), colour)
            square.paste(picture.resize(inner, resampling), ((size - inner[0]) // 2, (size - inner[1]) // 2))
            if view == "plain":
                return square
            return square.resize((size, size), resampling, box=_within((0.0, 0.0, float(size), float(size)), view))
        case _:
            assert_never(preprocessing.fit)


def seen_part(width: int, height: int, preprocessing: Preprocessing) -> tuple[float, float, float, float]:
    """Returns where the square lies on the picture: left, top, right and bottom as shares of its width and height.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        preprocessing: fit and share; with "pad" the square has a border outside of [0, 1].

    Example:
        >>> seen_part(400, 200, Preprocessing(224, "crop", "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
        (0.25, 0.0, 0.75, 1.0)
    """
    if preprocessing.fit == "squash":
        return 0.0, 0.0, 1.0, 1.0
    side = min(width, height) * preprocessing.share if preprocessing.fit == "crop" else max(width, height)
    across, down = side / width, side / height
    return (1.0 - across) / 2.0, (1.0 - down) / 2.0, (1.0 + across) / 2.0, (1.0 + down) / 2.0


def _within(box: tuple[float, float, float, float], view: View) -> tuple[float, float, float, float]:
    """Returns the part of a box that a view shows: the box itself, or one of its corners."""
    if view == "plain":
        return box
    left, top, right, bottom = box
    width, height = (right - left) * CORNER_SHARE, (bottom - top) * CORNER_SHARE
    vertical, horizontal = view.split("-")
    new_left = left if horizontal == "left" else right - width
    new_top = top if vertical == "top" else bottom - height
    return (new_left, new_top, new_left + width, new_top + height)
