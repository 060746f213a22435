"""Training on cached activations is 20 times quicker; full fine-tuning runs at 95 % of what PyTorch can do.

python -m benchmarks.finetune_speed cached     AlexNet's convolutions frozen: expected 20 to 40 times
python -m benchmarks.finetune_speed full       AlexNet's convolutions trained: expected 0.95 to 1.02

Both take a minute or two. Needs: handful backbones --get alexnet
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import record
from handful.backbones import Network, find, keep_memory, load, locate
from handful.core.config import FinetuneConfig, ReadingConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.features import Preprocessing, trunk_from_weights
from handful.finetune import parse_head, resolve, training_precision
from handful.finetune.activations import Activations
from handful.finetune.batches import ActivationBatches
from handful.finetune.freeze import Cut, Trainable, split_network
from handful.finetune.loop import fit
from handful.finetune.pictures import Shown
from handful.finetune.stack import build_head
from handful.images import read
from handful.testing.pictures import CORNERS, draw_folder
from handful.transfer.frozen import frozen_activations

N_CLASSES, PER_CLASS, EPOCHS, BATCH = 5, 400, 20, 128
LEAST_GAIN, LEAST_SHARE = 20.0, 0.95
N_ROUNDS, N_FULL = 7, 256

CONFIG = resolve(FinetuneConfig(optimizer="sgd", schedule="constant", lr=1e-4, batch=BATCH, epochs=EPOCHS))[0]


def main(which: str) -> None:
    """Measures one of the two claims."""
    torch.set_num_threads(count_threads(None))
    keep_memory()
    spec = find("alexnet")
    network = load(spec, locate(spec))
    preprocessing = Preprocessing(spec.input_size, "crop", "bilinear", spec.mean, spec.std)
    if which == "cached":
        measure_cached(network, preprocessing)
    else:
        measure_full(network, preprocessing)


def measure_cached(network: Network, preprocessing: Preprocessing) -> None:
    """Records 20 epochs on activations computed once, against passing the eager trunk in every epoch."""
    threads = count_threads(None)
    with tempfile.TemporaryDirectory() as folder:
        root = draw_folder(Path(folder) / "shapes", classes=sorted(CORNERS)[:N_CLASSES], per_class=PER_CLASS)
        table = read(root, ReadingConfig(), threads=threads)
        shown = Shown(table, table.pictures, preprocessing, "none", seed=0, threads=threads)
        cut = split_network(network, len(network.groups()))
        trunk = trunk_from_weights(
            network.spec, locate(network.spec), threads=threads, progress=Silent(), engine="fused"
        )
        start = time.perf_counter()
        activations = frozen_activations(trunk, shown, n_views=1, progress=Silent(), use_cache=False)
        trunk_seconds = time.perf_counter() - start
        quick = fit(with_head(cut), ActivationBatches(activations, table.labels, BATCH), None, CONFIG, seed=0)
        slow_seconds = eager_epoch(network, shown, with_head(cut))
    gain = EPOCHS * slow_seconds / (trunk_seconds + quick.seconds)
    record(
        f"AlexNet's convolutions frozen, head {N_CLASSES}, {len(table.pictures)} pictures, {EPOCHS} epochs at {BATCH}: "
        f"at least {LEAST_GAIN:.0f} times as fast as passing the trunk in eager fp32 every epoch (one epoch timed, "
        f"times {EPOCHS})",
        figures={
            "gain": round(gain, 1),
            "trunk_once_s": round(trunk_seconds, 2),
            "epochs_on_activations_s": round(quick.seconds, 2),
            "one_epoch_through_trunk_s": round(slow_seconds, 2),
            "eager_pictures_per_s": round(len(table.pictures) / slow_seconds, 1),
            "training_accuracy": round(quick.iterations[-1].accuracy, 3),
        },
        holds=gain >= LEAST_GAIN,
    )


def eager_epoch(network: Network, shown: Shown, model: Trainable) -> float:
    """Returns the seconds of one epoch that passes the trunk, as most training scripts do: eager, fp32, rows of planes.

    Pictures are decoded before the clock starts, which is in this way's favour.
    """
    squares = np.stack(list(shown.squares([(row, 0) for row in range(len(shown.pictures))])))
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1) for values in (shown.preprocessing.mean, shown.preprocessing.std)
    )
    labels = torch.tensor([picture.label for picture in shown.pictures])
    start = time.perf_counter()
    for begin in range(0, len(squares), BATCH):
        pixels = torch.from_numpy(squares[begin : begin + BATCH]).permute(0, 3, 1, 2).float().contiguous()
        with torch.no_grad():
            features = network.features(pixels.sub_(mean).div_(std))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(features), labels[begin : begin + BATCH]).backward()
        optimiser.step()
    return time.perf_counter() - start


def measure_full(network: Network, preprocessing: Preprocessing) -> None:
    """Records pictures per second of our loop against forward, backward and SGD on one fixed batch, in turns."""
    precision = training_precision()
    rng = np.random.default_rng(0)
    size = preprocessing.size
    squares = rng.integers(0, 256, (N_FULL, 1, size, size, 3), dtype=np.uint8)
    labels = np.arange(N_FULL) % N_CLASSES
    batches = ActivationBatches(Activations(squares), labels, BATCH)
    ours, bare = [], []
    config = replace(CONFIG, epochs=1, l2=0.0)
    for number in range(N_ROUNDS + 1):
        model = with_head(split_network(network, 0))
        pair = (
            N_FULL / fit(model, batches, None, config, seed=number, precision=precision).seconds,
            bare_loop(with_head(split_network(network, 0)), bfloat16=precision == "bfloat16", size=size),
        )
        if number:  # the first round warms up
            ours.append(pair[0])
            bare.append(pair[1])
    share = max(ours) / max(bare)  # the best rounds: what else runs on the machine only makes them slower
    record(
        f"full fine-tuning of AlexNet's convolutions, {precision}, mini-batch {BATCH}: at least {LEAST_SHARE:.0%} of a "
        "bare PyTorch loop's pictures per second",
        figures={
            "share": round(share, 3),
            "ours_pictures_per_s": [round(value, 1) for value in ours],
            "bare_pictures_per_s": [round(value, 1) for value in bare],
        },
        holds=share >= LEAST_SHARE,
    )


def bare_loop(model: Trainable, *, bfloat16: bool, size: int) -> float:
    """Returns pictures per second of the barest loop that trains the same layers."""
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    inputs = torch.randn(BATCH, 3, size, size).to(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % N_CLASSES
    model.train()
    start = time.perf_counter()
    for _ in range(N_FULL // BATCH):
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            scores = model(inputs)
        torch.nn.functional.cross_entropy(scores.float(), labels).backward()
        optimiser.step()
    return N_FULL / (time.perf_counter() - start)


def with_head(cut: Cut) -> Trainable:
    """Returns the trainable part with one new layer, the same each time."""
    layers = parse_head("C", N_CLASSES)
    return cut.with_head(build_head(layers, cut.tap.n_features, nonlinearity="rectifier", init_scale=1.0, seed=0))


if __name__ == "__main__":
    main(sys.argv[1])
