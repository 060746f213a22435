"""How long a training of layers would take on this machine, from a few of its updates."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

from handful.core.progress import Silent
from handful.finetune import resolve
from handful.transfer.layers import Work

N_BATCHES = 3
"""Mini-batches that are timed: a few seconds where every layer of a large network is trained."""

LOOKING = 1 / 3
"""Time of looking at a picture over that of learning from it: a pass up, without the two products on the way down."""


def training_seconds(work: Work) -> float:
    """Returns how long a training would take if it did not stop before its last epoch.

    Opening the network is counted as work on the few pictures that are timed, so the estimate is rather too long.

    Raises:
        DataError: no picture can be spared to validate with.
        TrainingError: the loss is not even a number in these updates.
    """
    recipe, _ = resolve(work.config.finetune)
    rows, validation = work.parts()
    few = rows[: N_BATCHES * recipe.batch]
    preprocessing, _ = work.shown()
    quick = replace(recipe, epochs=1, stop_at=None, time=None)
    start = perf_counter()
    _, training, _ = replace(work, progress=Silent()).trained(
        int(work.frozen().value), quick, preprocessing, rows=few, validation=None
    )
    before = perf_counter() - start - training.seconds
    n_looks = recipe.epochs if recipe.every is None else recipe.epochs * len(rows) // (recipe.batch * recipe.every)
    n_seen = recipe.epochs * len(rows) + LOOKING * n_looks * len(validation)
    if recipe.refit:
        n_seen += recipe.epochs * len(work.split.train)
    return (before * len(work.split.train) + training.seconds * n_seen) / len(few)
