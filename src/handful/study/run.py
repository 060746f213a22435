"""Running trials: what they share is computed once, those alike are trained together, each result is written down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from time import monotonic

from handful.core.choices import LEFT_OPEN
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, TrainingError
from handful.core.machine import limit_threads, open_threads, versions
from handful.core.progress import Progress, Silent
from handful.core.records import FloatArray, ImageTable, IntArray, Split
from handful.core.study import Trial, TrialResult
from handful.core.training import Checkpoint, Training
from handful.evaluate import evaluate
from handful.study.group import Group, groups, results, start
from handful.study.shared import FrozenFeatures, Learning, SharedActivations, frozen_features
from handful.study.store import load_result, save_result
from handful.study.trials import data_sha256, trial_config, trial_key
from handful.transfer import check_ways, classify, locate_weights
from handful.transfer.layers import check_layers, train_layers, trains_layers
from handful.transfer.probe import train_probe

Judge = Callable[[Mapping[int, Checkpoint]], Collection[int]]
"""Told after every epoch how each trial stands, by its place; returns the places of those to give up."""


def check_trials(trials: Sequence[Trial], table: ImageTable) -> None:
    """Checks the options of every trial before any work.

    Raises:
        ConfigError: every different fault, one per line.
        WeightsError: a network that is not at hand.
    """
    faults: dict[str, None] = {}
    for trial in trials:
        config = trial_config(trial)
        strategy = config.transfer.strategy
        if strategy in LEFT_OPEN:
            faults[f"strategy is {strategy!r}; a study compares given ways: features, freeze, full, scratch."] = None
            continue
        backbones = locate_weights(config)
        if not trains_layers(config):
            continue
        try:
            check_ways(config, backbones)
            check_layers(config, backbones[0][0], n_classes=len(table.classes))
        except ConfigError as error:
            faults.update(dict.fromkeys(str(error).splitlines()))
    if faults:
        raise ConfigError("\n".join(faults))


def run_trials(
    table: ImageTable,
    split: Split,
    trials: Sequence[Trial],
    *,
    folder: Path,
    threads: int,
    progress: Progress,
    deadline: float | None = None,
    judge: Judge | None = None,
) -> tuple[TrialResult, ...]:
    """Returns the result of every trial, in their order; those that are finished in the folder are not run again.

    Trials with all layers frozen are trained in groups, on as many threads as wanted, each group on one of them, so
    that the number of threads changes no bit; the others one by one. A group is the unit of work: where one of its
    trials is missing, it is run whole.

    Args:
        table: the data set.
        split: its parts; its test part is not looked at.
        trials: what to train.
        folder: of the study.
        threads: groups at a time, and threads of everything else.
        progress: told about every trial.
        deadline: `time.monotonic()` at which no further group is begun; what was not run is left out then.
        judge: gives trials up early; groups then advance side by side, an epoch at a time, and single trials run whole.

    Raises:
        ConfigError: options that cannot work.
        WeightsError: a network that is not at hand.
        DataError: a trial's file was damaged.
    """
    if not trials:
        return ()
    check_trials(trials, table)
    work = _Work(Learning(table, split, threads, progress), tuple(trials), folder, data_sha256(table, split))
    found = {place: work.load(place) for place in range(len(trials))}
    asked = groups(trials, n_classes=len(table.classes))
    missing = [group for group in asked if any(found[place] is None for place in group.members)]
    if judge and missing:
        missing = asked
    elif judge:
        _tell_again(asked, found, judge)
    place = {trial_key(trial, work.data): index for index, trial in enumerate(trials)}
    with progress.stage("Trials", len(trials)) as advance, limit_threads(threads):
        advance(len(trials) - sum(len(group.members) for group in missing))
        for result in work.run(missing, deadline=deadline, judge=judge):
            advance(1)
            index = place[trial_key(result.trial, work.data)]
            found[index] = work.load(index)
    return tuple(result for result in found.values() if result is not None)


@dataclass(frozen=True, slots=True)
class _Work:
    """What running trials needs."""

    learning: Learning
    trials: tuple[Trial, ...]
    folder: Path
    data: str

    @property
    def seed(self) -> int:
        """Of what the trials share."""
        return min(trial.seed for trial in self.trials)

    def load(self, place: int) -> TrialResult | None:
        return load_result(self.folder, self.trials[place], data=self.data)

    def run(self, wanted: Sequence[Group], *, deadline: float | None, judge: Judge | None) -> Iterator[TrialResult]:
        """Yields results after they were written down."""
        shared = SharedActivations(self.learning, self.seed)
        for _, alike in groupby(wanted, key=lambda group: (group.shares, group.together)):
            part = list(alike)
            if _is_over(deadline):
                return
            if part[0].together:
                made = self._together(part, deadline=deadline, judge=judge)
            else:
                made = self._singles(part, shared, deadline)
            for result in made:
                self.save(result)
                yield result

    def _together(
        self, wanted: Sequence[Group], *, deadline: float | None, judge: Judge | None
    ) -> Iterator[TrialResult]:
        try:
            features = frozen_features(self.learning, wanted[0].configs[0], seed=self.seed)
        except TrainingError as error:
            for group in wanted:
                for place, config in zip(group.members, group.configs, strict=True):
                    yield _failed(self.trials[place], error, self.learning.parts(config))
            return
        yield from self._side_by_side(wanted, features, judge) if judge else self._groups(wanted, features, deadline)

    def save(self, result: TrialResult) -> None:
        save_result(self.folder, result, data=self.data, versions=versions())

    def _groups(
        self, wanted: Sequence[Group], features: FrozenFeatures, deadline: float | None
    ) -> Iterator[TrialResult]:
        def train(group: Group) -> list[TrialResult]:
            if _is_over(deadline):
                return []
            together = start(group, self.learning, features)
            while together.running:
                together.advance()
            made = results(group, together, self.trials)
            for result in made:
                self.save(result)
            return made

        with _pool(self.learning.threads) as pool:
            for future in as_completed([pool.submit(train, group) for group in wanted]):
                yield from future.result()

    def _side_by_side(self, wanted: Sequence[Group], features: FrozenFeatures, judge: Judge) -> Iterator[TrialResult]:
        """Advances all groups an epoch at a time, so that what is given up does not depend on which was first."""
        given_up: set[int] = set()
        with _pool(self.learning.threads) as pool:
            running = list(pool.map(lambda group: start(group, self.learning, features), wanted))
            while any(together.running for together in running):
                seen = pool.map(lambda together: together.advance() if together.running else {}, running)
                standing = {
                    group.members[member]: checkpoint
                    for group, checkpoints in zip(wanted, seen, strict=True)
                    for member, checkpoint in checkpoints.items()
                }
                doomed = judge(dict(sorted(standing.items())))
                for group, together in zip(wanted, running, strict=True):
                    for member in together.running:
                        if group.members[member] in doomed:
                            together.drop(member)
                            given_up.add(group.members[member])
        for group, together in zip(wanted, running, strict=True):
            yield from results(group, together, self.trials, given_up=given_up)

    def _singles(
        self, wanted: Sequence[Group], shared: SharedActivations, deadline: float | None
    ) -> Iterator[TrialResult]:
        for group in wanted:
            if not _is_over(deadline):
                yield _single(self.trials[group.members[0]], self.learning, shared)


def _tell_again(asked: Sequence[Group], found: Mapping[int, TrialResult | None], judge: Judge) -> None:
    """Tells the judge of trials that were finished before what it was told when they ran, in the same order."""
    for _, alike in groupby(asked, key=lambda group: (group.shares, group.together)):
        places = sorted(place for group in alike if group.together for place in group.members)
        curves = {place: result.curve for place in places if (result := found[place]) is not None}
        for index in range(max(map(len, curves.values()), default=0)):
            judge({place: curve[index] for place, curve in curves.items() if index < len(curve)})


def curve_of(training: Training) -> tuple[Checkpoint, ...]:
    """Returns how a training stood at the end of each epoch."""
    curve = []
    for epoch, updates in groupby(training.iterations, key=lambda iteration: iteration.epoch):
        seen = list(updates)
        last = seen[-1]
        if last.validation_loss is not None and last.validation_accuracy is not None:
            loss, accuracy = (
                sum(values) / len(seen) for values in zip(*((i.loss, i.accuracy) for i in seen), strict=True)
            )
            curve.append(Checkpoint(epoch, last.step, loss, accuracy, last.validation_loss, last.validation_accuracy))
    return tuple(curve)


def _single(trial: Trial, learning: Learning, shared: SharedActivations) -> TrialResult:
    """Returns the result of a trial that cannot be trained together with others."""
    config = learning.settled(trial_config(trial))
    try:
        return (_trained if trains_layers(config) else _solved)(trial, config, learning, shared)
    except TrainingError as error:
        return _failed(trial, error, learning.parts(config))


def _failed(trial: Trial, error: TrainingError, parts: Split) -> TrialResult:
    return TrialResult(trial, "failed", str(error), (), error.failed_at, len(parts.train), ())


def _trained(trial: Trial, config: TrainConfig, learning: Learning, shared: SharedActivations) -> TrialResult:
    parts = learning.parts(config)
    trained = train_layers(
        learning.table,
        parts,
        config,
        backbone=locate_weights(config)[0],
        threads=learning.threads,
        progress=Silent(),
        known=shared.known(config),
    )
    training = trained.training[0]
    right = _right(trained.held_out_proba, learning, trained.held_out)
    return TrialResult(trial, "done", training.stopped, curve_of(training), None, len(parts.train), right)


def _solved(trial: Trial, config: TrainConfig, learning: Learning, shared: SharedActivations) -> TrialResult:
    parts = learning.parts(config)
    backbones, threads = locate_weights(config), learning.threads
    model = train_probe(learning.table, parts, config, backbones=backbones, threads=threads, progress=Silent()).model
    figures: list[float] = []
    right: tuple[bool, ...] = ()
    for rows in (parts.train, parts.validation):
        pictures = [learning.table.pictures[index] for index in rows]
        proba = classify(model, learning.table, pictures, threads=threads, progress=Silent(), use_cache=True)
        truth = learning.table.labels
        seen = evaluate(proba, truth[rows], classes=learning.table.classes, train_labels=truth[parts.train])
        figures += [seen.log_loss, seen.accuracy]
        right = _right(proba, learning, rows)
    return TrialResult(trial, "done", "solved for", (Checkpoint(0, 0, *figures),), None, len(parts.train), right)


def _right(proba: FloatArray, learning: Learning, rows: IntArray) -> tuple[bool, ...]:
    return tuple(bool(right) for right in proba.argmax(axis=1) == learning.table.labels[rows])


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Opens a pool of so many workers, each of which computes on one thread of its own."""
    import torch

    try:
        with limit_threads(1), open_threads(threads, each=partial(torch.set_num_threads, 1)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and monotonic() >= deadline
