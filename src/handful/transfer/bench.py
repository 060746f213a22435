"""Candidates for the way of transfer, each trained and judged on the same validation pictures while time allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from handful.backbones import BackboneSpec, LocatedWeights
from handful.core.advice import TransferPlan, Try
from handful.core.config import TrainConfig
from handful.core.errors import DataError, HandfulError, TrainingError
from handful.core.notation import read_duration
from handful.core.progress import Progress
from handful.core.records import FloatArray, ImageTable, IntArray, Split
from handful.evaluate import evaluate
from handful.transfer.estimate import training_seconds
from handful.transfer.layers import Work, train_layers, trains_layers
from handful.transfer.model import classify
from handful.transfer.probe import Trained, train_probe

BoolArray = npt.NDArray[np.bool_]

LIMIT = 180.0
"""Seconds that training layers in other ways than the advised one may take in all, where the user gave no `time`."""

ROOM = 1.25
"""What is recommended to allow for, over the estimate."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way that could be taken: its plan, and the options that it sets, the user's own kept."""

    plan: TransferPlan
    config: TrainConfig


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one candidate: what it made and which validation pictures it has right, or the error."""

    candidate: Candidate
    record: Try
    right: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    trained: Trained | None = None
    error: HandfulError | None = None

    @property
    def was_tried(self) -> bool:
        """Whether time was spent on it."""
        return self.trained is not None or self.error is not None


@dataclass(frozen=True, slots=True)
class Bench:
    """What all candidates share."""

    table: ImageTable
    split: Split
    backbone: tuple[BackboneSpec, LocatedWeights]
    threads: int
    progress: Progress
    clock: Callable[[], float]

    def results(self, candidates: Sequence[Candidate]) -> Iterator[Result]:
        """Yields what came of each, in order; the first is tried whatever it takes, which is said beforehand."""
        advised, *others = candidates
        time = advised.config.finetune.time
        layered = trains_layers(advised.config)
        if layered and not time:
            self._announce(advised)
        yield (result := self._result(advised))
        spent = result.record.seconds if layered else 0.0
        left = read_duration(time, option="time") - spent if time else LIMIT
        for candidate in others:
            if not trains_layers(candidate.config):
                yield self._result(candidate)
                continue
            yield (result := self._within(candidate, left=left, spent=spent))
            spent += result.record.seconds
            left -= result.record.seconds if result.was_tried else 0.0

    def _announce(self, candidate: Candidate) -> None:
        """Says how long the advised way takes, where that is longer than somebody would wait for unasked."""
        with suppress(DataError, TrainingError):  # the training itself meets them again
            seconds = training_seconds(self._work(candidate.config))
            if seconds > LIMIT:
                self.progress.say(
                    f"Strategy {candidate.plan.strategy} takes up to about {_words(seconds)} on this machine; "
                    "--time 10m would stop it after ten minutes."
                )

    def _within(self, candidate: Candidate, *, left: float, spent: float) -> Result:
        """Returns what came of a candidate that trains layers, if there is time; those before took `spent` or would."""
        time = candidate.config.finetune.time
        if left <= 0.0:
            return Result(candidate, Try(candidate.plan, f"not tried: nothing was left of {time or _words(LIMIT)}"))
        start = self.clock()
        try:
            seconds = training_seconds(self._work(candidate.config))
        except (DataError, TrainingError) as error:
            return self._failed(candidate, error, start=start)
        if seconds > left:
            option = _option(ROOM * (spent + seconds))
            reason = f"not tried: it would take about {_words(seconds)} on this machine; --time {option} includes it"
            return Result(candidate, Try(candidate.plan, reason, seconds=seconds))
        if not time:
            return self._result(candidate)
        limited = replace(candidate.config.finetune, time=f"{left:.3f}s")
        return self._result(candidate, replace(candidate.config, finetune=limited))

    def _result(self, candidate: Candidate, config: TrainConfig | None = None) -> Result:
        """Returns what came of a candidate; `config` has its options with a limit of time."""
        self.progress.say(f"Trying strategy {candidate.plan.strategy}.")
        start = self.clock()
        try:
            trained, rows, proba = self._judged(config or candidate.config)
        except (DataError, TrainingError) as error:
            return self._failed(candidate, error, start=start)
        labels = self.table.labels
        figures = evaluate(proba, labels[rows], classes=self.table.classes, train_labels=labels[self.split.train])
        record = Try(
            candidate.plan,
            seconds=self.clock() - start,
            n_validation=len(rows),
            accuracy=figures.accuracy,
            loss=figures.log_loss,
        )
        return Result(candidate, record, proba.argmax(axis=1) == labels[rows], trained)

    def _judged(self, config: TrainConfig) -> tuple[Trained, IntArray, FloatArray]:
        """Returns what a way made without the validation pictures, which these are, and its answers for them."""
        if trains_layers(config):
            trained = train_layers(
                self.table,
                self.split,
                config,
                backbone=self.backbone,
                threads=self.threads,
                progress=self.progress,
            )
            return trained, trained.held_out, trained.held_out_proba
        rows, validation = self._work(config).parts()
        rest = replace(self.split, train=rows)
        trained = train_probe(
            self.table, rest, config, backbones=(self.backbone,), threads=self.threads, progress=self.progress
        )
        pictures = [self.table.pictures[index] for index in validation]
        proba = classify(
            trained.model, self.table, pictures, threads=self.threads, progress=self.progress, use_cache=True
        )
        return trained, validation, proba

    def _work(self, config: TrainConfig) -> Work:
        return Work(self.table, self.split, config, *self.backbone, self.threads, self.progress)

    def _failed(self, candidate: Candidate, error: HandfulError, *, start: float) -> Result:
        record = Try(candidate.plan, f"failed: {error}", seconds=self.clock() - start)
        return Result(candidate, record, error=error)


def _words(seconds: float) -> str:
    """Returns a time in round words."""
    for size, unit in ((3600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if seconds >= 1.5 * size:
            return f"{round(seconds / size)} {unit}s"
    return "a second"


def _option(seconds: float) -> str:
    """Returns a time as the option `time` is written, rounded up."""
    minutes = math.ceil(seconds / 60.0)
    return f"{minutes}m" if minutes < 60 else f"{math.ceil(minutes / 60)}h"
