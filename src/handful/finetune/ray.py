"""A training of layers on a cluster, through Ray: processes on its nodes train one model together (`ranks`).

The process that asked for it gives them the model, the pictures and what is kept of the training, hears how it goes,
and alone writes checkpoints. With one of them all are lost, and others go on from the last checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

import ray
import torch
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from torch import Tensor

from handful.core.cluster import TRIES, Cluster, Kind, Lost, Ref, lost_too_often, node_name, node_resources, require
from handful.core.config import FinetuneConfig
from handful.core.errors import ConfigError
from handful.core.files import write_bytes
from handful.core.machine import limit_threads
from handful.core.progress import Advance, Progress, Silent
from handful.core.training import Training
from handful.finetune.batches import ALONE, ActivationBatches, PictureBatches
from handful.finetune.freeze import Trainable
from handful.finetune.kept import Kept, Place, Written
from handful.finetune.layout import Shape, places, shape_on
from handful.finetune.loop import fit
from handful.finetune.precision import Precision
from handful.finetune.ranks import RankLostError, joined, open_store

Pictures = ActivationBatches | PictureBatches
Tell = Callable[..., None]
State = Mapping[str, Tensor]

LOST = Lost(
    "the training of layers was",
    "Perhaps its memory does not suffice. Finished epochs are kept, and the same command goes on from there.",
)

LOOKED = 1.0
"""Seconds after which nodes are looked at again while the ranks have no place on the cluster."""

EACH = "each"
"""The fact of a checkpoint that says with how many threads a portion is computed."""

GRACE = 10.0
"""Seconds in which the other ranks have to end after one did; what they say may be the reason."""


def fit_on(
    cluster: Cluster,
    shape: Shape,
    model: Trainable,
    batches: Pictures,
    validation: Pictures | None,
    config: FinetuneConfig,
    *,
    seed: int,
    precision: Precision,
    engine: str,
    progress: Progress,
    kept: Place | None,
) -> Training:
    """Trains a model on a cluster; as `loop.fit`, to the bits of one process with as many threads for a portion.

    Args:
        cluster: open.
        shape: from `shape_on`.
        model: as in `fit`; its mini-batches fall into portions (`gradients.why_whole`).
        batches: as in `fit`; they go to every node once.
        validation: the same.
        config: as in `fit`.
        seed: as in `fit`.
        precision: as in `fit`.
        engine: as in `shape_on`.
        progress: as in `fit`; told when a rank was lost.
        kept: as in `fit`; without it, what is lost begins again.

    Raises:
        HandfulError: a node of another kind, or ranks were lost too often.
    """
    watched = validation and validation.carried()
    job = ray.put(_Job(cluster.kind, model, batches.carried(), watched, config, seed, precision))
    if kept and (each := kept.fact(EACH)):
        shape = shape_on(node_resources(), batches, engine=engine, before=replace(shape, each=int(each)))
    progress.say(f"Layers are trained by {shape}.")
    lost: Exception | None = None
    for _ in range(TRIES + 1):
        try:
            with _placed(shape, progress) as actors:
                training, state = _led(actors, shape, job, progress=progress, kept=kept, is_first=lost is None)
        except RankLostError as error:
            lost = error
            shape = shape_on(node_resources(), batches, engine=engine, before=shape)
            progress.say(f"A process that trained layers was lost. They are trained on by {shape}.")
        else:
            model.load_state_dict(state)
            model.eval()
            return training
    assert lost is not None
    raise lost_too_often(LOST, lost) from lost


@dataclass(frozen=True, slots=True)
class _Job:
    """What all ranks are given; see `fit_on`."""

    kind: Kind
    model: Trainable
    batches: Pictures
    validation: Pictures | None
    config: FinetuneConfig
    seed: int
    precision: Precision


class _Rank:
    """An actor: one of the ranks, and for the first one a line to the process that asked."""

    def __init__(self) -> None:
        self.told: SimpleQueue[tuple[str, tuple[Any, ...]]] = SimpleQueue()
        self.store: Any = None

    def meet(self, n_ranks: int) -> tuple[str, int]:
        """Returns where ranks meet: at this one."""
        address = ray.util.get_node_ip_address()
        self.store = open_store(address, n_ranks)
        return address, self.store.port

    def train(
        self, job: _Job, rank: int, shape: Shape, meeting: tuple[str, int], files: Mapping[str, bytes] | None
    ) -> tuple[Training, State] | None:
        """Trains with the others, and returns what came of it if this is the first one."""
        require(job.kind)
        if shape.gpu and not torch.cuda.is_available():
            raise ConfigError(
                f"the node {node_name()} has a GPU, which PyTorch {torch.__version__} there cannot use. Install a "
                "PyTorch with CUDA on it, or add --engine eager to train on processors."
            )
        tell = self._tell if rank == 0 else _nobody
        address = ray.util.get_node_ip_address()
        torch.set_num_threads(shape.cores)
        share = ALONE if job.config.mixup else (rank, shape.n_ranks)  # any two pictures of a mini-batch are mixed
        try:
            with (
                limit_threads(shape.cores),
                joined(rank, shape.n_ranks, meeting=meeting, address=address, each=shape.each, gpu=shape.gpu) as ranks,
                TemporaryDirectory() as folder,
            ):
                training = fit(
                    job.model,
                    job.batches.shared(*share, threads=shape.cores),
                    job.validation and job.validation.shared(rank, shape.n_ranks, threads=shape.cores),
                    job.config,
                    seed=job.seed,
                    precision=job.precision,
                    device="cuda" if shape.gpu else "cpu",
                    progress=_Telling(tell) if rank == 0 else Silent(),
                    kept=None if files is None else _There(Path(folder), files, tell, leads=rank == 0),
                    clock=ranks.clock,
                    ranks=ranks,
                )
        finally:
            tell("ended")
        return (training, job.model.state_dict()) if rank == 0 else None

    def news(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Waits until there is something to tell, and returns it."""
        news = [self.told.get()]
        while not self.told.empty():
            news.append(self.told.get())
        return news

    def _tell(self, what: str, *how: Any) -> None:
        self.told.put((what, how))


