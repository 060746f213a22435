"""Ranking picks a network within half a point of the best by test, and costs little more than the networks' passes.

Five classes, 400 training pictures each, 10 splits: networks are ranked on the training part as `handful backbones
--rank` does (a ridge layer); each then gets a kernel layer on all of it, which runs often choose and which is quick to
fit, and is measured on the rest. Features come from the cache where it has them; the cost of ranking is measured with
nothing known.

python -m benchmarks.ranking CIFAR10 [SIZE]    (an archive with train/<class>/; SIZE: pixels, for all networks)
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.record import record
from handful.backbones import export
from handful.core.config import TrainConfig
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Silent
from handful.core.ranking import Ranking
from handful.core.records import FeatureArray, ImageTable, IntArray, Split
from handful.features import extract, trunk_from_weights
from handful.heads import fit_head, predict_proba
from handful.images import read
from handful.split import units
from handful.transfer import locate_all, rank
from handful.transfer.plan import plan_features

N_SPLITS, PER_CLASS, N_TRAIN, CLOSE = 10, 1000, 2000, 0.005
CLASSES = ("airplane", "automobile", "bird", "cat", "deer")


def ranked(table: ImageTable, config: TrainConfig, train: IntArray, seed: int) -> Ranking:
    """Returns the comparison of the networks on a training part."""
    parts = Split(np.sort(train), np.zeros(0, np.int64), np.zeros(0, np.int64), given=False)
    seeded = replace(config, run=replace(config.run, seed=seed))
    return rank(table, parts, seeded, backbones=locate_all(config), threads=count_threads(None), progress=Silent())


def features_of(table: ImageTable, config: TrainConfig) -> dict[str, FeatureArray]:
    """Returns the features of every picture, float32 (N, D), by network."""
    found = {}
    pictures = list(table.pictures)
    for spec, located in locate_all(config):
        plan = plan_features(config.features, spec, pictures, held_out_loss=None)
        found[spec.name] = extract(
            trunk_from_weights(spec, located, threads=count_threads(None), progress=Silent()),
            table,
            pictures,
            preprocessing=plan.preprocessing,
            views=plan.views,
            threads=count_threads(None),
            progress=Silent(),
        ).values[:, 0]
    return found


def tested(features: FeatureArray, table: ImageTable, train: IntArray, test: IntArray, *, seed: int) -> float:
    """Returns the test accuracy of a kernel layer."""
    labels = table.labels
    own = units([table.pictures[row] for row in train])
    head, _ = fit_head(features[train], labels[train], kind="kernel", n_classes=len(CLASSES), units=own, seed=seed)
    proba = predict_proba(head.layer, features[test][:, None])
    return float((proba.argmax(axis=1) == labels[test]).mean())


def cost(table: ImageTable, config: TrainConfig, train: IntArray) -> dict[str, float]:
    """Returns the seconds of ranking with nothing known, and those of them that the networks' passes took."""
    before = os.environ.get("HANDFUL_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights"
        export(weights)
        os.environ["HANDFUL_CACHE"] = folder
        carried = replace(config, run=replace(config.run, weights=str(weights)))
        networks = ranked(table, carried, train, 0).networks
    os.environ.pop("HANDFUL_CACHE")
    if before is not None:
        os.environ["HANDFUL_CACHE"] = before
    return {
        "seconds": round(sum(each.seconds for each in networks), 1),
        "seconds_networks": round(sum(each.seconds_features for each in networks), 1),
    }


if __name__ == "__main__":
    options = {"classes": CLASSES, "per_class": PER_CLASS, "interpolation": "bilinear", "views": "plain"}
    config = TrainConfig.of({**options, **({"size": int(sys.argv[2])} if len(sys.argv) > 2 else {})})
    with limit_threads(count_threads(None)):
        whole = read(Path(sys.argv[1]), config.reading)
        table = replace(whole, pictures=tuple(p for p in whole.pictures if p.part != "test"))
        spent = cost(table, config, np.random.default_rng(0).permutation(len(table.pictures))[:N_TRAIN])
        print(spent, flush=True)
        known = features_of(table, config)
        picks, regrets, means = [], [], {name: [] for name in known}
        for seed in range(N_SPLITS):
            order = np.random.default_rng(seed).permutation(len(table.pictures))
            train, test = np.sort(order[:N_TRAIN]), np.sort(order[N_TRAIN:])
            found = ranked(table, config, train, seed)
            accuracy = {name: tested(values, table, train, test, seed=seed) for name, values in known.items()}
            picks.append(found.best)
            regrets.append(max(accuracy.values()) - accuracy[found.best])
            for name, value in accuracy.items():
                means[name].append(value)
            print(seed, found.best, {name: round(value, 4) for name, value in accuracy.items()}, flush=True)
    n_close = sum(regret <= CLOSE + 1e-9 for regret in regrets)
    ratio = spent["seconds"] / spent["seconds_networks"]
    record(
        f"five CIFAR-10 classes, {N_TRAIN} training pictures, 10 splits: the network ranked first is within 0.5 points "
        "of the best by test in at least 9, and ranking costs at most 1.2 times the networks' passes",
        figures={
            "picks": {name: picks.count(name) for name in known},
            "n_close": n_close,
            "regrets": [round(regret, 4) for regret in regrets],
            "mean_test_accuracy": {name: round(float(np.mean(values)), 4) for name, values in means.items()},
            "n_train": N_TRAIN,
            "n_test": len(table.pictures) - N_TRAIN,
            "size": config.features.size or "each network's own",
            "cost": {**spent, "ratio": round(ratio, 3)},
        },
        holds=n_close >= 9 and ratio <= 1.2,
    )
