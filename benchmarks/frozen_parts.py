"""What each part of a probe gains, on networks that stay as they are, and several probes that are averaged.

python -m benchmarks.frozen_parts [--seeds 0-4] [--parts mirror,larger]

The solar cells of `handful demo`, defective at a probability of 0.5 or more. Each seed draws three quarters to train
with; they are judged held out, by cross-validation: no test picture is looked at. The whole is what `handful train`
does by default. Differences are paired over seeds, whose pictures are mostly the same: their standard errors are low.
Features are remembered, so that a run takes seconds once a network has seen all pictures.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from benchmarks.paired import WHOLE, compared
from benchmarks.peers.run import read_seeds
from benchmarks.record import record
from handful.cli.demo import LabelMap, solar_cells, write_table
from handful.core.config import TrainConfig
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Silent
from handful.core.records import ImageTable
from handful.evaluate import log_loss
from handful.images import read
from handful.split import split
from handful.transfer import locate_weights
from handful.transfer.probe import train_probe

TEST = 0.25
"""Share of each class that is left aside."""

LITE0, LITE1, LITE2 = ({"backbone": f"efficientnet-lite{number}"} for number in (0, 1, 2))
LARGER, MIRROR = {"size": 288}, {"views": "mirror"}

Probes = tuple[dict[str, Any], ...]

PARTS: dict[str, Probes] = {
    WHOLE: (LITE0,),
    "highest": ({"backbone": "efficientnet-lite0:head"},),
    "ridge": ({"head": "ridge"},),
    "logistic": ({"head": "logistic"},),
    "mirror": (MIRROR,),
    "smaller": ({"size": 160},),
    "larger": (LARGER,),
    "networks": (LITE0, LITE1, LITE2),
    "larger networks": (LITE0 | LARGER, LITE1 | LARGER, LITE2 | LARGER),
    "mirrored networks": (LITE0 | MIRROR, LITE1 | MIRROR, LITE2 | MIRROR),
    "larger too": (LITE0, LITE0 | LARGER, LITE1 | LARGER, LITE2 | LARGER),
}
"""The probes that are averaged, by the name of the part."""


def held_out(table: ImageTable, options: dict[str, Any], *, seed: int, threads: int) -> tuple[Any, Any]:
    """Returns a probe's answers for its training pictures, held out, float64 (N, C), and the true classes, (N,)."""
    config = TrainConfig.of({**options, "strategy": "features", "test": TEST, "seed": seed})
    parts = split(table, config.split, seed=seed)
    backbones = locate_weights(config)
    made = train_probe(table, parts, config, backbones=backbones, threads=threads, progress=Silent())
    return made.held_out_proba, table.labels[made.held_out]


def main() -> None:
    """Measures the whole and each part, and writes down the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--parts", default=",".join(PARTS))
    given = parser.parse_args()
    seeds, threads = read_seeds(given.seeds), count_threads(None)
    cells = write_table(solar_cells(), LabelMap.HALF)
    table = read(cells, TrainConfig().reading, threads=threads, progress=Silent())
    right: dict[str, list[float]] = {}
    losses: dict[str, list[float]] = {}
    with limit_threads(threads):
        for part in dict.fromkeys((WHOLE, *given.parts.split(","))):
            for seed in seeds:
                answers = [held_out(table, options, seed=seed, threads=threads) for options in PARTS[part]]
                proba, labels = np.mean([each for each, _ in answers], axis=0), answers[0][1]
                right.setdefault(part, []).append(float((proba.argmax(axis=1) == labels).mean()))
                losses.setdefault(part, []).append(log_loss(proba, labels))
                print(f"{part} seed {seed}: {right[part][-1]:.4f}, log loss {losses[part][-1]:.4f}", flush=True)
    figures = {"probes": PARTS, "accuracy": compared(right), "log loss": compared(losses), "seeds": seeds}
    record(
        "what each part of a probe gains: solar cells, 1 968 training pictures, held out", figures=figures, holds=True
    )


if __name__ == "__main__":
    main()
