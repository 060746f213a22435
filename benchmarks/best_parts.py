"""What each part of a fine-tuning of the search gains: every part left out, or put in, alone.

python -m benchmarks.best_parts CIFAR10.zip [--seeds 0-2] [--parts mixup,start] [--time 60s]

Five CIFAR-10 classes. By each seed 400 pictures of a class are drawn from the archive's train/ part to learn from, and
300 others of it to test with; its test/ part is not read. One network (Lite0), one fifth left out, as in
`handful.transfer.lpft`. Differences are paired: over seeds, each on the same pictures. With --time every training of
layers has the same time, as in a search that has little; without, as many epochs as a search gives it. Parts that are
joined by + are changed together: average+mixup.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.cifar_five import CLASSES
from benchmarks.paired import WHOLE, compared
from benchmarks.peers.run import read_seeds
from benchmarks.record import record
from handful.backbones import find
from handful.core.config import TrainConfig
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Silent
from handful.images import read
from handful.split import split
from handful.transfer import classify, locate_weights
from handful.transfer.best import MOST_VIEWS
from handful.transfer.layers import train_layers
from handful.transfer.lpft import RATE, training_options

N_TRAIN, N_TEST = 400, 300
"""Pictures of a class."""

NETWORK, SIDE = "efficientnet-lite0", 32.0
"""The network, and the side of CIFAR-10's pictures."""

OPTIONS: dict[str, Any] = {
    "backbone": NETWORK,
    **training_options(find(NETWORK), n_images=N_TRAIN * len(CLASSES), side=SIDE),
    "interpolation": "bicubic",
    "augmented_views": MOST_VIEWS,
}

PARTS: dict[str, dict[str, Any]] = {
    "start": {"start": "random", "weight_factor": "head=10", "bias_factor": "head=10"},
    "mixup": {"mixup": 0.0},
    "last": {"keep": "best", "every": None},
    "mirror": {"views": "plain"},
    "views": {"augmented_views": 3},
    "augmentation": {"augmentation": "none"},
    "freeze-fewer": {"freeze": "stage2"},
    "freeze-more": {"freeze": "stage4"},
    "rate-half": {"lr": RATE / 2},
    "rate-double": {"lr": RATE * 2},
    "smoothing": {"label_smoothing": 0.1},
    "average": {"ema": 0.99},
    "average-short": {"ema": 0.98},
    "average-long": {"ema": 0.995},
    "larger": {"size": 160},
    "network": {"backbone": "efficientnet-lite2"},
}
"""What is changed of the whole, by the name of the part."""


def changes(part: str) -> dict[str, Any]:
    """Returns the options that differ from the whole's: of one part, or of several that are joined by +."""
    return {} if part == WHOLE else {name: value for each in part.split("+") for name, value in PARTS[each].items()}


def draw(archive: Path, folder: Path, seed: int) -> None:
    """Writes pictures of the archive's training part into train/ and test/ of a folder."""
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(archive) as stored:
        for name in CLASSES:
            found = sorted(each for each in stored.namelist() if each.endswith(".jpg") and f"train/{name}/" in each)
            chosen = rng.permutation(found)[: N_TRAIN + N_TEST]
            for place, member in enumerate(chosen):
                part = folder / ("train" if place < N_TRAIN else "test") / name
                part.mkdir(parents=True, exist_ok=True)
                (part / Path(member).name).write_bytes(stored.read(member))


def accuracy(folder: Path, options: dict[str, Any], seed: int) -> tuple[float, float]:
    """Returns the share of the test pictures that one training gets right, and the seconds that it took."""
    config = TrainConfig.of({**options, "seed": seed})
    threads = count_threads(None)
    table = read(folder, config.reading, threads=threads, progress=Silent())
    parts = split(table, config.split, seed=seed)
    (backbone,) = locate_weights(config)
    start = perf_counter()
    with limit_threads(threads):
        made = train_layers(table, parts, config, backbone=backbone, threads=threads, progress=Silent())
        seconds = perf_counter() - start
        pictures = [table.pictures[index] for index in parts.test]
        proba = classify(made.model, table, pictures, threads=threads, progress=Silent(), use_cache=False)
    return float((proba.argmax(axis=1) == table.labels[parts.test]).mean()), seconds


def main() -> None:
    """Measures the whole and each part, and writes down the differences."""
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("--seeds", default="0-2")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--time", help="of each training of layers, such as 60s")
    given = parser.parse_args()
    seeds = read_seeds(given.seeds)
    found: dict[str, list[float]] = {}
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            pictures = Path(folder) / str(seed)
            draw(given.archive, pictures, seed)
            for part in (WHOLE, *given.parts.split(",")):
                right, seconds = accuracy(pictures, {**OPTIONS, **changes(part), "time": given.time}, seed)
                print(f"seed {seed} {part}: {right:.4f} in {seconds:.0f} s", flush=True)
                found.setdefault(part, []).append(right)
                taken.setdefault(part, []).append(seconds)
    figures = {
        part: {"changes": changes(part), **each, "seconds": round(float(np.median(taken[part])), 1)}
        for part, each in compared(found).items()
    }
    claim = "what each part of a fine-tuning of the search gains: five CIFAR-10 classes, 400 training pictures each"
    record(claim, figures={"parts": figures, "seeds": seeds, "time": given.time}, holds=True)


if __name__ == "__main__":
    main()
