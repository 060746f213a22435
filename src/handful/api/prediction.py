"""A trained model that answers for new pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from handful import export
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Progress, Silent
from handful.core.records import Prediction, Skipped
from handful.evaluate import are_unlike, are_unsure, prediction_sets
from handful.images import read_unlabelled
from handful.transfer import Examined, Model, examine


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers for the readable pictures, and the others with the reason; iterates over the answers."""

    answers: tuple[Prediction, ...]
    skipped: tuple[Skipped, ...]

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, index: int) -> Prediction:
        return self.answers[index]


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained model that answers for new pictures."""

    model: Model

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return self.model.classes

    def predict(
        self,
        pictures: str | PathLike[str] | Iterable[str | PathLike[str]],
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Predictions:
        """Returns the most probable class and all probabilities of each picture, in the order given, each once.

        Beside them stands what the model's rules make of them; see `Prediction`.

        Args:
            pictures: a picture, a folder or an archive of pictures, or several of them.
            threads: all cores by default.
            progress: told about the work.

        Raises:
            DataError: a path does not exist, or nothing in it looks like a picture.
        """
        named = [pictures] if isinstance(pictures, str | PathLike) else list(pictures)
        watch = progress or Silent()
        n_threads = count_threads(threads)
        table = read_unlabelled(
            [Path(name) for name in named],
            self.model.reading,
            full_scale=self.model.full_scale,
            threads=n_threads,
            progress=watch,
        )
        with limit_threads(n_threads):
            found = examine(self.model, table, table.pictures, threads=n_threads, progress=watch, use_cache=False)
        return Predictions(answers_of(self.model, [picture.path for picture in table.pictures], found), table.skipped)


def load(run: str | PathLike[str]) -> Classifier:
    """Returns the classifier of a run folder.

    Raises:
        BundleError: there is none, it was damaged, or this version cannot read it.
    """
    return Classifier(export.load(Path(run)))


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
