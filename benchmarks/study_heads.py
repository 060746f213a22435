"""1 000 configurations of new layers in a minute or less; 64 trained together 10 times as quick as one by one.

python -m benchmarks.study_heads many     1 000 pictures x 1 280 features, 30 epochs: expected 10 to 30 s on two cores
python -m benchmarks.study_heads gain     1 000 pictures x 9 216 features, 20 epochs: expected 11 to 16 times

Features are drawn, with classes that can be told apart: what is in them does not change the work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from benchmarks.record import record
from handful.backbones import keep_memory
from handful.core.config import FinetuneConfig
from handful.core.machine import count_threads
from handful.finetune import parse_head, resolve
from handful.finetune.activations import Activations
from handful.finetune.batches import ActivationBatches
from handful.finetune.freeze import Pooling, Trainable
from handful.finetune.loop import fit
from handful.finetune.stack import build_head
from handful.finetune.together import Outcome, Together, group_size

N_CLASSES, N_PICTURES, N_VALIDATION = 5, 1000, 200
MOST_SECONDS, LEAST_GAIN = 60.0, 10.0
N_MANY, N_GAIN, N_ALONE = 1000, 64, 3
CENTRE_SPREAD = 0.1
"""Of the classes' centres, in standard deviations of a feature: most validation pictures can be told, not all."""


def main(which: str) -> None:
    """Measures one of the two claims."""
    keep_memory()
    torch.set_num_threads(1)
    if which == "many":
        measure_many()
    else:
        measure_gain()


def measure_many() -> None:
    """Records the seconds of 1 000 configurations, for two sizes of mini-batches and both optimisers."""
    ceiling = matmul_ceiling()
    seconds, shares, accuracies = {}, {}, {}
    for optimizer, batch in (("sgd", 32), ("sgd", 128), ("adamw", 32)):
        training, validation = drawn(1280, batch=batch)
        start = time.perf_counter()
        outcomes = in_groups(training, validation, draw_recipes(N_MANY, optimizer=optimizer, epochs=30))
        name = f"{optimizer} at {batch}"
        seconds[name] = round(time.perf_counter() - start, 1)
        shares[name] = round(gigaflops(outcomes, 1280) / seconds[name] / ceiling, 2)
        accuracies[name] = round(max(outcome.curve[-1].validation_accuracy for outcome in outcomes), 3)
    record(
        f"{N_MANY} configurations of one new layer, {N_PICTURES} pictures x 1 280 features, {N_CLASSES} classes, 30 "
        f"epochs: {MOST_SECONDS:.0f} s or less",
        figures={
            "seconds": seconds,
            "best_validation_accuracy": accuracies,
            "matmul_ceiling_gflops": round(ceiling, 1),
            "share_of_ceiling": shares,
            "group_size": group_size(N_CLASSES * 1280),
        },
        holds=max(seconds.values()) <= MOST_SECONDS,
    )


def measure_gain() -> None:
    """Records how much quicker 64 configurations are together than by `loop.fit`, three of them timed."""
    ceiling = matmul_ceiling()
    training, validation = drawn(9216, batch=128)
    recipes = draw_recipes(N_GAIN, optimizer="sgd", epochs=20)
    in_groups(training, validation, [replace(recipe, epochs=1) for recipe in recipes])  # warms up
    start = time.perf_counter()
    outcomes = in_groups(training, validation, recipes)
    together = time.perf_counter() - start
    alone, differences = [], []
    for recipe, outcome in zip(recipes[: N_ALONE + 1], outcomes, strict=False):
        model = with_head(9216, recipe)
        start = time.perf_counter()
        last = fit(model, training, validation, recipe, seed=0).iterations[-1]
        alone.append(time.perf_counter() - start)
        differences.append(abs((last.validation_accuracy or 0.0) - outcome.curve[-1].validation_accuracy))
    one = float(np.mean(alone[1:]))  # the first warmed up
    gain = N_GAIN * one / together
    record(
        f"{N_GAIN} configurations of one new layer, {N_PICTURES} pictures x 9 216 features, 20 epochs at 128: at least "
        f"{LEAST_GAIN:.0f} times as quick together as one by one ({N_ALONE} timed, times {N_GAIN})",
        figures={
            "gain": round(gain, 1),
            "together_s": round(together, 2),
            "one_by_one_s": [round(seconds, 3) for seconds in alone[1:]],
            "largest_difference_of_accuracy": max(differences),
            "matmul_ceiling_gflops": round(ceiling, 1),
            "share_of_ceiling": round(gigaflops(outcomes, 9216) / together / ceiling, 2),
            "share_of_ceiling_one_by_one": round(gigaflops(outcomes[:1], 9216) / one / ceiling, 2),
            "group_size": group_size(N_CLASSES * 9216),
        },
        holds=gain >= LEAST_GAIN and max(differences) <= 1.0 / N_VALIDATION,
    )


