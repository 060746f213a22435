"""Who trains the trials of a study: threads of this machine, or the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from handful.core.cluster import opened
from handful.core.machine import count_threads, limit_threads, open_threads
from handful.core.study import Trial, TrialResult
from handful.study.group import Led, Problem, Standing, train
from handful.study.shared import FrozenFeatures, SharedActivations
from handful.study.single import train_single
from handful.study.trials import trial_config

if TYPE_CHECKING:
    from handful.finetune.together import Outcome

Keep = Callable[[int, "Sequence[Outcome]"], list[TrialResult]]
"""Writes down how a problem, by its place, ended; returns the results."""

Stand = Callable[[Sequence[Sequence[Collection[int]]]], Sequence[Standing]]
"""`Led.stand` for several groups at once."""


class Trainer(Protocol):
    """Trains what it is given; who it is changes no bit of the results."""

    def groups(
        self,
        problems: Sequence[Problem],
        features: FrozenFeatures,
        *,
        shares: str,
        deadline: float | None,
        keep: Keep,
    ) -> Iterator[TrialResult]:
        """Trains groups, and yields results in the order in which they were written down.

        Args:
            problems: what is trained, each on one thread.
            features: of all pictures.
            shares: names the features within a study.
            deadline: `time.monotonic()` at which no further group is begun.
            keep: called once for every problem that was trained.
        """

    def abreast(
        self, problems: Sequence[Problem], features: FrozenFeatures, *, shares: str
    ) -> AbstractContextManager[Stand]:
        """Opens groups that advance side by side, an epoch at a time."""

    def singles(
        self, trials: Sequence[Trial], shared: SharedActivations, *, deadline: float | None
    ) -> Iterator[TrialResult]:
        """Trains trials that cannot be trained together with others, and yields their results; see `groups`."""


@contextmanager
def hired(ray: str | None, *, threads: int) -> Iterator[Trainer]:
    """Opens who trains.

    Args:
        ray: address of a cluster, as `core.cluster.opened` takes it; None for threads of this process.
        threads: groups at a time where it is None; and threads of a single trial, wherever it runs.
    """
    if ray is None:
        yield Threads(threads)
        return
    with opened(ray, threads=count_threads(None)) as cluster:
        from handful.study.ray import Nodes

        yield Nodes(cluster, threads)


@dataclass(frozen=True, slots=True)
class Threads:
    """A `Trainer` of this process, with so many threads."""

    threads: int

    def groups(
        self,
        problems: Sequence[Problem],
        features: FrozenFeatures,
        *,
        shares: str,
        deadline: float | None,
        keep: Keep,
    ) -> Iterator[TrialResult]:
        """Trains as many groups at a time as there are threads; see `Trainer`."""

        def work(place: int) -> list[TrialResult]:
            return [] if is_over(deadline) else keep(place, train(problems[place], features))

        with _pool(self.threads) as pool:
            for future in as_completed([pool.submit(work, place) for place in range(len(problems))]):
                yield from future.result()

    @contextmanager
    def abreast(self, problems: Sequence[Problem], features: FrozenFeatures, *, shares: str) -> Iterator[Stand]:
        """Advances groups by turns; see `Trainer`."""
        with _pool(self.threads) as pool:
            led = list(pool.map(lambda problem: Led(problem, features), problems))
            yield lambda given_up: list(pool.map(Led.stand, led, given_up))

    def singles(
        self, trials: Sequence[Trial], shared: SharedActivations, *, deadline: float | None
    ) -> Iterator[TrialResult]:
        """Trains one after the other, on all threads; see `Trainer`."""
        for trial in trials:
            if not is_over(deadline):
                config = shared.learning.settled(trial_config(trial))
                yield train_single(trial, config, shared.learning, shared)


def is_over(deadline: float | None) -> bool:
    """Returns whether nothing further is to be begun."""
    return deadline is not None and monotonic() >= deadline


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Opens a pool of so many workers, each of which computes on one thread of its own."""
    import torch

    try:
        with limit_threads(1), open_threads(threads, each=partial(torch.set_num_threads, 1)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)
