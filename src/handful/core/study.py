"""The records of a study: many trainings that differ in a few options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from handful.core.training import Checkpoint

Value = str | int | float | bool | None
"""What an option may be set to."""

Status = Literal["done", "failed", "pruned"]


@dataclass(frozen=True, slots=True)
class Axis:
    """An option that a study varies.

    Attributes:
        option: its name in `TrainConfig`.
        values: what it is set to, in order; empty for a range that is searched.
        low, high: ends of a range that is searched; both None for a list.
        log: whether the range is searched by its logarithm.
    """

    option: str
    values: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a study.

    Attributes:
        options: every option that was set, the varied ones too, by its name in `TrainConfig`; but not the seed.
        seed: decides which of the learning pictures validate, the first weights, the order, and what is dropped out.
    """

    options: Mapping[str, Value]
    seed: int


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How a trial ended. A study judges the weights at the end of the epochs; nothing is chosen by validation within.

    Attributes:
        trial: what was trained.
        status: "done"; "failed", where a loss or a feature was no number, or nothing could be held out to choose an
            output layer by; "pruned", where the search gave it up.
        stopped: why it ended, in plain words.
        curve: one entry per epoch, as far as it went; a single one, of epoch 0, where an output layer was solved for.
        failed_at: the update at which the loss was no longer a number; 0 where features were none before any; None
            where nothing was trained.
        n_train: pictures that it was trained with.
        right: one truth value per validation picture, in the order of the data set: whether the last weights answer it
            rightly. Trials of one seed and one data set have the same validation pictures. Empty where it failed.
    """

    trial: Trial
    status: Status
    stopped: str
    curve: tuple[Checkpoint, ...]
    failed_at: int | None
    n_train: int
    right: tuple[bool, ...]

    @property
    def accuracy(self) -> float | None:
        """Validation accuracy at the end, in [0, 1]; None unless the trial is done."""
        return sum(self.right) / len(self.right) if self.status == "done" else None

    @property
    def loss(self) -> float | None:
        """Validation log loss at the end; None unless the trial is done."""
        return self.curve[-1].validation_loss if self.status == "done" else None


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study is: everything that decides its results.

    Attributes:
        data: the data set as the user named it, absolute.
        data_sha256: hash of every learning picture with its class: another data set is another study.
        axes: what is varied.
        base: the options that are set and not varied.
        seeds: one training of each setting per seed.
        search: "grid" tries every combination; "random" and "tpe" ask Optuna's samplers.
        n_trials: settings that are asked for in a search; 0 in a grid.
        prune: how a search gives trials up early: "none", "median" or "halving".
        classes: class names.
        n_learn: learning pictures: training and validation together.
        n_validation: validation pictures of a trial.
        n_test: test pictures, which a study does not read.
        validation_given: whether the validation pictures are the user's own part, the same for every seed.
    """

    data: str
    data_sha256: str
    axes: tuple[Axis, ...]
    base: Mapping[str, Value]
    seeds: tuple[int, ...]
    search: Literal["grid", "random", "tpe"]
    n_trials: int
    prune: Literal["none", "median", "halving"]
    classes: tuple[str, ...]
    n_learn: int
    n_validation: int
    n_test: int
    validation_given: bool = False

    @property
    def pool(self) -> int:
        """Pictures that the validation parts of all seeds are drawn from."""
        return self.n_validation if self.validation_given else self.n_learn


@dataclass(frozen=True, slots=True)
class Setting:
    """The trials that differ in their seed only.

    Attributes:
        options: the varied options.
        results: one per seed, in the order of the seeds.
        accuracy: mean validation accuracy of the done ones, in [0, 1]; None where one of them is not done.
        spread: standard deviation of it between seeds; None for fewer than two.
    """

    options: Mapping[str, Value]
    results: tuple[TrialResult, ...]
    accuracy: float | None
    spread: float | None


@dataclass(frozen=True, slots=True)
class Study:
    """A study and what came out of it.

    Attributes:
        plan: what it is.
        settings: in the order in which they were tried.
        best: index of the setting with the highest mean validation accuracy (of equal ones that with the lowest mean
            loss); None where none is done.
        versions: library name to version.
        machine: processor, cores and threads, in one line.
        command: the command that makes the study again.
        seconds: wall-clock time of the last call.
    """

    plan: StudyPlan
    settings: tuple[Setting, ...]
    best: int | None
    versions: Mapping[str, str]
    machine: str
    command: str
    seconds: float