def in_groups(
    training: ActivationBatches, validation: ActivationBatches, recipes: Sequence[FinetuneConfig]
) -> list[Outcome]:
    """Returns the outcomes of trainings in groups of equal size, with a thread for every core."""
    threads = count_threads(None)
    n_weights = N_CLASSES * training.activations.values.shape[2]
    n_groups = -(-len(recipes) // group_size(n_weights))
    n_groups = -(-n_groups // threads) * threads  # so that the threads end together

    def train(places: np.ndarray) -> list[Outcome]:
        group = Together(
            training, validation, [recipes[place] for place in places], layers=parse_head("C", N_CLASSES), seed=0
        )
        while group.running:
            group.advance()
        return group.outcomes

    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        groups = pool.map(train, np.array_split(np.arange(len(recipes)), n_groups))
    return [outcome for outcomes in groups for outcome in outcomes]


def draw_recipes(n_recipes: int, *, optimizer: str, epochs: int) -> list[FinetuneConfig]:
    """Returns configurations that differ in every number that a study is likely to vary."""
    rng = np.random.default_rng(0)
    shared = FinetuneConfig(optimizer=optimizer, epochs=epochs, patience=None, keep="last")
    return [
        resolve(
            replace(
                shared,
                lr=float(10 ** rng.uniform(-5, -3)),
                momentum=float(rng.choice([0.5, 0.9])),
                schedule=str(rng.choice(["constant", "cosine", "one-cycle", "paper"])),
                l2=float(10 ** rng.uniform(-5, -2)),
                weight_factor=f"head={rng.choice([1, 10])}",
                init_scale=float(10 ** rng.uniform(-1, 0)),
            )
        )[0]
        for _ in range(n_recipes)
    ]


def drawn(n_features: int, *, batch: int) -> tuple[ActivationBatches, ActivationBatches]:
    """Returns a training and a validation part with drawn features."""
    rng = np.random.default_rng(0)
    centres = CENTRE_SPREAD * rng.standard_normal((N_CLASSES, n_features), dtype=np.float32)
    parts = []
    for n_pictures in (N_PICTURES, N_VALIDATION):
        labels = np.arange(n_pictures) % N_CLASSES
        values = rng.standard_normal((n_pictures, n_features), dtype=np.float32) + centres[labels]
        parts.append(ActivationBatches(Activations(values[:, None]), labels, batch))
    return parts[0], parts[1]


def with_head(n_features: int, recipe: FinetuneConfig) -> Trainable:
    """Returns one new layer to train alone."""
    layers = parse_head("C", N_CLASSES)
    head = build_head(layers, n_features, nonlinearity="rectifier", init_scale=recipe.init_scale, seed=0)
    return Trainable([], Pooling("flatten"), head, group_names=[])


def gigaflops(outcomes: Sequence[Outcome], n_features: int) -> float:
    """Returns the multiplications and additions of forward and backward products, in thousands of millions."""
    n_epochs = sum(len(outcome.curve) for outcome in outcomes)
    return n_epochs * N_CLASSES * n_features * (4 * N_PICTURES + 2 * N_VALIDATION) / 1e9


def matmul_ceiling() -> float:
    """Returns what one large product in float32 reaches on all cores, in thousands of millions of operations per s."""
    torch.set_num_threads(count_threads(None))
    size, best = 2048, 0.0
    left, right = torch.ones(size, size), torch.ones(size, size)
    for _ in range(8):
        start = time.perf_counter()
        left @ right
        best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
    torch.set_num_threads(1)
    return best


if __name__ == "__main__":
    main(sys.argv[1])
