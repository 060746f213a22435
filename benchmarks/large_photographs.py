"""12-megapixel JPEG photographs become squares at least 3 times as quickly as Pillow opens, converts and resizes them.

python -m benchmarks.large_photographs [FOLDER]

The features' mean cosine to those of the full decode is at least 0.999. Without a folder of photographs, 12 are drawn.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.engines import draw
from benchmarks.record import record
from handful.backbones import find, keep_memory, locate
from handful.core.config import ReadingConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.features import Preprocessing, cosines, prepare, trunk_from_weights
from handful.images import pixels, read

N_DRAWN, N_ROUNDS = 12, 5
SIZE = (4000, 3000)
LEAST_GAIN, LEAST_COSINE = 3.0, 0.999


def by_pillow(path: Path, preprocessing: Preprocessing) -> np.ndarray:
    """Returns the central square as the usual script makes it."""
    with Image.open(path) as image:
        return prepare(np.asarray(image.convert("RGB")), preprocessing)


def timed(work: Any, items: Any) -> tuple[float, list[np.ndarray]]:
    """Returns seconds per item, and the squares."""
    start = time.perf_counter()
    squares = [work(item) for item in items]
    return (time.perf_counter() - start) / len(squares), squares


def main(folder: Path) -> None:
    """Measures in turns, compares the features, records."""
    keep_memory()
    spec, threads = find("lite0"), count_threads(None)
    preprocessing = Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std)
    table = read(folder, ReadingConfig(), threads=threads)
    gains, usual, ours = [], [], []
    for _ in range(N_ROUNDS):
        slow, usual = timed(lambda one: by_pillow(folder / one.path, preprocessing), table.pictures)
        quick, ours = timed(
            lambda one: prepare(pixels(table, one, shortest=preprocessing.size), preprocessing), table.pictures
        )
        gains.append(slow / quick)
    trunk = trunk_from_weights(spec, locate(spec), threads=threads, progress=Silent(), engine="eager")
    forward, batch = trunk.open(preprocessing, taps=[trunk.tap], threads=threads, progress=Silent())
    n_whole = len(usual) // batch * batch
    one, other = (
        np.concatenate([forward(np.stack(squares[start : start + batch]))[0] for start in range(0, n_whole, batch)])
        for squares in (usual, ours)
    )
    alike = cosines(one, other)
    record(
        f"12-megapixel JPEG to square: {LEAST_GAIN:g} times Pillow's way, mean cosine of features {LEAST_COSINE}",
        figures={
            "times": [round(gain, 2) for gain in gains],
            "ms_of_the_usual_way_in_the_last_round": round(1000 * slow, 1),
            "mean_cosine": round(float(alike.mean()), 5),
            "least_cosine": round(float(alike.min()), 5),
            "n_images": n_whole,
        },
        holds=statistics.median(gains) >= LEAST_GAIN and float(alike.mean()) >= LEAST_COSINE,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            draw(Path(temporary), n_images=N_DRAWN, size=SIZE)
            main(Path(temporary))
