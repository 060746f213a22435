"""The way through a reproduction: pictures, trainings, one look at the test part, verdicts, the page."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from handful.core.config import ReadingConfig
from handful.core.errors import ConfigError, HandfulError
from handful.core.files import check_cache, remove_unfinished
from handful.core.folders import refuse_existing, refuse_held, reserved
from handful.core.machine import describe_machine, limit_threads, versions
from handful.core.notation import nearest
from handful.core.progress import Progress, Silent
from handful.core.records import ImageTable, Split
from handful.core.study import Setting, Trial, Value
from handful.images import read
from handful.reproduce.best import choose_best, measure_on_test
from handful.reproduce.claims import judge
from handful.reproduce.directions import directions
from handful.reproduce.experiments import FIGURES, FULL_SIZE, FURTHER, default_point, distinct, experiments
from handful.reproduce.network import choose_network
from handful.reproduce.page import RESULT, write_reproduction
from handful.reproduce.pictures import (
    CIFAR_CLASSES,
    N_CLASSES,
    TEST_SHARE,
    draw_parts,
    most_frequent,
    official,
    read_pictures,
)
from handful.reproduce.records import Evidence, Measured, Point, Reproduction, Request
from handful.split import test_size
from handful.study import run_trials
from handful.study.trials import settings_of

ALL = "all"

LEAST_OF_PAPER = 1600
"""Training pictures from which the paper's accuracies mean something: it had 1 600 to 3 200, going by its updates."""

Key = tuple[tuple[str, Value], ...]
"""A setting's options, sorted by name."""

TRIALS = "trials"
"""Where the study room keeps finished trainings."""


def reproduce(request: Request, *, progress: Progress | None = None) -> Reproduction:
    """Does the paper's experiments again and writes a page with a verdict on each claim.

    Every training is kept as a file as soon as it is done, so a reproduction that was stopped goes on in its folder.

    Args:
        request: what is to be done.
        progress: told about the work.

    Returns:
        What was measured, the verdicts and the advice; the page is in `request.out`.

    Raises:
        ConfigError: no such figure or network.
        DataError: there are no pictures, or they cannot be used as they are.
        WeightsError: the network cannot be had.
        HandfulError: the folder holds something else, or a finished reproduction.
    """
    start, watch = perf_counter(), progress or Silent()
    asked = asked_for(request.figures)
    _check_folder(request.out)
    check_cache()
    backbone, network = choose_network(request.backbone, offline=request.offline, progress=watch)
    watch.say(network)
    data = request.data or official(offline=request.offline, progress=watch)
    with reserved(request.out, progress=watch), limit_threads(request.threads):
        remove_unfinished(request.out)
        table = read_pictures(data, request.classes, threads=request.threads, progress=watch)
        work = _Work(request, backbone, table, draw_parts(table), watch)
        evidence = Evidence(
            mode=request.mode,
            asked=asked,
            measured=work.measured(asked),
            chance=most_frequent(table, work.split.train),
            is_papers=work.is_papers,
        )
        best = None
        if "best" in asked:
            evidence, best = work.further(evidence)
    results = [result for one in _settings(evidence) for result in one.results]
    reproduction = Reproduction(
        request=request,
        evidence=evidence,
        verdicts=judge(evidence),
        directions=directions(evidence),
        best=best,
        network=network,
        cautions=tuple(work.cautions()),
        classes=table.classes,
        n_learn=len(work.split.train),
        n_validation=work.n_validation,
        n_test=len(work.split.test),
        n_trained=len({(_key(result.trial.options), result.trial.seed) for result in results}),
        versions=versions(),
        machine=describe_machine(request.threads),
        command=_command(request),
        seconds=perf_counter() - start,
    )
    write_reproduction(reproduction, request.out)
    return reproduction


