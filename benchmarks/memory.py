"""Features of 50 000 pictures take less than 3 GB of memory, reading and looking them up again included.

python -m benchmarks.memory [network]

Pictures of 64 px are drawn and shown to the network at 64 px, so that it takes a minute and not ten. A batch needs less
memory than at 224 px (`python -m benchmarks.engines --one` prints that); what grows with the number of pictures is the
same.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.engines import features_of, peak_memory
from benchmarks.record import record
from handful.backbones import find, locate
from handful.core.config import ReadingConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.features import Preprocessing, trunk_from_weights
from handful.images import read

N_IMAGES, SIZE, LIMIT_GB = 50_000, 64, 3.0


def draw(folder: Path) -> None:
    """Writes small pictures of random patches, each another, in ten classes."""
    rng = np.random.default_rng(0)
    for number in range(N_IMAGES):
        path = folder / f"class{number % 10}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((SIZE, SIZE)).save(path)


def main(name: str) -> None:
    """Reads, computes, looks up, and records the most memory that the process ever had."""
    spec, threads = find(name), count_threads(None)
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryDirectory() as cache:
        os.environ["HANDFUL_CACHE"] = cache
        folder = Path(temporary)
        draw(folder)
        start = time.perf_counter()
        table = read(folder, ReadingConfig(), threads=threads)
        reading, after_reading = time.perf_counter() - start, peak_memory()
        trunk = trunk_from_weights(spec, locate(spec), threads=threads, progress=Silent(), engine="fused")
        preprocessing = Preprocessing(SIZE, "crop", spec.interpolation, spec.mean, spec.std)
        seconds, found = [], []
        for _ in range(2):
            start = time.perf_counter()
            features = features_of(trunk, table, preprocessing)
            seconds.append(time.perf_counter() - start)
            found.append(features)
        first = found[0]
        where = type(features.values).__name__
    record(
        f"features of {N_IMAGES} pictures in less than {LIMIT_GB:g} GB of memory",
        figures={
            "network": name,
            "n_features": features.values.shape[-1],
            "held_in": where,
            "peak_gb": round(peak_memory() / 1e9, 2),
            "peak_gb_after_reading": round(after_reading / 1e9, 2),
            "reading_s": round(reading, 1),
            "computing_s": round(seconds[0], 1),
            "looking_up_s": round(seconds[1], 1),
            "computed_the_second_time": features.n_computed,
        },
        holds=peak_memory() < LIMIT_GB * 1e9 and first.n_computed == N_IMAGES,
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "lite0")
