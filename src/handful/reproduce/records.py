"""The records of a reproduction: what was tried, what it gave, and what that says about the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from handful.core.records import Evaluation
from handful.core.study import Setting, Value

Mode = Literal["features", "finetune"]
"""The two readings of the paper: AlexNet as a fixed feature extractor, or every layer trained at a small base rate."""

Word = Literal["agrees", "disagrees", "cannot tell", "not tested in this mode"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be reproduced.

    Attributes:
        data: pictures to use; None for the official CIFAR-10 archive.
        out: the folder to make.
        figures: names of figures; empty for all of them and the further claims.
        n_seeds: trainings of each setting.
        mode: which layers learn.
        classes: which classes; empty for the first five by name.
        backbone: the network; None for AlexNet, as much of it as can be had.
        unlike: pictures that differ a lot from ImageNet; None where there are none.
        threads: resolved.
        offline: never open a network connection.
    """

    data: Path | None
    out: Path
    figures: tuple[str, ...]
    n_seeds: int
    mode: Mode
    classes: tuple[str, ...]
    backbone: str | None
    unlike: Path | None
    threads: int
    offline: bool


@dataclass(frozen=True, slots=True)
class Point:
    """One value on a figure's horizontal axis, and every option of the training behind it."""

    label: str
    options: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One of the paper's figures, or a further experiment.

    Attributes:
        name: "7a"; a word for experiments that have no figure in the paper.
        title: what it is about.
        axis: what the horizontal axis shows.
        points: in the order of the axis.
        curves: whether it shows how trainings went, rather than how they ended.
        note: how it was done where that is not plain.
        level: an accuracy that the paper gives for it, in [0, 1].
    """

    name: str
    title: str
    axis: str
    points: tuple[Point, ...]
    curves: bool = False
    note: str = ""
    level: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """An experiment and what it gave: one setting per point, with one result per seed."""

    experiment: Experiment
    settings: tuple[Setting, ...]

    def at(self, label: str) -> Setting:
        """Returns the setting of a point."""
        return self.settings[[point.label for point in self.experiment.points].index(label)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that verdicts rest on.

    Attributes:
        mode: which layers learned.
        asked: the experiments whose claims are judged.
        measured: by the experiment's name.
        chance: accuracy of always naming the most frequent class of the learning pictures.
        is_papers: whether the pictures are five classes of CIFAR-10, so that the paper's accuracies mean something.
        test: figures of the best setting on the test part; None where it was not read.
        unlike: the usual setting on pictures that differ a lot from ImageNet; None where there were none.
        unlike_chance: as `chance`, of those pictures.
    """

    mode: Mode
    asked: tuple[str, ...]
    measured: Mapping[str, Measured]
    chance: float
    is_papers: bool
    test: Evaluation | None = None
    unlike: Setting | None = None
    unlike_chance: float = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the measurements say about one claim of the paper.

    Attributes:
        figure: the paper's figure, or a word for claims of its text.
        claim: the claim in words.
        verdict: the verdict.
        sentence: what was measured, with its uncertainty.
        numbers: the statistics behind it, by what they are of.
    """

    figure: str
    claim: str
    verdict: Word
    sentence: str
    numbers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A finished reproduction.

    Attributes:
        request: what was asked for.
        evidence: what was measured.
        verdicts: one per claim.
        directions: what the numbers advise, one sentence each.
        best: the best setting of the paper's network by validation, as options; None where test was not read.
        network: which network with which layers, and why, in one sentence.
        cautions: what differs from the paper's experiment, one sentence each.
        classes: class names.
        n_learn: learning pictures: training and validation together.
        n_validation: validation pictures of a training.
        n_test: pictures of the test part.
        n_trained: trainings.
        versions: library name to version.
        machine: in one line.
        command: the command that makes it again.
        seconds: wall-clock time.
    """

    request: Request
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    directions: tuple[str, ...]
    best: Mapping[str, Value] | None
    network: str
    cautions: tuple[str, ...]
    classes: tuple[str, ...]
    n_learn: int
    n_validation: int
    n_test: int
    n_trained: int
    versions: Mapping[str, str]
    machine: str
    command: str
    seconds: float
