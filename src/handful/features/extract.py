"""Frozen activations of pictures: looked up where they are known, computed where they are not.

Every thread takes a few pictures at a time from the file to the features, on one core: it decodes them, makes their
squares, and runs the network on them. So decoding and the network overlap, no core waits for another, and no number
depends on how many threads there are.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import cast

import numpy as np
import numpy.typing as npt

from handful.backbones import Tap
from handful.core.config import ReadingConfig
from handful.core.progress import Progress, Silent
from handful.core.records import FeatureArray, FeatureSet, ImageTable, Picture, PixelArray
from handful.features.engines import Forward
from handful.features.engines.choose import lanes
from handful.features.shelf import Shelf, Square
from handful.features.transforms import Preprocessing, View, prepare_views
from handful.features.trunk import FrozenTrunk
from handful.images import Found, pixels, read_unchecked
from handful.images.unreadable import UnreadableError

AHEAD = 2
"""Portions that are in work or waiting per thread: enough that none runs dry, and memory stays small."""

MOST_BATCHES = 4
"""Batches that a thread takes at a time, at most."""

Show = Callable[[PixelArray, Picture, Sequence[str]], Iterable[PixelArray]]
"""Makes the squares of a decoded picture in views of given names; called by several threads at once."""


def extract(
    trunk: FrozenTrunk,
    table: ImageTable,
    pictures: Sequence[Picture],
    *,
    preprocessing: Preprocessing,
    views: Sequence[str],
    threads: int,
    progress: Progress,
    use_cache: bool = True,
    show: Show | None = None,
) -> FeatureSet:
    """Returns the features of some pictures at the trunk's tap, (N, V, D); see `extract_at`."""
    (found,) = extract_at(
        (trunk.tap,),
        trunk,
        table,
        pictures,
        preprocessing=preprocessing,
        views=views,
        threads=threads,
        progress=progress,
        use_cache=use_cache,
        show=show,
    )
    return found


def extract_at(
    taps: Sequence[Tap],
    trunk: FrozenTrunk,
    table: ImageTable,
    pictures: Sequence[Picture],
    *,
    preprocessing: Preprocessing,
    views: Sequence[str],
    threads: int,
    progress: Progress,
    use_cache: bool = True,
    show: Show | None = None,
) -> tuple[FeatureSet, ...]:
    """Returns the features of some pictures at several taps, from one pass of the network.

    Memory grows with a batch per thread and with the result, which lies in a temporary file where it is large; not
    with the pictures.

    Args:
        taps: where features are taken, each once. Pooled ones are float32; those of all places are float16.
        trunk: the frozen network; opened only when something has to be computed.
        table: where the pictures' bytes come from.
        pictures: N of the table's pictures.
        preprocessing: from picture to square.
        views: V views of each picture: those of `transforms.View`, or others that `show` knows.
        threads: for decoding and for the network; no number depends on it.
        progress: told about every square computed.
        use_cache: look up and remember rows on disk.
        show: makes the squares of views of other names, which have to say everything that decides them.

    Raises:
        DataError: a picture changed.
        TrainingError: an activation is no number, or too large for the precision that it is kept in.
    """
    trunk = trunk.proven(preprocessing, taps=taps, threads=threads, progress=progress)
    shelves = [Shelf.of(trunk, tap, table, pictures, preprocessing, views, progress=progress) for tap in taps]
    known = [shelf.look_up() if use_cache else shelf.known for shelf in shelves]
    missing = ~np.logical_and.reduce(known)
    if missing.any():
        empty = [shelf for shelf, rows in zip(shelves, known, strict=True) if not rows.all()]
        at_taps = [shelf.tap for shelf in empty]
        forward, batch = trunk.open(
            preprocessing, taps=at_taps, threads=threads, progress=progress, by_another=not use_cache
        )
        usual = _usual(preprocessing)
        work = _Work(
            forward=forward,
            read=lambda row: pixels(table, pictures[row], shortest=preprocessing.size),
            show=usual if show is None else lambda decoded, row, names: show(decoded, pictures[row], names),
            size=preprocessing.size,
            views=views,
            batch=batch,
        )
        with progress.stage(f"Features of {trunk.spec.title}", int(missing.sum())) as advance:
            try:
                for squares, computed in _computed(work, missing, threads=threads):
                    for shelf, features in zip(empty, computed, strict=True):
                        shelf.fill(squares, features, remember=use_cache)
                    advance(len(squares))
            finally:  # what was computed is kept, however the work ends
                for shelf in empty:
                    shelf.close()
    return tuple(FeatureSet(shelf.values, shelf.space, int(missing.sum())) for shelf in shelves)


def n_missing(
    trunk: FrozenTrunk,
    table: ImageTable,
    pictures: Sequence[Picture],
    *,
    preprocessing: Preprocessing,
    views: Sequence[str],
) -> int:
    """Returns how many squares of pictures are not on the disk with what this trunk's engine makes of them."""
    shelf = Shelf.of(trunk, trunk.tap, table, pictures, preprocessing, views, progress=Silent())
    return int((~shelf.look_up()).sum())


