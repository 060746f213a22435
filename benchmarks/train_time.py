"""`handful train` on 1 000 photographs of 500 x 375: 20 s or less with nothing cached, 7 s again, report included.

python -m benchmarks.train_time [option of handful train ...]

The photographs are drawn (about 50 kB each); weights are installed; every run is a process of its own, started anew.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.engines import draw
from benchmarks.record import record

COLD_LIMIT, WARM_LIMIT = 20.0, 7.0
N_IMAGES, N_RUNS = 1000, 3


def train(folder: Path, cache: str, options: list[str]) -> tuple[float, dict]:
    """Returns the seconds of one `handful train` in a process of its own, and its JSON."""
    command = [str(Path(sys.executable).with_name("handful")), "train", str(folder), "--json", *options]
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=place, env={**os.environ, "HANDFUL_CACHE": cache}, check=True, capture_output=True, text=True
        )
        return time.perf_counter() - start, json.loads(done.stdout)


def main(options: list[str]) -> None:
    """Measures cold and warm runs, medians of three each, and records them."""
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "photos"
        draw(folder, n_images=N_IMAGES)
        for _ in range(N_RUNS):
            with tempfile.TemporaryDirectory() as cache:
                seconds, first = train(folder, cache, options)
                cold.append(seconds)
                warm.append(train(folder, cache, options)[0])
    record(
        f"handful train on {N_IMAGES} photographs: at most {COLD_LIMIT:g} s cold, {WARM_LIMIT:g} s warm (medians)",
        figures={
            "options": options,
            "cold_s": [round(seconds, 1) for seconds in cold],
            "warm_s": [round(seconds, 1) for seconds in warm],
            "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2, 2),
            "seconds_of_the_last_cold_run": {name: round(value, 2) for name, value in first["seconds"].items()},
        },
        holds=statistics.median(cold) <= COLD_LIMIT and statistics.median(warm) <= WARM_LIMIT,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
