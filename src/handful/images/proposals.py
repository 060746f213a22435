"""Which pictures may be copies of each other: found among all pairs by sketches, for the pixels to confirm.

Every picture is looked at as a whole and through windows of 95 % of its width and height at 16 places, each also
mirrored, and compared with all others as a whole. Views are averaged to 8 x 8 cells and decorrelated over the data set,
so that only what tells its pictures apart counts: the bars that every solar cell has say nothing. (The bits of a
difference hash do not see through a mirror or a crop, and take most solar cells for copies of each other; so no library
of hashes is used.)

Complexity: one matrix product of (N, 64) by (64, N) for each of the 34 views, in blocks of rows; at most `NEAREST`
pairs for each picture are kept, so that what follows is O(N).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise, product

import numpy as np

from handful.core.machine import open_threads
from handful.core.records import FeatureArray, PixelArray
from handful.images.sketch import SIDE

CELLS = 8
"""Cells to a side of what is compared: finer ones no longer agree between a picture and its crop."""

CROP = 0.05
"""Share of width and height that a window leaves out."""

PLACES = (0.0, CROP / 3, 2 * CROP / 3, CROP)
"""Where windows begin. With three places instead of four, 5 % of the crops of solar cells are missed."""

ALIKE = 0.75
"""Correlation from which a pair is proposed. Copies of photographs have 0.95 and more, of solar cells 0.76 and more; of
500 000 pairs of different photographs seven have as much."""

NEAREST = 8
"""Proposals for each picture, at most: in look-alike pictures nearly all pairs are alike."""

FLAT = 2.0
"""Standard deviation in grey levels below which a sketch shows nothing to know a picture again by."""

SHRINKAGE = 0.1
"""Share of the mean variance that is added to every direction, so that noise is not blown up."""

BLOCK = 512
"""Pictures compared with all others at a time."""

Box = tuple[float, float, float, float]
"""Left, upper, right and lower edge as shares of width and height."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
BOXES: tuple[Box, ...] = (
    WHOLE,
    *((x, y, x + 1 - CROP, y + 1 - CROP) for y, x in product(PLACES, repeat=2)),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pair that may show one picture.

    Attributes:
        first: row of the picture that is looked at through a window.
        second: row of the other, taken whole.
        box: the window in which the first one is most like the second, after it was mirrored where it has to be.
        mirrored: whether the first one has to be mirrored.
    """

    first: int
    second: int
    box: Box
    mirrored: bool


def propose(sketches: PixelArray, *, threads: int) -> list[Proposal]:
    """Returns the pairs of pictures that may be copies of each other, each pair once, in the order of their rows.

    Args:
        sketches: uint8 (N, 32, 32), grey.
        threads: blocks of pictures that are compared at the same time; the result does not depend on it.
    """
    told = np.flatnonzero(sketches.std(axis=(1, 2)) >= FLAT)
    if len(told) < 2:
        return []
    shown = sketches[told].astype(np.float32)
    looks = [(box, mirrored) for box in BOXES for mirrored in (False, True)]
    views = [_cells(shown[:, :, ::-1] if mirrored else shown, box) for box, mirrored in looks]
    decorrelate = _decorrelation(np.concatenate(views[:2]))
    described = [decorrelate(view) for view in views]
    best: dict[tuple[int, int], tuple[float, Proposal]] = {}
    with open_threads(threads) as pool:
        blocks = pool.map(partial(_nearest, described), range(0, len(told), BLOCK))
        for second, first in chain.from_iterable(blocks):
            likeness = [float(view[first] @ described[0][second]) for view in described]
            box, mirrored = looks[int(np.argmax(likeness))]
            pair = (min(first, second), max(first, second))
            if pair not in best or max(likeness) > best[pair][0]:
                proposal = Proposal(int(told[first]), int(told[second]), box, mirrored)
                best[pair] = (max(likeness), proposal)
    return [best[pair][1] for pair in sorted(best)]


def _cells(shown: FeatureArray, box: Box) -> FeatureArray:
    """Returns float32 (N, 64): the means of the cells of a window, without brightness and contrast."""
    columns, rows = _averages(box[0], box[2]), _averages(box[1], box[3])
    means = (rows @ shown @ columns.T).astype(np.float32)
    return _normalised(means.reshape(len(shown), -1))


def _averages(low: float, high: float) -> FeatureArray:
    """Returns float32 (8, 32): what each pixel of a sketch counts in the mean of each cell between two edges."""
    edges = np.linspace(low, high, CELLS + 1) * SIDE
    pixels = np.arange(SIDE)
    shares = [np.clip(np.minimum(end, pixels + 1) - np.maximum(start, pixels), 0, 1) for start, end in pairwise(edges)]
    return np.array([share / share.sum() for share in shares], dtype=np.float32)


def _decorrelation(views: FeatureArray) -> Callable[[FeatureArray], FeatureArray]:
    """Returns a function after which the pictures vary alike in all directions, as far as their number can tell."""
    mean = views.mean(axis=0)
    centred = (views - mean).astype(np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(views))
    # With few pictures the small variances are not known; they are then taken to be more alike than they seem.
    added = (SHRINKAGE + CELLS**2 / len(views)) * variances.mean() + np.finfo(np.float32).tiny
    whitening: FeatureArray = (directions / np.sqrt(variances.clip(0) + added)).astype(np.float32)

    def decorrelated(view: FeatureArray) -> FeatureArray:
        return _normalised((view - mean) @ whitening)

    return decorrelated


def _normalised(rows: FeatureArray) -> FeatureArray:
    centred: FeatureArray = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: FeatureArray = centred / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def _nearest(described: list[FeatureArray], start: int) -> list[tuple[int, int]]:
    """Returns, for each whole picture of a block, the few others that hold a view most like it."""
    whole = described[0][start : start + BLOCK]
    alike = whole @ described[0].T
    for view in described[1:]:
        np.maximum(alike, whole @ view.T, out=alike)
    pairs = []
    for row, likeness in enumerate(alike, start=start):
        likeness[row] = -1.0
        found = np.flatnonzero(likeness >= ALIKE)
        if len(found) > NEAREST:
            found = found[np.argpartition(-likeness[found], NEAREST)[:NEAREST]]
        pairs += [(row, other) for other in found.tolist()]
    return pairs
