"""Wrong labels are found: of 5 % flipped in five CIFAR-10 classes, 85 % are among the first 10 % of the ranking.

Five draws of the flips; each is trained on with `--labels`, as a user's own corrections would be, so the ranking is
what `handful train` makes of it. Also said: how many pictures are flagged, how many of these are flipped, and how many
are flagged where nothing was flipped, which tells how many of the flagged are merely hard.

python -m benchmarks.suspects CIFAR10   (an archive or folder with train/<class>/ and test/<class>/)
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

import handful
from benchmarks.record import record
from handful.core.records import IntArray
from handful.evaluate import doubt_labels

CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
PER_CLASS, N_SEEDS = 400, 5
SHARE_FLIPPED, SHARE_RANKED, FOUND = 0.05, 0.10, 0.85


def train(data: Path, folder: Path, labels: Path | None) -> handful.Result:
    """Returns the run on the first pictures of each class, with the labels of a table."""
    tables = [] if labels is None else [str(labels)]
    return handful.train(data, folder, classes=CLASSES, per_class=PER_CLASS, labels=tables, head="auto")


def flip(run: handful.Result, seed: int, table: Path) -> IntArray:
    """Writes a table that gives some training pictures another class, and returns which pictures these are."""
    pictures, rng = run.run.table.pictures, np.random.default_rng(seed)
    train = run.run.split.train
    chosen = np.sort(rng.choice(train, round(SHARE_FLIPPED * len(train)), replace=False))
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label"))
        for index in chosen:
            others = [name for label, name in enumerate(CLASSES) if label != pictures[index].label]
            writer.writerow((pictures[index].path, rng.choice(others)))
    return chosen


def judged(run: handful.Result, flipped: IntArray) -> dict[str, float]:
    """Returns where the flipped pictures are in the ranking."""
    rows, held_out = run.run.split.train, run.run.held_out
    assert held_out is not None
    proba = np.mean([head.held_out_proba for head in run.run.heads], axis=0)
    doubts = doubt_labels(proba, run.run.table.labels[rows])
    is_flipped = np.isin(rows, flipped)[doubts.order]
    n_first = round(SHARE_RANKED * len(rows))
    flagged = is_flipped[: doubts.n_flagged]
    return {
        "found_in_first_tenth": float(is_flipped[:n_first].sum() / len(flipped)),
        "flagged": doubts.n_flagged,
        "flipped_of_flagged": float(flagged.mean()),
        "flagged_of_flipped": float(flagged.sum() / len(flipped)),
        "flipped_of_first_50": float(is_flipped[:50].mean()),
        "held_out_accuracy": held_out.accuracy,
        "test_accuracy": run.evaluation.accuracy,
    }


if __name__ == "__main__":
    data = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clean = train(data, folder / "clean", None)
        found = []
        for seed in range(N_SEEDS):
            flipped = flip(clean, seed, folder / f"flipped-{seed}.csv")
            found.append(judged(train(data, folder / f"run-{seed}", folder / f"flipped-{seed}.csv"), flipped))
            print(seed, found[-1], flush=True)
        n_clean = len(clean.run.trust.suspects) if clean.run.trust else 0
    mean = {name: round(float(np.mean([each[name] for each in found])), 4) for name in found[0]}
    lowest = min(each["found_in_first_tenth"] for each in found)
    record(
        "five CIFAR-10 classes of 400, 5 % of the labels flipped, 5 draws: at least 85 % of the flipped are within the "
        "first 10 % of the ranking",
        figures={
            "mean": mean,
            "found_in_first_tenth": [round(each["found_in_first_tenth"], 4) for each in found],
            "flagged_without_flips": n_clean,
            "test_accuracy_without_flips": clean.evaluation.accuracy,
            "n_train": len(clean.run.split.train),
            "n_flipped": round(SHARE_FLIPPED * len(clean.run.split.train)),
        },
        holds=lowest >= FOUND,
    )
