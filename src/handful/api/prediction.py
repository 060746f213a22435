"""A trained model that answers for new pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from handful import export
from handful.api.answering import answer, name_none
from handful.api.bulk import Written, predict_into
from handful.core.machine import count_threads
from handful.core.progress import Progress, Silent
from handful.core.records import Prediction, Skipped
from handful.images import Found, open_place
from handful.images.sorting import By
from handful.transfer import Model

Pictures = str | PathLike[str] | Iterable[str | PathLike[str]]
"""A picture, a folder or an archive of pictures, a table that lists pictures, or several of them."""


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
        self, pictures: Pictures, *, threads: int | None = None, progress: Progress | None = None
    ) -> Predictions:
        """Returns the most probable class and all probabilities of each picture, in the order given, each once.

        Beside them stands what the model's rules make of them; see `Prediction`. All answers are held in memory; for
        very many there is `predict_into`.

        Args:
            pictures: a picture, a folder or an archive of pictures, a table that lists them, or several of these.
            threads: all cores by default.
            progress: told about the work.

        Raises:
            DataError: a path does not exist, or nothing in it looks like a picture.
        """
        places = [open_place(path) for path in _paths(pictures)]
        found: dict[str, Found] = {}
        for each in (each for place in places for each in place.find()):
            found.setdefault(each.name, each)
        if not found:
            raise name_none(places)
        watch = progress or Silent()
        done = list(answer(self.model, list(found.values()), threads=count_threads(threads), progress=watch))
        skipped = sorted((one for one in done if isinstance(one, Skipped)), key=lambda one: one.path)
        return Predictions(tuple(one for one in done if isinstance(one, Prediction)), tuple(skipped))

    def predict_into(
        self,
        out: str | PathLike[str],
        pictures: Pictures,
        *,
        top: int | None = None,
        sort_into: str | PathLike[str] | None = None,
        by: By = "link",
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Writes the answers for any number of pictures into a table, in memory that does not grow with them.

        The table has a row for every picture, in the order given, each once; a picture that cannot be read has the
        reason in the column error. It appears when all is done. Until then the answers lie in a file beside it, from
        which the same call goes on after any interruption.

        Args:
            out: a new .csv, .jsonl or .parquet file.
            pictures: as in `predict`.
            top: write the probabilities of so many classes, the most probable first; of all where None.
            sort_into: a folder to sort the pictures into, by answer; the doubtful ones go into its folder _unsure.
            by: "link" or "copy".
            threads: all cores by default.
            progress: told about the work.

        Raises:
            DataError: a path does not exist, nothing in it looks like a picture, or what was begun was something else.
            ConfigError: an option has a value that cannot work.
            HandfulError: the table exists, or cannot be written.
        """
        return predict_into(
            self.model,
            Path(out),
            _paths(pictures),
            top=top,
            sort_into=None if sort_into is None else Path(sort_into),
            by=by,
            threads=count_threads(threads),
            progress=progress or Silent(),
        )


def load(run: str | PathLike[str]) -> Classifier:
    """Returns the classifier of a run folder.

    Raises:
        BundleError: there is none, it was damaged, or this version cannot read it.
    """
    return Classifier(export.load(Path(run)))


def _paths(pictures: Pictures) -> list[Path]:
    named = [pictures] if isinstance(pictures, str | PathLike) else list(pictures)
    return [Path(name) for name in named]
