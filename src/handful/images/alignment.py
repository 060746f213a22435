"""Whether two pictures show the same, pixel for pixel: one is laid over the other, then their fine detail is compared.

The edges of the window are found by Gauss-Newton steps on the squared difference of the normalised pictures (Lucas and
Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981), with the slopes
of the second picture. Pictures of one kind are alike in their large parts: cells of one make of solar module correlate
at 0.998. Copies also agree in what is left when local means are taken away.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from handful.core.records import FeatureArray, PixelArray
from handful.images.proposals import WHOLE, Box

LARGEST = 160
"""Side in pixels from which a picture is compared; 256 tells nothing better and takes twice as long."""

SMALLEST = 24
"""Shorter side in pixels below which a copy cannot be told from another picture of the same kind."""

COARSE = 64
"""Side in pixels at which pictures are laid over each other, at most; detail is compared at half of theirs."""

STEPS = 10
LONGEST_STEP = 0.02
SETTLED = 1e-4
"""Share of the side below which a step changes nothing any more."""

HOPELESS = 0.995
FIRST_STEPS = 3
"""Copies have a higher correlation after so many steps; most others have not."""

LIKE_IN_LARGE = 0.9988
LIKE_IN_DETAIL = 0.97
"""Correlations of copies, as a whole and of their detail. Of 520 proposed copies of solar cells one has less; of 4 500
pairs of different cells that are much alike none has as much (benchmarks/duplicates.py). The detail is what tells
pictures with one background apart, such as an empty stage under a microscope."""

WINDOW = 5
"""Side in pixels of the square whose mean is taken away to see detail."""


def square(picture: PixelArray) -> Image.Image:
    """Returns a picture as the grey square that `likeness` takes; uint8 (H, W, 3) to at most 160 x 160."""
    side = min(*picture.shape[:2], LARGEST)
    return Image.fromarray(picture).convert("L").resize((side, side), Image.Resampling.BILINEAR).convert("F")


def likeness(first: Image.Image, second: Image.Image, box: Box, *, mirrored: bool) -> float | None:
    """Returns the correlation of the detail of two copies, one laid over the other; None where they are no copies.

    Args:
        first: from `square`.
        second: from `square`.
        box: about where in the first, after mirroring, the second one lies.
        mirrored: whether the first one is to be mirrored.
    """
    if mirrored:
        first = first.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    finest = min(first.width, second.width) // 2
    large, box = _aligned(first, _seen(second, WHOLE, min(COARSE, finest)), box)
    if large < LIKE_IN_LARGE:
        return None
    detail = float(_detail(_seen(first, box, finest)) @ _detail(_seen(second, WHOLE, finest)))
    return detail if detail >= LIKE_IN_DETAIL else None


def _aligned(first: Image.Image, second: FeatureArray, box: Box) -> tuple[float, Box]:
    """Returns the correlation with the best window of a picture that the steps come by, and that window."""
    target = _normalised(second)
    slopes = _slopes(second, target)
    curvature = slopes @ slopes.T
    curvature += np.eye(4) * (1e-3 * np.trace(curvature) + 1e-9)
    towards = np.linalg.inv(curvature) @ slopes
    best = (-1.0, box)
    for number in range(STEPS + 1):
        seen = _normalised(_seen(first, box, len(second)))
        best = max(best, (float(seen @ target), box))
        step = (towards @ (target - seen)).clip(-LONGEST_STEP, LONGEST_STEP)
        if np.abs(step).max() < SETTLED or (number == FIRST_STEPS and best[0] < HOPELESS):
            break
        left, upper, right, lower = (np.array(box) + step).clip((0, 0, 0.8, 0.8), (0.2, 0.2, 1, 1)).tolist()
        box = (left, upper, right, lower)
    return best


def _slopes(picture: FeatureArray, target: FeatureArray) -> FeatureArray:
    """Returns (4, side^2): how the normalised picture changes when each edge of its window moves."""
    down, right = np.gradient(picture)
    along = (np.arange(len(picture), dtype=np.float32) + 0.5) / len(picture)
    moved = np.stack([right * (1 - along), down * (1 - along[:, None]), right * along, down * along[:, None]])
    flat = moved.reshape(4, -1) * len(picture) / max(float(np.linalg.norm(picture - picture.mean())), 1e-6)
    flat = flat - flat.mean(axis=1, keepdims=True)
    slopes: FeatureArray = flat - np.outer(flat @ target, target)
    return slopes


def _seen(picture: Image.Image, box: Box, side: int) -> FeatureArray:
    """Returns float32 (side, side): the window of a picture."""
    left, upper, right, lower = (share * picture.width for share in box)
    small = picture.resize((side, side), Image.Resampling.BILINEAR, box=(left, upper, right, lower))
    return np.asarray(small, dtype=np.float32)


def _detail(picture: FeatureArray) -> FeatureArray:
    """Returns what a picture has beyond its local mean, normalised."""
    side = len(picture)
    padded = np.pad(picture, WINDOW // 2, mode="edge")
    rows = np.sum([padded[start : start + side] for start in range(WINDOW)], axis=0)
    sums = np.sum([rows[:, start : start + side] for start in range(WINDOW)], axis=0)
    return _normalised(picture - sums / WINDOW**2)


def _normalised(picture: FeatureArray) -> FeatureArray:
    centred = picture.ravel() - picture.mean()
    unit: FeatureArray = centred / max(float(np.linalg.norm(centred)), 1e-6)
    return unit