def asked_for(figures: Sequence[str]) -> tuple[str, ...]:
    """Returns the experiments whose claims are judged: the named figures, or everything.

    Raises:
        ConfigError: there is no such figure.

    Example:
        >>> asked_for(["7a", "6"])
        ('6', '7a')
    """
    for name in figures:
        if name not in (*FIGURES, ALL):
            raise ConfigError(
                f"there is no figure {name!r} to reproduce. {nearest(name, FIGURES)}The figures are: "
                f"{', '.join(FIGURES)}, or {ALL}."
            )
    if not figures or ALL in figures:
        return (*FIGURES, *FURTHER)
    return tuple(name for name in FIGURES if name in figures)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the steps of a reproduction share."""

    request: Request
    backbone: str
    table: ImageTable
    split: Split
    progress: Progress

    @property
    def n_validation(self) -> int:
        """Validation pictures of a training."""
        return test_size(len(self.split.train), TEST_SHARE)

    @property
    def n_train(self) -> int:
        """Training pictures of a training that leaves none out."""
        return len(self.split.train) - self.n_validation

    @property
    def is_papers(self) -> bool:
        """Whether these are about as many pictures of five of the same classes as the paper had."""
        classes = set(self.table.classes)
        return len(classes) == N_CLASSES and classes <= CIFAR_CLASSES and self.n_train >= LEAST_OF_PAPER

    def measured(self, asked: Sequence[str]) -> dict[str, Measured]:
        """Trains what the figures need, equal settings once, and returns what came out by the experiment's name."""
        every = experiments(
            backbone=self.backbone,
            mode=self.request.mode,
            n_train=self.n_train,
            n_classes=len(self.table.classes),
        )
        whole = "best" in asked
        chosen = {name: one for name, one in every.items() if name in asked or (whole and name not in FIGURES)}
        settings = self.trained(self.table, self.split, distinct(list(chosen.values())))
        return {
            name: Measured(one, tuple(settings[_key(point.options)] for point in one.points))
            for name, one in chosen.items()
        }

    def further(self, evidence: Evidence) -> tuple[Evidence, Mapping[str, Value] | None]:
        """Returns the evidence with the test part's figures of the best setting, and with unlike pictures."""
        best = choose_best(list(_settings(evidence)), backbone=self.backbone)
        if best is not None:
            test = measure_on_test(
                self.table, self.split, best.options, threads=self.request.threads, progress=self.progress
            )
            evidence = replace(evidence, test=test)
        if self.request.unlike is not None:
            table = read(self.request.unlike, ReadingConfig(), threads=self.request.threads, progress=self.progress)
            split = draw_parts(table)
            point = default_point(backbone=self.backbone, mode=self.request.mode)
            (setting,) = self.trained(table, split, (point,)).values()
            evidence = replace(evidence, unlike=setting, unlike_chance=most_frequent(table, split.train))
        return evidence, None if best is None else best.options

    def trained(self, table: ImageTable, split: Split, points: Sequence[Point]) -> dict[Key, Setting]:
        """Returns the points' settings, by their options, with one result per seed."""
        trials = [Trial(point.options, seed) for point in points for seed in range(self.request.n_seeds)]
        results = run_trials(
            table,
            split,
            trials,
            folder=self.request.out,
            threads=self.request.threads,
            progress=self.progress,
        )
        by_key = defaultdict(list)
        for result in results:
            by_key[_key(result.trial.options)].append(result)
        return {
            _key(point.options): settings_of(by_key[_key(point.options)], tuple(point.options))[0] for point in points
        }

    def cautions(self) -> Iterator[str]:
        """Yields what differs from the paper's experiment."""
        named = ", ".join(self.table.classes)
        if self.is_papers and not self.request.classes:
            yield f"The paper does not name its five classes of CIFAR-10; these are the first five by name: {named}."
        elif not self.is_papers:
            yield (
                f"The paper's accuracies are those of about {FULL_SIZE:,} training pictures in five classes of "
                f"CIFAR-10; these are {self.n_train:,} in {named}."
            )
        if self.n_train < FULL_SIZE:
            yield f"There are {self.n_train:,} training pictures, not {FULL_SIZE:,}: the sizes of figure 6 are scaled."


def _settings(evidence: Evidence) -> Iterator[Setting]:
    for measured in evidence.measured.values():
        yield from measured.settings


def _key(options: Mapping[str, Value]) -> Key:
    return tuple(sorted(options.items()))


def _check_folder(folder: Path) -> None:
    """Raises HandfulError where a folder is neither new nor an unfinished reproduction, or another process has it."""
    refuse_held(folder)
    if (folder / RESULT).exists():
        raise HandfulError(
            f"{folder} holds a finished reproduction, whose test part was read. Choose another name with --out; the "
            "cached features serve again."
        )
    if not (folder / TRIALS).is_dir():
        refuse_existing(folder)


def _command(request: Request) -> str:
    words = ["handful", "reproduce", *(request.figures or (ALL,)), "--mode", request.mode]
    words += ["--seeds", str(request.n_seeds)]
    words += ["--data", str(request.data)] if request.data else []
    words += ["--classes", ",".join(request.classes)] if request.classes else []
    words += ["--backbone", request.backbone] if request.backbone else []
    return shlex.join(words)
