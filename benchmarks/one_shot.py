"""One picture of a class: the typical settings of an output layer that nothing can be held out for.

python -m benchmarks.one_shot CIFAR10.zip [--draws 0-99]

By each seed some classes are drawn, one picture of each to learn from and 40 to test with: of CIFAR-10 (the archive's
train/ part) and of solar cells, by features of EfficientNet-Lite0. Written down are the accuracy with rows as they are,
with rows of equal length and with other penalties, and the log loss by temperature; the temperature with the lowest
mean over tasks is the typical one.
"""

from __future__ import annotations

import argparse
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np

from benchmarks.few_shots import features
from benchmarks.paired import standard_error
from benchmarks.peers.run import read_seeds
from benchmarks.record import record
from handful.cli.demo import solar_cells
from handful.core.records import FeatureArray, FloatArray, Head, IntArray
from handful.evaluate import log_loss
from handful.heads import predict_proba
from handful.heads.ridge import solve
from handful.heads.spectrum import decompose
from handful.heads.typical import PENALTY, TEMPERATURE, fit_typical

N_CLASSES = {"cifar": (2, 3, 5, 10), "solar": (2,)}
"""Classes that are drawn, by the data set."""

N_PICTURES, N_TEST = 120, 40
"""Pictures of a class that are drawn from, and that each draw tests with."""

PENALTIES = (0.01, 0.1, 10.0, 100.0)
"""Tried beside the typical one."""

TEMPERATURES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)


def write_pictures(archive: Path, folder: Path) -> None:
    """Writes the pictures that are drawn from: DATA/CLASS/FILE."""
    rng = np.random.default_rng(0)
    by_class: dict[str, list[tuple[str, bytes]]] = {}
    with zipfile.ZipFile(archive) as stored:
        names = [each for each in stored.namelist() if "train/" in each and each.endswith(".jpg")]
        for name in rng.permutation(sorted(names)):
            own = by_class.setdefault(f"cifar/{name.split('/')[-2]}", [])
            if len(own) < N_PICTURES:
                own.append((Path(name).name, stored.read(name)))
    cells = solar_cells()
    for place in rng.permutation(len(cells)):
        path, probability = cells[place]
        own = by_class.setdefault(f"solar/{'defective' if probability >= 0.5 else 'functional'}", [])
        if len(own) < N_PICTURES:
            own.append((path.name, path.read_bytes()))
    for label, pictures in by_class.items():
        (folder / label).mkdir(parents=True)
        for name, content in pictures:
            (folder / label / name).write_bytes(content)


def draw(labels: IntArray, *, n_classes: int, seed: int) -> tuple[IntArray, IntArray]:
    """Returns the rows to learn from, int64 (C,), one of each drawn class, and to test with, int64 (C, 40)."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(labels.max() + 1)[:n_classes]
    rows = np.stack([rng.permutation(np.flatnonzero(labels == label))[: 1 + N_TEST] for label in chosen])
    return rows[:, 0], rows[:, 1:]


def measured(rows: FloatArray, labels: IntArray, *, n_classes: int, seed: int) -> dict[str, float]:
    """Returns the figures of one draw."""
    learn, test = draw(labels, n_classes=n_classes, seed=seed)
    own, truth = np.arange(n_classes), np.repeat(np.arange(n_classes), N_TEST)
    shown, asked = rows[learn].astype(np.float32), rows[test.ravel()][:, None].astype(np.float32)
    layer = cast(Head, fit_typical(shown, own, n_classes=n_classes).layer)
    lengths = np.linalg.norm(shown, axis=1, keepdims=True)
    alike = shown / lengths * lengths.mean()

    def right(head: Head) -> float:
        return float((predict_proba(head, asked).argmax(axis=1) == truth).mean())

    def ridge(rows: FeatureArray, penalty: float) -> Head:
        spectrum = decompose(rows)
        return solve(spectrum, own, n_classes=n_classes, penalty=penalty * spectrum.mean_square, temperature=1.0)

    return {
        "as they are": right(ridge(shown, PENALTY)),
        "equal lengths": right(layer),
        **{f"equal lengths, penalty {penalty:g}": right(ridge(alike, penalty)) for penalty in PENALTIES},
        **{
            f"log loss at {temperature:g}": log_loss(
                predict_proba(replace(layer, temperature=temperature), asked), truth
            )
            for temperature in TEMPERATURES
        },
    }


def main() -> None:
    """Measures all tasks and writes the means down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--draws", default="0-99")
    given = parser.parse_args()
    seeds = read_seeds(given.draws)
    tasks: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as folder:
        write_pictures(given.archive, Path(folder))
        for name, sizes in N_CLASSES.items():
            rows, classes = features(Path(folder) / name)
            _, labels = np.unique(classes, return_inverse=True)
            for n_classes in sizes:
                found = [measured(rows, labels, n_classes=n_classes, seed=seed) for seed in seeds]
                gains = [each["equal lengths"] - each["as they are"] for each in found]
                tasks[f"{name}, {n_classes} classes"] = {
                    **{figure: float(np.mean([each[figure] for each in found])) for figure in found[0]},
                    "gain": float(np.mean(gains)),
                    "standard error": standard_error(gains),
                    "log loss of guessing": float(np.log(n_classes)),
                }
                print(f"{name}, {n_classes} classes: {tasks[f'{name}, {n_classes} classes']}", flush=True)
    mean = {each: float(np.mean([task[f"log loss at {each:g}"] for task in tasks.values()])) for each in TEMPERATURES}
    best = min(mean, key=lambda each: mean[each])
    figures = {"draws": len(seeds), "tasks": tasks, "mean log loss by temperature": mean, "best": best}
    claim = f"one picture of a class: equal lengths gain, and {TEMPERATURE:g} is the best temperature over tasks"
    mean_gain = float(np.mean([task["gain"] for task in tasks.values()]))
    record(claim, figures=figures | {"mean gain": mean_gain}, holds=best == TEMPERATURE and mean_gain > 0.0)


if __name__ == "__main__":
    main()
