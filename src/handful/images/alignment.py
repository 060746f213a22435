"""Whether two pictures show the same, pixel for pixel: one is laid over the other, then their fine detail is compared.

The edges of the window are found by Gauss-Newton steps on the squared difference of the normalised pictures (Lucas and
Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981), with the slopes
of the second picture. Pictures of one kind are alike in their large parts: cells of one make of solar module correlate
at 0.998. Copies also agree in what is left when local means are taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from handful.core.records import FeatureArray, FloatArray, PixelArray
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
    """Returns a picture as the grey square that is compared; uint8 (H, W, 3) to at most 160 x 160."""
    side = min(*picture.shape[:2], LARGEST)
    return Image.fromarray(picture).convert("L").resize((side, side), Image.Resampling.BILINEAR)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that may be copies.

    Attributes:
        first: from `square`.
        second: from `square`.
        box: about where in the first, after mirroring, the second one lies.
        mirrored: whether the first one is to be mirrored.
    """

    first: Image.Image
    second: Image.Image
    box: Box
    mirrored: bool

    @property
    def finest(self) -> int:
        """Side in pixels at which the detail of both is compared."""
        return min(self.first.width, self.second.width) // 2


def likenesses(pairs: Sequence[Pair]) -> list[float | None]:
    """Returns the correlation of the detail of two copies, one laid over the other; None where they are no copies.

    Pairs of one size are taken together, so that the arrays are large; each answer is that of its pair alone.
    """
    upright = [_ready(pair) for pair in pairs]
    found: list[float | None] = [None] * len(pairs)
    for finest in sorted({pair.finest for pair in upright}):
        places = [place for place, pair in enumerate(upright) if pair.finest == finest]
        for place, answer in zip(places, _compared([upright[place] for place in places], finest), strict=True):
            found[place] = answer
    return found


def _ready(pair: Pair) -> Pair:
    """Returns a pair of which none is mirrored, in numbers that resizing does not round."""
    first = pair.first.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if pair.mirrored else pair.first
    return Pair(first.convert("F"), pair.second.convert("F"), pair.box, mirrored=False)


def _compared(pairs: list[Pair], finest: int) -> list[float | None]:
    """Returns the answers for pairs of one size, none of them mirrored."""
    large, boxes = _aligned(pairs, min(COARSE, finest))
    alike = np.flatnonzero(large >= LIKE_IN_LARGE)
    found: list[float | None] = [None] * len(pairs)
    if len(alike):
        first = _detail(np.stack([_seen(pairs[row].first, boxes[row], finest) for row in alike]))
        second = _detail(np.stack([_seen(pairs[row].second, WHOLE, finest) for row in alike]))
        for row, detail in zip(alike.tolist(), _products(first, second).tolist(), strict=True):
            found[row] = detail if detail >= LIKE_IN_DETAIL else None
    return found


def _aligned(pairs: list[Pair], side: int) -> tuple[FeatureArray, FloatArray]:
    """Returns (P,), the correlation with the best window that the steps come by, and (P, 4), that window."""
    pictures = np.stack([_seen(pair.second, WHOLE, side) for pair in pairs])
    target = _normalised(pictures)
    slopes = _slopes(pictures, target)
    curvature = slopes @ slopes.transpose(0, 2, 1)
    scale = 1e-3 * np.trace(curvature, axis1=1, axis2=2) + 1e-9
    towards = np.linalg.inv(curvature + scale[:, None, None] * np.eye(4, dtype=np.float32)) @ slopes
    boxes = np.array([pair.box for pair in pairs], dtype=np.float64)
    best, best_boxes = np.full(len(pairs), -1.0, dtype=np.float32), boxes.copy()
    moving = np.arange(len(pairs))
    for number in range(STEPS + 1):
        seen = _normalised(np.stack([_seen(pairs[row].first, boxes[row], side) for row in moving]))
        alike = _products(seen, target[moving])
        better = alike > best[moving]
        best[moving[better]], best_boxes[moving[better]] = alike[better], boxes[moving[better]]
        step = (towards[moving] @ (target[moving] - seen)[:, :, None])[:, :, 0]
        step = step.clip(-LONGEST_STEP, LONGEST_STEP)
        boxes[moving] = (boxes[moving] + step).clip((0, 0, 0.8, 0.8), (0.2, 0.2, 1, 1))
        goes_on = np.abs(step).max(axis=1) >= SETTLED
        if number == FIRST_STEPS:
            goes_on &= best[moving] >= HOPELESS
        moving = moving[goes_on]
        if not len(moving):
            break
    return best, best_boxes


def _slopes(pictures: FeatureArray, target: FeatureArray) -> FeatureArray:
    """Returns (P, 4, side^2): how the normalised pictures change when each edge of their windows moves."""
    side = pictures.shape[1]
    down, right = np.gradient(pictures, axis=(1, 2))
    along = (np.arange(side, dtype=np.float32) + 0.5) / side
    moved = np.stack([right * (1 - along), down * (1 - along[:, None]), right * along, down * along[:, None]], axis=1)
    lengths = np.linalg.norm(pictures - pictures.mean(axis=(1, 2), keepdims=True), axis=(1, 2))
    flat = moved.reshape(len(pictures), 4, -1) * (side / np.maximum(lengths, 1e-6))[:, None, None]
    flat -= flat.mean(axis=2, keepdims=True)
    slopes: FeatureArray = flat - (flat @ target[:, :, None]) * target[:, None, :]
    return slopes


def _seen(picture: Image.Image, box: Sequence[float] | FloatArray, side: int) -> FeatureArray:
    """Returns float32 (side, side): the window of a picture."""
    left, upper, right, lower = (float(share) * picture.width for share in box)
    small = picture.resize((side, side), Image.Resampling.BILINEAR, box=(left, upper, right, lower))
    return np.asarray(small, dtype=np.float32)


def _detail(pictures: FeatureArray) -> FeatureArray:
    """Returns what each picture, (P, side, side), has beyond its local mean, normalised, (P, side^2)."""
    side = pictures.shape[1]
    edge = WINDOW // 2
    padded = np.pad(pictures, ((0, 0), (edge, edge), (edge, edge)), mode="edge")
    rows = np.sum([padded[:, start : start + side] for start in range(WINDOW)], axis=0)
    sums = np.sum([rows[:, :, start : start + side] for start in range(WINDOW)], axis=0)
    return _normalised(pictures - sums / WINDOW**2)


def _normalised(pictures: FeatureArray) -> FeatureArray:
    """Returns float32 (P, side^2), each row of mean 0 and length 1."""
    rows = pictures.reshape(len(pictures), -1)
    centred = rows - rows.mean(axis=1, keepdims=True)
    unit: FeatureArray = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return unit


def _products(first: FeatureArray, second: FeatureArray) -> FeatureArray:
    """Returns (P,): the correlation of each normalised row with the same row of the other."""
    products: FeatureArray = np.einsum("ps,ps->p", first, second)
    return products
