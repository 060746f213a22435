"""The numbers behind every drawing, apart from the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.records import ClassFigures, Evaluation, Picture, Run
from handful.evaluate import CalibrationBin, calibration_bins, wilson_interval


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said about one test picture.

    Attributes:
        picture: the picture.
        true: its class.
        predicted: the most probable class.
        confidence: the probability of the predicted class.
        true_probability: the probability of the true class.
    """

    picture: Picture
    true: str
    predicted: str
    confidence: float
    true_probability: float

    @property
    def right(self) -> bool:
        """Whether the most probable class is the true one."""
        return self.true == self.predicted


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often pictures of one class were taken for another; `share` of the pictures of the true class."""

    true: str
    predicted: str
    n: int
    share: float


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """Test pictures answered with similar confidence, and how far their accuracy is certain (Wilson, 95 %)."""

    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SearchCurve:
    """The held-out log loss for every penalty that was tried on one backbone, ascending by penalty."""

    backbone: str
    penalties: tuple[float, ...]
    log_losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    chosen: float


def answers(run: Run) -> tuple[Answer, ...]:
    """Returns one answer per test picture, in the order of `split.test`."""
    classes = run.table.classes
    predicted = run.test_proba.argmax(axis=1)
    return tuple(
        Answer(
            picture=picture,
            true=classes[picture.label],
            predicted=classes[best],
            confidence=float(row[best]),
            true_probability=float(row[picture.label]),
        )
        for picture, row, best in zip(test_pictures(run), run.test_proba, predicted, strict=True)
    )


def test_pictures(run: Run) -> tuple[Picture, ...]:
    """Returns the test pictures, in the order of `split.test`."""
    return tuple(run.table.pictures[index] for index in run.split.test)


def confident_mistakes(given: Sequence[Answer], *, limit: int) -> tuple[Answer, ...]:
    """Returns the wrong answers, the most confident first; of equals the first by path."""
    wrong = [answer for answer in given if not answer.right]
    return tuple(sorted(wrong, key=lambda answer: (-answer.confidence, answer.picture.path))[:limit])


def least_certain(given: Sequence[Answer], *, limit: int) -> tuple[Answer, ...]:
    """Returns the answers with the lowest confidence, right or wrong, the lowest first; of equals the first by path."""
    return tuple(sorted(given, key=lambda answer: (answer.confidence, answer.picture.path))[:limit])


def worst_confusions(figures: Evaluation, *, limit: int) -> tuple[Confusion, ...]:
    """Returns the pairs of classes that are mistaken most often, by count, then by share of the true class."""
    names = [each.name for each in figures.per_class]
    totals = figures.confusion.sum(axis=1)
    pairs = [
        Confusion(
            true=names[true],
            predicted=names[predicted],
            n=int(figures.confusion[true, predicted]),
            share=float(figures.confusion[true, predicted] / totals[true]),
        )
        for true, predicted in np.argwhere(figures.confusion)
        if true != predicted
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.n, -pair.share, pair.true, pair.predicted))[:limit])


def by_recall(figures: Evaluation) -> tuple[ClassFigures, ...]:
    """Returns the classes, the least recognised first; those without test pictures last."""
    return tuple(sorted(figures.per_class, key=lambda each: (each.n_test == 0, each.recall if each.n_test else 0.0)))


def reliability(run: Run) -> tuple[ReliabilityPoint, ...]:
    """Returns the test pictures in bins of equal count by confidence; empty where bins would hold fewer than 5."""
    labels = run.table.labels[run.split.test]
    n_bins = min(10, len(labels) // 5)
    if n_bins < 2:
        return ()
    return tuple(_point(each) for each in calibration_bins(run.test_proba, labels, n_bins=n_bins))


def searches(run: Run) -> tuple[SearchCurve, ...]:
    """Returns one curve per head whose penalty was searched."""
    return tuple(
        SearchCurve(
            backbone=used.backbone,
            penalties=tuple(each["penalty"] for each in tried),
            log_losses=tuple(each["log_loss"] for each in tried),
            accuracies=tuple(each["accuracy"] for each in tried),
            chosen=head.penalty,
        )
        for used, head in zip(run.weights, run.heads, strict=True)
        if (tried := sorted(head.search, key=lambda each: each["penalty"]))
    )


def held_out_noun(run: Run) -> str:
    """Returns what the held-out figures are of: training pictures, or those that training or a search looked at."""
    of_validation = len(run.split.validation) > 0 if run.search else bool(run.training)
    return "validation picture" if of_validation else "training picture"


def n_held_out(run: Run) -> int:
    """Returns how many pictures were answered by models that had not seen them."""
    return run.held_out.n_test if run.held_out else 0


def _point(given: CalibrationBin) -> ReliabilityPoint:
    return ReliabilityPoint(
        n=given.n,
        confidence=given.confidence,
        accuracy=given.accuracy,
        interval=wilson_interval(round(given.n * given.accuracy), given.n),
    )