def extract_unchecked(
    trunk: FrozenTrunk,
    files: Sequence[Found],
    *,
    reading: ReadingConfig,
    full_scale: int,
    preprocessing: Preprocessing,
    views: Sequence[View],
    threads: int,
    progress: Progress,
) -> tuple[FeatureArray, dict[int, str]]:
    """Returns the features of files that nobody has looked into, each decoded once, and nothing is looked up or kept.

    Args:
        trunk: the frozen network.
        files: N files.
        reading: the limits on size.
        full_scale: what stands for white in pictures of more than 8 bits.
        preprocessing: from picture to square.
        views: V of each picture.
        threads: for decoding and for the network; no number depends on it.
        progress: told about every square.

    Returns:
        float32 (N, V, D), equal to what `extract` gives of checked pictures; and the rows of files that are no readable
        picture, with the reason. Their features mean nothing.
    """
    trunk = trunk.proven(preprocessing, taps=(trunk.tap,), threads=threads, progress=progress)
    forward, batch = trunk.open(preprocessing, taps=(trunk.tap,), threads=threads, progress=progress, by_another=True)
    shelf = Shelf.unnamed(trunk.tap, len(files), len(views), progress=progress)
    work = _Work(
        forward=forward,
        read=lambda row: read_unchecked(files[row], reading, full_scale=full_scale, shortest=preprocessing.size),
        show=_usual(preprocessing),
        size=preprocessing.size,
        views=views,
        batch=batch,
    )
    with progress.stage(f"Features of {trunk.spec.title}", len(files) * len(views)) as advance:
        for squares, (features,) in _computed(work, ~shelf.known, threads=threads):
            shelf.fill(squares, features, remember=False)
            advance(len(squares))
    return shelf.values, work.faults


def _usual(preprocessing: Preprocessing) -> Callable[[PixelArray, int, Sequence[str]], Iterable[PixelArray]]:
    """Returns what makes the squares of a decoded picture in the views of `transforms.View`."""
    return lambda decoded, _, names: prepare_views(decoded, preprocessing, cast(Sequence[View], names))


@dataclass(frozen=True, slots=True)
class _Work:
    """From files to features: what a thread does with a portion.

    Attributes:
        forward: the network.
        read: decodes the picture of a row.
        show: makes the squares of a decoded picture, by its row, in views of given names.
        size: of the squares.
        views: names.
        batch: squares that the network takes at a time.
        faults: where rows are put whose pictures cannot be read, with the reason; their features are nothing's.
    """

    forward: Forward
    read: Callable[[int], PixelArray]
    show: Callable[[PixelArray, int, Sequence[str]], Iterable[PixelArray]]
    size: int
    views: Sequence[str]
    batch: int
    faults: dict[int, str] = field(default_factory=dict)

    def __call__(self, squares: Sequence[Square]) -> list[FeatureArray]:
        """Returns float32 (squares, D) at each tap; the squares of one picture stand together."""
        n_batches = -(-len(squares) // self.batch)
        shown = np.zeros((n_batches * self.batch, self.size, self.size, 3), dtype=np.uint8)
        for row, own in groupby(enumerate(squares), key=lambda placed: placed[1][0]):
            places, placed = zip(*own, strict=True)
            try:
                decoded = self.read(row)
            except UnreadableError as error:
                self.faults[row] = str(error)
                continue
            names = [self.views[view] for _, view in placed]
            for place, square in zip(places, self.show(decoded, row, names), strict=True):
                shown[place] = square
        batches = [self.forward(shown[start : start + self.batch]) for start in range(0, len(shown), self.batch)]
        return [np.concatenate(at_tap)[: len(squares)] for at_tap in zip(*batches, strict=True)]


def _computed(
    work: _Work, missing: npt.NDArray[np.bool_], *, threads: int
) -> Iterator[tuple[list[Square], list[FeatureArray]]]:
    """Yields squares and their features, in order, while threads compute the next ones; bool (N, V) says which."""
    portions = _portions(missing, batch=work.batch)
    with lanes(threads) as pool:
        running = deque((portion, pool.submit(work, portion)) for portion in islice(portions, AHEAD * threads))
        while running:
            portion, future = running.popleft()
            computed = future.result()
            running.extend((another, pool.submit(work, another)) for another in islice(portions, 1))
            yield portion, computed


def _portions(missing: npt.NDArray[np.bool_], *, batch: int) -> Iterator[list[Square]]:
    """Yields what a thread takes at a time: all that is missing of as many pictures as fill whole batches."""
    n_views = int(missing.sum(axis=1).max())
    n_pictures = batch // math.gcd(batch, n_views)
    most = MOST_BATCHES * batch
    if n_pictures * n_views > most:  # many views: those of one picture at a time, and not all of them at once
        n_pictures = 1
    rows = iter(np.flatnonzero(missing.any(axis=1)).tolist())
    while chunk := list(islice(rows, n_pictures)):
        squares = [(row, int(view)) for row in chunk for view in np.flatnonzero(missing[row])]
        yield from (squares[start : start + most] for start in range(0, len(squares), most))
