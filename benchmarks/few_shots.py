"""Few pictures of a class: `handful train --time` beside plain logistic regression on the same network.

python -m benchmarks.few_shots CIFAR10.zip [--shots 10] [--draws 0-19] [--time 90s]

Five CIFAR-10 classes. By each seed some pictures of a class are drawn from the archive's train/ part, and 20 from its
test/ part, which the run reads once, last. Logistic regression is of scikit-learn, with its defaults, on features of
EfficientNet-Lite0,
as they are and standardised; the better of the two on average is what handful is compared with.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import handful
from benchmarks.cifar_five import CLASSES
from benchmarks.paired import standard_error
from benchmarks.peers.run import read_seeds
from benchmarks.record import record
from handful.backbones import find, locate
from handful.core.config import ReadingConfig
from handful.core.progress import Silent
from handful.core.records import FloatArray
from handful.features import Preprocessing, extract_unchecked, trunk_from_weights
from handful.images import open_place
from handful.images.channels import DEFAULT_FULL_SCALE

NETWORK = "efficientnet-lite0"
N_TEST = 20
"""Test pictures of a class, in every draw."""

POINTS = 0.05
"""What handful is to gain."""


def draw(archive: Path, folder: Path, *, shots: int, seed: int) -> None:
    """Writes pictures of both parts of the archive into train/ and test/ of a folder."""
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(archive) as stored:
        names = sorted(each for each in stored.namelist() if each.endswith(".jpg"))
        for part, wanted in (("train", shots), ("test", N_TEST)):
            for label in CLASSES:
                place = folder / part / label
                place.mkdir(parents=True)
                for member in rng.permutation([each for each in names if f"{part}/{label}/" in each])[:wanted]:
                    (place / Path(member).name).write_bytes(stored.read(member))


def plain(folder: Path) -> Mapping[str, float]:
    """Returns the share of right answers by logistic regression, on features as they are and standardised."""
    rows, labels = zip(*(features(folder / part) for part in ("train", "test")), strict=True)
    models = {
        "logistic": LogisticRegression(max_iter=1000),
        "standardised, logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    }
    return {name: model.fit(rows[0], labels[0]).score(rows[1], labels[1]) for name, model in models.items()}


def features(folder: Path) -> tuple[FloatArray, list[str]]:
    """Returns the features of a folder's pictures, float64 (N, D), and their classes."""
    paths, spec = sorted(folder.glob("*/*")), find(NETWORK)
    values, unreadable = extract_unchecked(
        trunk_from_weights(spec, locate(spec), threads=2, progress=Silent()),
        [found for path in paths for found in open_place(path).find()],
        reading=ReadingConfig(),
        full_scale=DEFAULT_FULL_SCALE,
        preprocessing=Preprocessing(spec.input_size, "crop", spec.interpolation, spec.mean, spec.std),
        views=("plain",),
        threads=2,
        progress=Silent(),
    )
    assert not unreadable
    return np.asarray(values[:, 0], dtype=np.float64), [path.parent.name for path in paths]


def main() -> None:
    """Runs both on every draw and writes down what handful gained."""
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--draws", default="0-19")
    parser.add_argument("--time", default="90s")
    given = parser.parse_args()
    right: dict[str, list[float]] = {}
    taken = []
    for seed in read_seeds(given.draws):
        with tempfile.TemporaryDirectory() as folder:
            pictures = Path(folder) / "pictures"
            draw(given.archive, pictures, shots=given.shots, seed=seed)
            scores = dict(plain(pictures))
            start = perf_counter()
            run = handful.train(pictures, Path(folder) / "run", time=given.time, seed=seed).run
            taken.append(perf_counter() - start)
        scores["handful"] = run.evaluation.accuracy
        if run.search:
            scores["first probe, held out"] = run.search.attempts[0].accuracy
        for name, value in scores.items():
            right.setdefault(name, []).append(value)
        print(f"draw {seed}: {scores}; {len(run.heads)} networks; {taken[-1]:.0f} s", flush=True)
    names = ("logistic", "standardised, logistic")
    base = max((np.array(right[name]) for name in names), key=np.mean)
    gains = np.array(right["handful"]) - base
    figures = {
        "shots": given.shots,
        "draws": len(gains),
        "time": given.time,
        "accuracy": {name: float(np.mean(values)) for name, values in right.items()},
        "gain": float(gains.mean()),
        "standard_error": standard_error(gains),
        "worse_in": int((gains < 0).sum()),
        "longest_seconds": round(max(taken), 1),
    }
    noun = "picture" if given.shots == 1 else "pictures"
    claim = f"{given.shots} {noun} of each of five CIFAR-10 classes: 5 points over plain logistic regression"
    record(claim, figures=figures, holds=figures["gain"] >= POINTS)


if __name__ == "__main__":
    main()
