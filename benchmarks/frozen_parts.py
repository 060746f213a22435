"""What each part of a probe gains, on networks that stay as they are: every part left out, or put in, alone.

python -m benchmarks.frozen_parts [--seeds 0-4] [--parts mirror,larger]

The solar cells of `handful demo`, defective at a probability of 0.5 or more, 75/25, drawn by each seed. The whole is
what `handful train` does by default. Differences are paired over seeds, each on the same test pictures, which a part
reads once. Features are remembered between the runs, so that each takes seconds once a network has seen all pictures.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.paired import WHOLE, Parts, changes, paired
from benchmarks.peers.run import read_seeds
from benchmarks.record import record
from handful.cli.demo import LabelMap, solar_cells, write_table
from handful.core.config import TrainConfig
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Silent
from handful.core.records import ImageTable
from handful.images import read
from handful.split import split
from handful.transfer import classify, locate_weights
from handful.transfer.probe import train_probe

TEST = 0.25
"""Share of each class that tests."""

PARTS: Parts = {
    "highest": {"backbone": "efficientnet-lite0:head"},
    "mirror": {"views": "mirror"},
    "smaller": {"size": 160},
    "larger": {"size": 288},
    "networks": {"backbone": "efficientnet-lite0+efficientnet-lite1+efficientnet-lite2"},
    "ridge": {"head": "ridge"},
    "logistic": {"head": "logistic"},
}
"""What is changed of the whole, by the name of the part."""

TRIED = (*PARTS, "networks+larger", "networks+larger+mirror")


def accuracy(table: ImageTable, options: dict[str, Any], *, seed: int, threads: int) -> float:
    """Returns the share of the test pictures that a probe gets right."""
    config = TrainConfig.of({**options, "strategy": "features", "test": TEST, "seed": seed})
    parts = split(table, config.split, seed=seed)
    backbones = locate_weights(config)
    made = train_probe(table, parts, config, backbones=backbones, threads=threads, progress=Silent())
    pictures = [table.pictures[index] for index in parts.test]
    proba = classify(made.model, table, pictures, threads=threads, progress=Silent(), use_cache=True)
    return float((proba.argmax(axis=1) == table.labels[parts.test]).mean())


def main() -> None:
    """Measures the whole and each part, and writes down the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--parts", default=",".join(TRIED))
    given = parser.parse_args()
    seeds, threads = read_seeds(given.seeds), count_threads(None)
    cells = write_table(solar_cells(), LabelMap.HALF)
    table = read(cells, TrainConfig().reading, threads=threads, progress=Silent())
    found: dict[str, list[float]] = {}
    with limit_threads(threads):
        for part in (WHOLE, *given.parts.split(",")):
            for seed in seeds:
                right = accuracy(table, changes(part, PARTS), seed=seed, threads=threads)
                print(f"{part} seed {seed}: {right:.4f}", flush=True)
                found.setdefault(part, []).append(right)
    claim = "what each part of a probe gains: solar cells, 1 968 training pictures"
    record(claim, figures={"parts": paired(found, PARTS), "n_seeds": len(seeds)}, holds=True)


if __name__ == "__main__":
    main()
