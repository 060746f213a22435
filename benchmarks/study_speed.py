"""64 configurations in one study: 100 times quicker than a plain script for each, 10 times than a script that caches.

python -m benchmarks.study_speed CIFAR10   (an archive or folder with train/<class>/ and test/<class>/)

AlexNet's convolutions frozen, one new layer, five classes, 1 000 training pictures, 20 epochs at mini-batch 128. The
plain script passes the network in every epoch, on pictures decoded beforehand: one epoch of two configurations is timed
and scaled. The caching script, a process of its own, keeps the features in memory and trains one configuration after
the other: six are timed and scaled. Takes two minutes. Needs: handful backbones --get alexnet
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import handful
from benchmarks.finetune_speed import eager_epoch, with_head
from benchmarks.record import record
from handful.backbones import find, keep_memory, load, locate
from handful.core.config import TrainConfig
from handful.core.files import cache_folder
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.features import Preprocessing
from handful.finetune.freeze import split_network
from handful.finetune.pictures import Shown
from handful.images import read
from handful.split import split
from handful.study.shared import Learning, frozen_features

CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
PER_CLASS, N_TRAIN, EPOCHS, BATCH = 280, 1000, 20, 128
RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
DECAYS = (0.0, 1e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2)
N_CONFIGURATIONS = len(RATES) * len(DECAYS)
TIMED = ((1e-4, 0.0), (1e-4, 1e-3), (3e-4, 1e-4), (3e-4, 5e-3), (1e-3, 0.0), (1e-3, 1e-4))
GAIN_PLAIN, GAIN_CACHED = 100.0, 10.0
VARY = tuple(f"{name}={','.join(map(str, values))}" for name, values in (("lr", RATES), ("l2", DECAYS)))
OPTIONS = {
    "classes": CLASSES,
    "per_class": PER_CLASS,
    "images": N_TRAIN,
    "backbone": "alexnet",
    "interpolation": "bilinear",
    "optimizer": "sgd",
    "schedule": "constant",
    "augmentation": "none",
    "batch": BATCH,
    "epochs": EPOCHS,
    "weight_factor": "head=1",
    "bias_factor": "head=1",
}


def main(data: Path) -> None:
    """Times a study with nothing cached, another one on the same pictures, and the two scripts."""
    weights = locate(find("alexnet")).path.parent
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.copytree(weights, root / "cache" / "weights" / weights.name)
        os.environ["HANDFUL_CACHE"] = str(root / "cache")
        began = time.perf_counter()
        handful.run_study(data, root / "first", vary=VARY, seeds=1, **OPTIONS)
        cold = time.perf_counter() - began
        known = sorted(cache_folder("features").rglob("*.safetensors"))
        again = [
            handful.run_study(data, root / f"{momentum}", vary=VARY, seeds=1, momentum=momentum, **OPTIONS).study
            for momentum in (0.8, 0.85, 0.9)
        ]
        no_pass = sorted(cache_folder("features").rglob("*.safetensors")) == known
        scripts = Scripts(data)
        one_plain = EPOCHS * float(np.mean([scripts.plain_epoch() for _ in range(2)]))
        np.savez(root / "features.npz", **scripts.arrays)
        script = [sys.executable, "-m", "benchmarks.study_speed", "script", str(root / "features.npz")]
        cached = json.loads(subprocess.run(script, check=True, capture_output=True).stdout)
    one_cached = float(np.median([seconds for seconds, _ in cached]))
    warm = float(np.median([study.seconds for study in again]))
    ours = {(setting.options["lr"], setting.options["l2"]): setting.accuracy for setting in again[-1].settings}
    gaps = [abs(accuracy - (ours[pair] or 0.0)) for pair, (_, accuracy) in zip(TIMED, cached, strict=True)]
    spread = (0.25 / again[-1].plan.n_validation) ** 0.5
    gains = N_CONFIGURATIONS * one_plain / cold, N_CONFIGURATIONS * one_cached / warm
    record(
        f"a study of {N_CONFIGURATIONS} configurations (frozen AlexNet, {N_TRAIN} pictures, {EPOCHS} epochs at "
        f"{BATCH}): at least {GAIN_PLAIN:.0f} times as fast, trunk pass included, as a plain script for each; at least "
        f"{GAIN_CACHED:.0f} times as fast, features known, as a script that trains on cached features one by one",
        figures={
            "gain_over_plain": round(gains[0], 1),
            "gain_over_cached": round(gains[1], 1),
            "study_with_nothing_cached_s": round(cold, 2),
            "studies_on_known_features_s": [round(study.seconds, 2) for study in again],
            "second_study_opens_no_network": no_pass,
            "plain_script_per_configuration_s": round(one_plain, 1),
            "cached_script_per_configuration_s": [round(seconds, 3) for seconds, _ in cached],
            "largest_difference_in_accuracy": round(max(gaps), 4),
            "standard_error_of_an_accuracy": round(spread, 4),
        },
        holds=gains[0] >= GAIN_PLAIN and gains[1] >= GAIN_CACHED and no_pass and max(gaps) <= 2 * spread,
    )


class Scripts:
    """What people write without a study, on the same pictures: the study's training and validation pictures."""

    def __init__(self, data: Path) -> None:
        threads = count_threads(None)
        torch.set_num_threads(threads)
        keep_memory()
        config = TrainConfig.of(OPTIONS)
        table = read(data, config.reading, threads=threads)
        parts = split(table, TrainConfig().split, seed=0)
        learning = Learning(table, parts, threads, Silent())
        values = frozen_features(learning, config, seed=0).plain.values[:, 0]
        drawn = learning.parts(config)
        self.arrays = {
            name: array
            for part, rows in (("train", drawn.train), ("validation", drawn.validation))
            for name, array in ((part, values[learning.places(rows)]), (f"{part}_labels", table.labels[rows]))
        }
        spec = find("alexnet")
        self.network = load(spec, locate(spec))
        preprocessing = Preprocessing(spec.input_size, "crop", "bilinear", spec.mean, spec.std)
        pictures = [table.pictures[index] for index in drawn.train]
        self.shown = Shown(table, pictures, preprocessing, "none", seed=0, threads=threads)

    def plain_epoch(self) -> float:
        """Returns the seconds of an epoch that passes the network."""
        return eager_epoch(self.network, self.shown, with_head(split_network(self.network, len(self.network.groups()))))


def script(path: str) -> None:
    """Trains one configuration after the other on features in memory; in a process that handful has not tuned."""
    arrays = {name: torch.from_numpy(array) for name, array in np.load(path).items()}
    features, labels = arrays["train"], arrays["train_labels"]
    results = []
    for rate, decay in TIMED:
        began = time.perf_counter()
        torch.manual_seed(0)
        layer = nn.Linear(features.shape[1], len(CLASSES))
        optimiser = torch.optim.SGD(layer.parameters(), lr=rate, momentum=0.9, weight_decay=decay)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(features)).split(BATCH):
                optimiser.zero_grad()
                nn.functional.cross_entropy(layer(features[rows]), labels[rows]).backward()
                optimiser.step()
        seconds = time.perf_counter() - began
        with torch.no_grad():
            answers = layer(arrays["validation"]).argmax(1)
        results.append((seconds, float((answers == arrays["validation_labels"]).double().mean())))
    print(json.dumps(results))


if __name__ == "__main__":
    if sys.argv[1] == "script":
        script(sys.argv[2])
    else:
        main(Path(sys.argv[1]))
