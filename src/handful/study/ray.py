"""A study on a cluster, through Ray: trials become its tasks, what they share lies in its object store once.

A task is a function of what it is given, so that one whose node was lost is simply run again; only this process, which
asked for it, writes down what came of it. Threads of a task are fixed, so where it runs changes no bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import ray
from threadpoolctl import ThreadpoolController

from handful.core.cluster import TRIES, Cluster, Kind, Lost, Ref, done, got, n_cores, require
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, TrainingError
from handful.core.machine import limit_threads
from handful.core.progress import Silent
from handful.core.study import Trial, TrialResult
from handful.images import carried
from handful.study.group import Led, Problem, Standing, train
from handful.study.shared import FrozenFeatures, Learning, SharedActivations, with_engine
from handful.study.single import train_single
from handful.study.trainers import Keep, Stand
from handful.study.trials import trial_config
from handful.transfer.layers import trains_layers

if TYPE_CHECKING:
    from handful.finetune.activations import Activations
    from handful.finetune.together import Outcome

LOST = Lost(
    "a training was",
    "Perhaps its memory does not suffice. What is finished is kept; the same command with --resume goes on from there.",
)

TOKEN = 1e-3
"""Share of a core that an actor claims for its life. It waits most of the time, and must find a place on what is left
of a cluster after a loss; a node without cores gets none."""


@dataclass
class Nodes:
    """A `study.trainers.Trainer`: the nodes of a cluster.

    Attributes:
        cluster: that is open.
        threads: of a single trial; those that are trained in groups have one.
    """

    cluster: Cluster
    threads: int
    _features: tuple[str | None, Ref] = (None, None)
    _pictures: Ref = None

    def groups(
        self,
        problems: Sequence[Problem],
        features: FrozenFeatures,
        *,
        shares: str,
        deadline: float | None,
        keep: Keep,
    ) -> Iterator[TrialResult]:
        """Trains every group as a task; see `Trainer`."""
        task = ray.remote(num_cpus=1, max_retries=TRIES)(_train)
        held, until = self._held(shares, features), _by_the_clock(deadline)

        def hand_in(place: int) -> Ref:
            return task.remote(self.cluster.kind, problems[place], held, until)

        for place, outcomes in done(hand_in, range(len(problems)), cores=1, lost=lambda _: LOST):
            if outcomes is not None:
                yield from keep(place, outcomes)

    @contextmanager
    def abreast(self, problems: Sequence[Problem], features: FrozenFeatures, *, shares: str) -> Iterator[Stand]:
        """Advances groups in as many actors as there are cores; one that is lost is made again. See `Trainer`."""
        held = self._held(shares, features)
        n_actors = max(1, min(len(problems), n_cores()))
        portions = [range(first, len(problems), n_actors) for first in range(n_actors)]
        asked = [ray.put([problems[place] for place in portion]) for portion in portions]
        actor = ray.remote(num_cpus=TOKEN, max_restarts=TRIES, max_task_retries=TRIES, scheduling_strategy="SPREAD")
        actors = [actor(_Leading).remote() for _ in portions]

        def stand(given_up: Sequence[Any]) -> list[Standing]:
            answers = [
                each.stand.remote(self.cluster.kind, own, held, [given_up[place] for place in portion])
                for each, own, portion in zip(actors, asked, portions, strict=True)
            ]
            found = {
                place: standing
                for portion, answer in zip(portions, answers, strict=True)
                for place, standing in zip(portion, got(answer, LOST), strict=True)
            }
            return [found[place] for place in range(len(problems))]

        try:
            yield stand
        finally:
            for each in actors:
                ray.kill(each)

    def singles(
        self, trials: Sequence[Trial], shared: SharedActivations, *, deadline: float | None
    ) -> Iterator[TrialResult]:
        """Trains every trial as a task; what they share is settled and computed here. See `Trainer`."""
        if self.threads > self.cluster.largest:
            raise ConfigError(
                f"threads is {self.threads}, and no node has more than {self.cluster.largest} cores. Say how many a "
                f"training uses: --threads {self.cluster.largest}."
            )
        learning, configs = shared.learning, [trial_config(trial) for trial in trials]
        features = with_engine(learning, learning.settled(configs[0])).features
        configs = [replace(config, features=features) for config in configs]
        with suppress(TrainingError):  # which every trial then comes to by itself
            for config in islice(filter(trains_layers, configs), 1):
                shared.compute(config)
        if self._pictures is None:
            self._pictures = ray.put(_without_files(learning))
        known = {name: ray.put(activations.carried()) for name, activations in shared.kept.items()}
        n_gpus = int(features.engine == "cuda")
        task = ray.remote(num_cpus=self.threads, num_gpus=n_gpus, max_retries=TRIES)(_train_single)
        until = _by_the_clock(deadline)

        def hand_in(place: int) -> Ref:
            asked = trials[place], configs[place], shared.seed, until
            return task.remote(self.cluster.kind, *asked, self._pictures, list(known), *known.values())

        for _, result in done(hand_in, range(len(trials)), cores=self.threads, lost=lambda _: LOST):
            if result is not None:
                yield result

    def _held(self, shares: str, features: FrozenFeatures) -> Ref:
        """Returns features in the object store, where they are put once as long as no others are asked for."""
        if self._features[0] != shares:
            changed, plain = features.changed, features.plain
            as_they_are = plain.carried()
            self._features = (
                shares,
                ray.put(FrozenFeatures(as_they_are if changed is plain else changed.carried(), as_they_are)),
            )
        return self._features[1]


def _train(kind: Kind, problem: Problem, features: FrozenFeatures, until: float | None) -> Sequence[Outcome] | None:
    """A task: trains a group on one thread; None where its time was up before it began."""
    require(kind)
    with _one_thread():
        return None if _is_late(until) else train(problem, features)


class _Leading:
    """An actor: leads a few groups by turns, each on one thread; made again, it comes to where it was."""

    def __init__(self) -> None:
        self.led: list[Led] = []

    def stand(
        self, kind: Kind, problems: Sequence[Problem], features: FrozenFeatures, given_up: Sequence[Any]
    ) -> list[Standing]:
        """Returns `Led.stand` of its groups; told again every time what they are, as it may have been made again."""
        with _one_thread():
            if not self.led:
                require(kind)
                self.led = [Led(problem, features) for problem in problems]
            return [led.stand(own) for led, own in zip(self.led, given_up, strict=True)]


def _train_single(
    kind: Kind,
    trial: Trial,
    config: TrainConfig,
    seed: int,
    until: float | None,
    learning: Learning,
    names: Sequence[str],
    *known: Activations,
) -> TrialResult | None:
    """A task: trains a single trial on all threads of the learning; None where its time was up before it began."""
    require(kind)
    if _is_late(until):
        return None
    shared = SharedActivations(learning, seed, dict(zip(names, known, strict=True)))
    with limit_threads(learning.threads):
        return train_single(trial, config, learning, shared)


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    torch.set_num_threads(1)
    with _libraries().limit(limits=1):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Returns the linear algebra libraries of this process; to look for them takes longer than to hand in a task."""
    return ThreadpoolController()


def _without_files(learning: Learning) -> Learning:
    """Returns the pictures of a study with the bytes of their files, for machines that do not have them."""
    return replace(learning, table=carried(learning.table, learning.pictures), progress=Silent())


def _by_the_clock(deadline: float | None) -> float | None:
    """Returns a time of `monotonic()`, which is of this machine, as one of `time()`."""
    return None if deadline is None else time() + deadline - monotonic()


def _is_late(until: float | None) -> bool:
    return until is not None and time() >= until
