"""Mini-batches in portions, each on its share of the cores, against all cores on the whole, beside a busy core too.

python -m benchmarks.portions
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable
from time import perf_counter

import torch

from benchmarks.record import record
from handful.backbones import find, keep_memory, load, locate
from handful.core.config import FinetuneConfig
from handful.core.machine import count_threads
from handful.finetune import parse_head
from handful.finetune.freeze import split_network
from handful.finetune.gradients import Gradients, Passed, open_gradients
from handful.finetune.stack import build_head

NETWORK, FROZEN, SIZE, BATCH = "efficientnet-lite0", 4, 128, 32
N_CLASSES, N_TIMES = 5, 9

BESIDE = 1.5
"""How much quicker portions have to be beside a busy process; alone they may be slower by `ALONE`."""
ALONE = 0.85


def rate(descend: Callable[[], Passed]) -> float:
    """Returns pictures per second, the median of some mini-batches after two that warm up."""
    times = []
    for _ in range(N_TIMES + 2):
        start = perf_counter()
        descend()
        times.append(perf_counter() - start)
    return BATCH / statistics.median(times[2:])


def spin() -> None:
    """Keeps a core busy."""
    while True:
        pass


def main() -> None:
    """Times both ways, alone and beside a process that keeps one core busy."""
    keep_memory()
    torch.set_num_threads(count_threads(None))
    spec = find(NETWORK)
    cut = split_network(load(spec, locate(spec, folder=None, offline=True)), FROZEN)
    head = build_head(parse_head("C", N_CLASSES), cut.tap.n_features, nonlinearity="rectifier", init_scale=1.0, seed=0)
    model = cut.with_head(head).train()
    pixels = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    inputs = cut.lower(pixels.contiguous(memory_format=torch.channels_last))
    labels = torch.arange(BATCH) % N_CLASSES
    config = FinetuneConfig(batch=BATCH)

    def both() -> dict[str, float]:
        whole = Gradients(model, config, precision="float32", pool=None)
        rates = {"whole": rate(lambda: whole.of(inputs, labels, labels, 1.0))}
        with open_gradients(model, config, precision="float32") as portions:
            rates["portions"] = rate(lambda: portions.of(inputs, labels, labels, 1.0))
        return {name: round(value, 1) for name, value in rates.items()}

    alone = both()
    busy = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
    busy.start()
    beside = both()
    busy.terminate()
    ratios = {"alone": alone["portions"] / alone["whole"], "beside": beside["portions"] / beside["whole"]}
    record(
        f"portions: at least {ALONE} of the pictures per second alone, {BESIDE} times as many beside a busy process",
        figures={
            "pictures_per_second": {"alone": alone, "beside": beside},
            "ratios": {name: round(value, 2) for name, value in ratios.items()},
        },
        holds=ratios["alone"] >= ALONE and ratios["beside"] >= BESIDE,
    )


if __name__ == "__main__":
    main()
