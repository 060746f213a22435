"""Running trials: what they share is computed once, those alike are trained together, each result is written down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from handful.core.choices import LEFT_OPEN
from handful.core.errors import ConfigError, TrainingError
from handful.core.machine import limit_threads, versions
from handful.core.progress import Progress
from handful.core.records import ImageTable, Split
from handful.core.study import Trial, TrialResult
from handful.core.training import Checkpoint
from handful.study.group import Group, Problem, groups, problems, results
from handful.study.shared import FrozenFeatures, Learning, SharedActivations, frozen_features
from handful.study.single import failed
from handful.study.store import load_result, save_result
from handful.study.trainers import Threads, Trainer, is_over
from handful.study.trials import data_sha256, trial_config, trial_key
from handful.transfer import check_ways, locate_weights
from handful.transfer.layers import check_layers, trains_layers

if TYPE_CHECKING:
    from handful.finetune.together import Outcome

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
    trainer: Trainer | None = None,
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
        trainer: who trains; by default so many threads.

    Raises:
        ConfigError: options that cannot work.
        WeightsError: a network that is not at hand.
        DataError: a trial's file was damaged.
    """
    if not trials:
        return ()
    check_trials(trials, table)
    learning = Learning(table, split, threads, progress)
    work = _Work(learning, tuple(trials), folder, data_sha256(table, split), trainer or Threads(threads), versions())
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
    trainer: Trainer
    versions: Mapping[str, str]

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
            if is_over(deadline):
                return
            if part[0].together:
                made = self._together(part, deadline=deadline, judge=judge)
            else:
                asked = [self.trials[group.members[0]] for group in part]
                made = self.trainer.singles(asked, shared, deadline=deadline)
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
                    yield failed(self.trials[place], error, self.learning.parts(config))
            return
        posed = problems(wanted, self.learning)
        if judge:
            outcomes = self._side_by_side(wanted, posed, features, judge)
            for group, problem, ended in zip(wanted, posed, outcomes, strict=True):
                yield from results(group, problem, ended, self.trials)
            return

        def keep(place: int, ended: Sequence[Outcome]) -> list[TrialResult]:
            made = results(wanted[place], posed[place], ended, self.trials)
            for result in made:
                self.save(result)
            return made

        yield from self.trainer.groups(posed, features, shares=wanted[0].shares, deadline=deadline, keep=keep)

    def save(self, result: TrialResult) -> None:
        save_result(self.folder, result, data=self.data, versions=self.versions)

    def _side_by_side(
        self, wanted: Sequence[Group], posed: Sequence[Problem], features: FrozenFeatures, judge: Judge
    ) -> list[Sequence[Outcome]]:
        """Advances all groups an epoch at a time, so that what is given up does not depend on which was first."""
        given_up: list[list[Collection[int]]] = [[] for _ in wanted]
        with self.trainer.abreast(posed, features, shares=wanted[0].shares) as stand:
            seen = stand(given_up)
            while any(standing.checkpoints for standing in seen):
                checkpoints = {
                    group.members[member]: checkpoint
                    for group, standing in zip(wanted, seen, strict=True)
                    for member, checkpoint in standing.checkpoints.items()
                }
                doomed = judge(dict(sorted(checkpoints.items())))
                for group, own in zip(wanted, given_up, strict=True):
                    own.append([member for member, place in enumerate(group.members) if place in doomed])
                seen = stand(given_up)
        return [standing.outcomes for standing in seen]


def _tell_again(asked: Sequence[Group], found: Mapping[int, TrialResult | None], judge: Judge) -> None:
    """Tells the judge of trials that were finished before what it was told when they ran, in the same order."""
    for _, alike in groupby(asked, key=lambda group: (group.shares, group.together)):
        places = sorted(place for group in alike if group.together for place in group.members)
        curves = {place: result.curve for place in places if (result := found[place]) is not None}
        for index in range(max(map(len, curves.values()), default=0)):
            judge({place: curve[index] for place, curve in curves.items() if index < len(curve)})