@contextmanager
def _placed(shape: Shape, progress: Progress) -> Iterator[list[Any]]:
    """Opens ranks, all of them or none, and ends them."""
    needs = {"CPU": shape.cores, **({"GPU": 1} if shape.gpu else {})}
    group = placement_group([needs] * shape.n_ranks, strategy="PACK")
    actors: list[Any] = []
    try:
        waits = False
        while not group.wait(timeout_seconds=LOOKED):
            if sum(places(node, shape) for node in node_resources()) < shape.n_ranks:
                raise RankLostError("a node was lost before the training began")
            if not waits:
                progress.say(f"Waiting for a place for {shape}.")
            waits = True
        for place in range(shape.n_ranks):
            there = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=place)
            kind = ray.remote(
                num_cpus=shape.cores, num_gpus=int(shape.gpu), max_concurrency=2, scheduling_strategy=there
            )
            actors.append(kind(_Rank).remote())
        yield actors
    finally:
        for actor in actors:
            ray.kill(actor)
        remove_placement_group(group)


def _led(
    actors: Sequence[Any], shape: Shape, job: Ref, *, progress: Progress, kept: Place | None, is_first: bool
) -> tuple[Training, State]:
    """Has the ranks train, passes on what the first one tells, and returns what it returns.

    Raises:
        RankLostError: one of them was lost.
        Exception: what one of them raised by itself.
    """
    files = ray.put(kept.files() if kept else None)
    working: list[Ref] = []
    try:
        meeting = ray.get(actors[0].meet.remote(shape.n_ranks))
        working += [actor.train.remote(job, rank, shape, meeting, files) for rank, actor in enumerate(actors)]
        with ExitStack() as stages:
            listening = _Listening(shape, progress, kept, stages, is_first)
            news = actors[0].news.remote()
            going = [*working, news]
            while going:
                (ready, *_), going = ray.wait(going, num_returns=1)
                answer = ray.get(ready)
                if ready == news and listening.to(answer):
                    news = actors[0].news.remote()
                    going.append(news)
        result: tuple[Training, State] = ray.get(working[0])
    except ray.exceptions.RayError as error:
        raise _fault(working) or RankLostError(str(error)) from error
    return result


def _fault(working: Sequence[Ref]) -> Exception | None:
    """Returns what a rank raised by itself, else that one was lost; ranks end with any of the others."""
    faults: list[Exception] = []
    for ended in ray.wait(list(working), num_returns=len(working), timeout=GRACE)[0] if working else ():
        try:
            ray.get(ended)
        except ray.exceptions.RayTaskError as error:
            faults.append(error.cause)
        except ray.exceptions.RayError as error:
            faults.append(RankLostError(str(error)))
    return next(iter(sorted(faults, key=lambda fault: isinstance(fault, RankLostError))), None)


@dataclass
class _Listening:
    """What the process that asked does about what the first rank tells."""

    shape: Shape
    progress: Progress
    kept: Place | None
    stages: ExitStack
    is_first: bool
    advance: Advance | None = None

    def to(self, news: Sequence[tuple[str, tuple[Any, ...]]]) -> bool:
        """Heeds news, and returns whether more are to come."""
        for what, how in news:
            if what == "stage":
                self.advance = self.stages.enter_context(self.progress.stage(*how))
            elif what == "advance" and self.advance:
                self.advance(*how)
            elif what == "say":
                self.progress.say(*how)
            elif what == "write" and self.kept:
                (written,) = how
                facts = {**written.facts, EACH: self.shape.each}
                self.kept.write(replace(written, facts=facts), progress=self.progress)
            elif what == "went_on" and self.kept and self.is_first:
                seconds, reached = how
                self.kept.went_on(seconds, reached=reached)
        return news[-1][0] != "ended"


class _Telling:
    """A `Progress` that tells the process that asked."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Advance]:
        """Opens a stage there."""
        self.tell("stage", label, total)
        yield partial(self.tell, "advance")

    def say(self, message: str) -> None:
        """Says it there."""
        self.tell("say", message)


class _There(Place):
    """A place that has what the process that asked kept, and of which the first rank gives it what it is to keep."""

    def __init__(self, folder: Path, files: Mapping[str, bytes], tell: Tell, *, leads: bool) -> None:
        super().__init__(folder, Kept())
        self.tell, self.leads = tell, leads
        for name, content in files.items():
            write_bytes(folder / name, content)

    def is_due(self, *, seconds: float, is_over: bool) -> bool:
        """Returns as `Place` does, for the first rank."""
        return self.leads and super().is_due(seconds=seconds, is_over=is_over)

    def _write(self, written: Written) -> None:
        copies = {name: array.copy() for name, array in written.arrays.items()}  # before training goes on
        self.tell("write", replace(written, arrays=copies))

    def went_on(self, seconds: float, *, reached: str) -> None:
        """Takes note there."""
        self.tell("went_on", seconds, reached)


def _nobody(what: str, *how: Any) -> None:
    """Tells nobody."""
