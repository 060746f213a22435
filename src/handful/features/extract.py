"""Frozen activations of pictures: looked up where they are known, computed where they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from typing import Any, cast

import numpy as np

from handful.core.progress import Progress
from handful.core.records import FeatureArray, FeatureSet, ImageTable, Picture, PixelArray
from handful.features import cache
from handful.features.transforms import Preprocessing, View, prepare
from handful.features.trunk import BATCH, ENGINE, PRECISION, FrozenTrunk
from handful.images import READING_VERSION, pixels

SHARD = 1024
"""Rows after which computed features are written down, so that an interrupted run loses little."""


Show = Callable[[PixelArray, Picture, str], PixelArray]
"""Makes the square of a decoded picture in a view of a given name; called by several threads at once."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One row to compute: a picture's view, and where it belongs."""

    row: int
    view: int


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
    """Returns the features of some pictures, float32 (N, V, D).

    Pictures are decoded by threads while the network works, in batches of a fixed size; memory grows with the batch
    and the result, not with the pictures.

    Args:
        trunk: the frozen network; opened only when something has to be computed.
        table: where the pictures' bytes come from.
        pictures: N of the table's pictures.
        preprocessing: from picture to square.
        views: V views of each picture: those of `transforms.View`, or others that `show` knows.
        threads: for decoding and for the network.
        progress: told about every row computed.
        use_cache: look up and remember rows on disk.
        show: makes the squares of views of other names, which have to say everything that decides them.
    """
    keys = [picture.file_sha256 for picture in pictures]
    facts = [_facts(trunk, table, preprocessing, view) for view in views]
    spaces = [cache.space_key(fact) for fact in facts]
    values = np.zeros((len(pictures), len(views), trunk.tap.n_features), dtype=np.float32)
    known = np.zeros((len(pictures), len(views)), dtype=bool)
    if use_cache:
        for view, space in enumerate(spaces):
            known[:, view] = cache.lookup(space, keys, values[:, view])
    jobs = [_Job(int(row), int(view)) for row, view in zip(*np.nonzero(~known), strict=True)]
    if jobs:
        shown = show or (lambda decoded, _, view: prepare(decoded, preprocessing, cast(View, view)))
        squares = _squares(table, pictures, jobs, shown, shortest=preprocessing.size, views=views, threads=threads)
        forward = trunk.open(preprocessing, threads=threads)
        with progress.stage(f"Features of {trunk.spec.title}", len(jobs)) as advance:
            for portion in _pieces(jobs, SHARD):
                for chunk in _pieces(portion, BATCH):
                    computed = forward(_padded(list(islice(squares, len(chunk))), preprocessing.size))
                    for job, row in zip(chunk, computed, strict=False):
                        values[job.row, job.view] = row
                    advance(len(chunk))
                if use_cache:
                    _remember(portion, keys, values, spaces=spaces, facts=facts)
    return FeatureSet(values, cache.space_key({"views": spaces}), n_computed=len(jobs))


def _facts(trunk: FrozenTrunk, table: ImageTable, preprocessing: Preprocessing, view: str) -> dict[str, Any]:
    return {
        **trunk.facts,
        "preprocessing": asdict(preprocessing),
        "view": view,
        "reading": READING_VERSION,
        "full_scale": table.full_scale,
        "engine": ENGINE,
        "precision": PRECISION,
        "versions": {library: version(library) for library in ("torch", "pillow")},
    }


def _squares(
    table: ImageTable,
    pictures: Sequence[Picture],
    jobs: Sequence[_Job],
    show: Show,
    *,
    shortest: int,
    views: Sequence[str],
    threads: int,
) -> Iterator[PixelArray]:
    """Yields the jobs' squares in order, decoded ahead of their use by a few threads; a picture is decoded once."""
    by_picture: dict[int, list[int]] = {}
    for job in jobs:
        by_picture.setdefault(job.row, []).append(job.view)

    def read(row: int) -> list[PixelArray]:
        decoded = pixels(table, pictures[row], shortest=shortest)
        return [show(decoded, pictures[row], views[view]) for view in by_picture[row]]

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        rows = iter(by_picture)
        ahead = [pool.submit(read, row) for row in islice(rows, 2 * BATCH)]
        while ahead:
            yield from ahead.pop(0).result()
            ahead.extend(pool.submit(read, row) for row in islice(rows, 1))


def _pieces(jobs: Sequence[_Job], size: int) -> Iterator[Sequence[_Job]]:
    return (jobs[start : start + size] for start in range(0, len(jobs), size))


def _padded(squares: Sequence[PixelArray], size: int) -> PixelArray:
    batch = np.zeros((BATCH, size, size, 3), dtype=np.uint8)
    batch[: len(squares)] = squares
    return batch


def _remember(
    jobs: Sequence[_Job],
    keys: Sequence[str],
    values: FeatureArray,
    *,
    spaces: Sequence[str],
    facts: Sequence[Mapping[str, Any]],
) -> None:
    for view, space in enumerate(spaces):
        rows = [job.row for job in jobs if job.view == view]
        cache.store(space, [keys[row] for row in rows], values[rows, view], facts=facts[view])
