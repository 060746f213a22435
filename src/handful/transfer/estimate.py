"""How long a training of layers would take on this machine, from a few of its updates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

from handful.core.progress import Advance, Silent
from handful.finetune import resolve
from handful.transfer.layers import Work

N_BATCHES = 2
"""Mini-batches that are trained on; only the last is timed, for the first warms up (it takes half as long again)."""

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
    preprocessing = work.plan().preprocessing
    quick = replace(recipe, epochs=1, stop_at=None, time=None)
    watch = _Stopwatch()
    start = perf_counter()
    _, training, _ = replace(work, progress=watch, use_cache=False).trained(
        int(work.frozen().value), quick, preprocessing, rows=few, validation=None
    )
    opening = watch.moments[0] - start
    update = watch.moments[-1] - watch.moments[-2]
    n_looks = recipe.epochs if recipe.every is None else recipe.epochs * len(rows) // (recipe.batch * recipe.every)
    n_learnt = recipe.epochs * (len(rows) + (len(work.split.train) if recipe.refit else 0))
    n_seen = n_learnt + LOOKING * n_looks * len(validation)
    return (opening * len(work.split.train) + update * len(training.iterations) * n_seen) / len(few)


class _Stopwatch(Silent):
    """Notes when the last stage began and when each of its steps was done."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Advance]:
        """Opens a stage and forgets the one before."""
        self.moments = [perf_counter()]
        yield self._advance

    def _advance(self, n_done: int, note: str = "") -> None:
        self.moments.append(perf_counter())
