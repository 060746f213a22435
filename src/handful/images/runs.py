"""Runs in file names: frames of one film, shots of one burst, which a split should not tear apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from handful.core.records import Finding, Picture
from handful.images.layout import some

EXPRESSION = r"([^/]*[^/\d])\d+\.\w+$"
"""Groups pictures by their names up to the last number: video1_0001.jpg and video1_0002.jpg by `video1_`."""

PER_CLASS = 2
"""Runs that each class needs on average, or a split has nothing to draw from."""

IN_RUNS = 0.8
"""Share of the pictures that have to be in a run of two or more, so that single numbered pictures are no runs."""


def find_runs(pictures: Sequence[Picture]) -> Iterator[Finding]:
    """Yields a proposal of `--group-by` where file names show runs and nothing says yet what belongs together.

    Args:
        pictures: all pictures of a data set.
    """
    if any(picture.group for picture in pictures):
        return
    matches = [re.search(EXPRESSION, picture.path) for picture in pictures]
    sizes = Counter(match.group(1) for match in matches if match)
    runs = {name: size for name, size in sizes.items() if size > 1}
    n_classes = len({picture.label for picture in pictures})
    if len(runs) < PER_CLASS * n_classes or sum(runs.values()) < IN_RUNS * len(pictures):
        return
    shown = some([f"{name}... ({size} pictures)" for name, size in runs.items()])
    yield Finding(
        "runs",
        f"file names show {len(runs)} runs, such as {shown}. Frames of one film and shots of one burst are alike, and "
        "testing on one what was learnt from the next is too easy. If they are such, keep each run on one side of the "
        f"split with --group-by '{EXPRESSION}'.",
    )
