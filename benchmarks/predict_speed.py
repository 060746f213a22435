"""Predicting into a table takes at most a tenth longer than extracting the features of the same pictures.

python -m benchmarks.predict_speed

Trains on drawn shapes with the default network, so that the model has output layers and knows what is unlike its
training pictures. Then, in turns, on 1 024 drawn photographs of 500 x 375: the features alone, of pictures that were
checked before; and all of `predict_into`, which finds, checks, decodes, answers and writes. The median of each counts;
the processor's time, of all threads, stands beside it, because it does not depend on what else the machine does.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import handful
from benchmarks.engines import draw
from benchmarks.record import record
from handful.core.config import ReadingConfig
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Silent
from handful.core.records import ImageTable
from handful.features import extract
from handful.images import read
from handful.testing.pictures import draw_folder
from handful.transfer import Model

N_PICTURES, N_ROUNDS, LIMIT = 1024, 5, 1.10


def main() -> None:
    """Trains, measures in turns, records."""
    threads = count_threads(None)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["HANDFUL_CACHE"] = str(root / "cache")
        handful.train(draw_folder(root / "shapes", per_class=100), root / "run")
        draw(root / "photographs", n_images=N_PICTURES)
        classifier = handful.load(root / "run")
        table = read(root / "photographs", ReadingConfig(), threads=threads)
        bare(classifier.model, table, threads)
        features, predicting = [], []
        for number in range(N_ROUNDS):
            features.append(bare(classifier.model, table, threads))
            start = clocks()
            written = classifier.predict_into(root / f"{number}.csv", root / "photographs")
            predicting.append(since(start))
            assert (written.n_pictures, written.n_skipped) == (N_PICTURES, 0)
    ratio, cpu_ratio = (
        statistics.median(p) / statistics.median(f)
        for p, f in zip(zip(*predicting, strict=True), zip(*features, strict=True), strict=True)
    )
    rules = classifier.model.rules
    record(
        f"predicting into a table takes at most {LIMIT:g} times as long as the features alone",
        figures={
            "ratio": round(ratio, 3),
            "cpu_ratio": round(cpu_ratio, 3),
            "n_pictures": N_PICTURES,
            "views": classifier.model.members[0].views,
            "knows_unlike": rules is not None and rules.familiar is not None,
            "features_s_and_cpu_s": features,
            "predicting_s_and_cpu_s": predicting,
        },
        holds=ratio <= LIMIT,
    )


def clocks() -> tuple[float, float]:
    """Returns the time, and the processor's time that this process has had; seconds."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> tuple[float, float]:
    """Returns the seconds since then, by both clocks."""
    now = clocks()
    return round(now[0] - start[0], 2), round(now[1] - start[1], 2)


def bare(model: Model, table: ImageTable, threads: int) -> tuple[float, float]:
    """Returns the seconds that the features alone take, by both clocks."""
    member = model.members[0]
    start = clocks()
    with limit_threads(threads):
        extract(
            member.trunk,
            table,
            table.pictures,
            preprocessing=member.preprocessing,
            views=member.views,
            threads=threads,
            progress=Silent(),
            use_cache=False,
        )
    return since(start)


if __name__ == "__main__":
    main()
