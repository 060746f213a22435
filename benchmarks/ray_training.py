"""Layers trained by two processes of one core each, and by one, against one process of two threads.

python -m benchmarks.ray_training

The upper layers of the default network, in mini-batches of 64 pictures, on Ray nodes of this machine. Needs two cores
and: pip install 'handful[ray]'
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from benchmarks.ray_study import nodes
from benchmarks.record import record
from handful.backbones import find, load, locate
from handful.core.cluster import Cluster, node_resources, opened
from handful.core.config import FinetuneConfig
from handful.core.machine import limit_threads
from handful.core.progress import Silent
from handful.core.training import Training
from handful.finetune import parse_head, resolve
from handful.finetune.activations import Activations
from handful.finetune.batches import ActivationBatches
from handful.finetune.freeze import Trainable, split_network
from handful.finetune.loop import fit
from handful.finetune.stack import build_head

NETWORK, FROZEN, SIZE, BATCH, N_PICTURES = "efficientnet-lite0", 4, 128, 64, 256
N_CLASSES, EPOCHS = 5, 4
SLOWER = 0.80
"""Of the updates a second of one process with two threads, that two processes of one core make at least."""

Train = Callable[[Trainable, ActivationBatches, FinetuneConfig], Training]


def main() -> None:
    """Times updates, and compares the weights after them."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only
    torch.set_num_threads(2)
    with limit_threads(2):
        found = {"one process, two threads": timed(here)}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        for n_ranks, words in ((1, "one process of a core"), (2, "two processes of a core")):
            with cluster_of(Path(name), n_ranks) as cluster:
                found[words] = timed(lambda *asked, cluster=cluster: there(cluster, *asked))
    seconds = {name: round(each, 3) for name, (each, _) in found.items()}
    (alone, own), *others = found.values()
    same = all(torch.equal(tensor, weights[name]) for _, weights in others for name, tensor in own.items())
    ratio = alone / found["two processes of a core"][0]
    record(
        f"two processes of one core make at least {SLOWER:.0%} of the updates of one process with two threads, and "
        "come to the same weights, bit by bit",
        figures={"seconds_per_update": seconds, "ratio": round(ratio, 2), "same_weights": same},
        holds=same and ratio >= SLOWER,
    )


def timed(train: Train) -> tuple[float, dict[str, torch.Tensor]]:
    """Returns seconds per update, without those of the first epoch, and the weights at the end."""
    spent = {}
    for epochs in (1, EPOCHS):
        model, batches = made()
        config, _ = resolve(FinetuneConfig(batch=BATCH, epochs=epochs, keep="last"))
        training = train(model, batches, config)
        spent[len(training.iterations)] = training.seconds
    (few, quick), (many, slow) = spent.items()
    return (slow - quick) / (many - few), model.state_dict()


def made() -> tuple[Trainable, ActivationBatches]:
    """Returns the upper layers, and activations of drawn noise below them."""
    spec = find(NETWORK)
    cut = split_network(load(spec, locate(spec, folder=None, offline=True)), FROZEN)
    head = build_head(parse_head("C", N_CLASSES), cut.tap.n_features, nonlinearity="rectifier", init_scale=1.0, seed=0)
    pixels = torch.randn(N_PICTURES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    values = cut.lower(pixels.contiguous(memory_format=torch.channels_last)).permute(0, 2, 3, 1).contiguous().numpy()
    return cut.with_head(head), ActivationBatches(
        Activations(values[:, None]), np.arange(N_PICTURES) % N_CLASSES, BATCH
    )


def here(model: Trainable, batches: ActivationBatches, config: FinetuneConfig) -> Training:
    """Trains in this process."""
    return fit(model, batches, None, config, seed=0)


def there(cluster: Cluster, model: Trainable, batches: ActivationBatches, config: FinetuneConfig) -> Training:
    """Trains on a cluster."""
    from handful.finetune.layout import shape_on
    from handful.finetune.ray import fit_on

    return fit_on(
        cluster,
        shape_on(node_resources(), batches, engine="auto"),
        model,
        batches,
        None,
        config,
        seed=0,
        precision="float32",
        engine="auto",
        progress=Silent(),
        kept=None,
    )


@contextmanager
def cluster_of(root: Path, n_nodes: int) -> Iterator[Cluster]:
    """Opens a cluster of nodes of one core."""
    with nodes(root, [1] * n_nodes), opened("auto", threads=1) as cluster:
        yield cluster


if __name__ == "__main__":
    main()
