"""From files to answers: each is decoded once; what the model's rules make of it stands beside its probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from handful.core.machine import limit_threads
from handful.core.progress import Advance, Progress
from handful.core.records import Prediction, Skipped
from handful.evaluate import are_unlike, are_unsure, prediction_sets
from handful.images import Found
from handful.transfer import Examined, Model, judge, see_unchecked, side_by_side

PORTION = 512
"""Files whose features are held at a time: few enough to lose little when stopped, and for memory (3 MB of features);
enough that it does not matter that the threads wait for each other after each."""


def answer(model: Model, found: Sequence[Found], *, threads: int, progress: Progress) -> Iterator[Prediction | Skipped]:
    """Yields an answer for every file, in order, or why there is none."""
    with progress.stage("Predicting", len(found)) as advance:
        waiting = iter(found)
        while portion := list(islice(waiting, PORTION)):
            yield from answer_portion(model, portion, threads=threads, progress=Steps(model, advance, progress))


def answer_portion(
    model: Model, found: Sequence[Found], *, threads: int, progress: Progress, with_features: bool = False
) -> list[Prediction | Skipped]:
    """Returns an answer for every file, in order, or why there is none; the features of all are held at once."""
    tried = [each for each in found if not each.reason]
    reasons = {each.name: each.reason for each in found if each.reason}
    answers: dict[str, Prediction] = {}
    if tried:
        with limit_threads(threads):
            features, faults = see_unchecked(model, tried, threads=threads, progress=progress)
            examined = judge(model, features)
        reasons |= {tried[row].name: reason for row, reason in faults.items()}
        readable = [each.name for each in tried if each.name not in reasons]
        answers = {each.path: each for each in answers_of(model, readable, examined)}
        if with_features:
            seen = zip(answers.values(), side_by_side(features), strict=True)
            answers = {each.path: replace(each, features=row) for each, row in seen}
    return [answers[name] if name in answers else Skipped(name, reasons[name]) for name in (one.name for one in found)]


@dataclass(slots=True)
class Steps:
    """Makes one bar of pictures from what the networks tell of their squares.

    Attributes:
        model: has some networks, each with its views.
        advance: moves the bar.
        progress: is told the rest.
        n_squares: done, and not yet a whole picture.
    """

    model: Model
    advance: Advance
    progress: Progress
    n_squares: int = 0

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Advance]:
        """Opens a stage that moves the bar by its share."""
        yield self._count

    def say(self, message: str) -> None:
        """Passes the message on."""
        self.progress.say(message)

    def _count(self, n_done: int, note: str = "") -> None:
        per_picture = sum(len(member.views) for member in self.model.members)
        n_pictures, self.n_squares = divmod(self.n_squares + n_done, per_picture)
        self.advance(n_pictures)


def answers_of(model: Model, paths: Sequence[str], found: Examined) -> tuple[Prediction, ...]:
    """Returns the answers for pictures of these names, with what the model's rules make of the probabilities."""
    rules, classes = model.rules, np.array(model.classes, dtype=object)
    plain = [Prediction(path, classes[row.argmax()], row) for path, row in zip(paths, found.proba, strict=True)]
    if rules is None:
        return tuple(plain)
    named, unsure = prediction_sets(found.proba, rules.sets), are_unsure(found.proba, rules.answer)
    unlike: list[bool | None] = [None] * len(plain)
    if rules.familiar is not None and found.distances is not None:
        unlike = are_unlike(found.distances, rules.familiar).tolist()
    return tuple(
        replace(each, named=tuple(classes[names]), unsure=bool(doubt), unlike=strange)
        for each, names, doubt, strange in zip(plain, named, unsure, unlike, strict=True)
    )
