"""A trained model that answers for new pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from handful import export
from handful.api.answering import answer
from handful.api.bulk import Written, predict_into
from handful.api.data import as_wanted
from handful.api.portions import Wanted
from handful.core.errors import DataError
from handful.core.machine import count_threads
from handful.core.progress import Progress, Silent
from handful.core.records import PixelArray, Prediction, Skipped
from handful.images import Found, Given, find_pictures, read_unchecked
from handful.images.sorting import By
from handful.transfer import Model


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers for the readable pictures, and the others with the reason; iterates over the answers.

    Attributes:
        answers: one for each readable picture.
        skipped: the others.
        found: where the pictures are, in the order of the answers.
        read: gives a picture, uint8 (H, W, 3), of at least as many pixels a side as `shortest`.
    """

    answers: tuple[Prediction, ...]
    skipped: tuple[Skipped, ...]
    found: tuple[Found, ...] = field(repr=False, compare=False)
    read: Callable[..., PixelArray] = field(repr=False, compare=False)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, index: int) -> Prediction:
        return self.answers[index]

    def _repr_html_(self) -> str:
        """Returns the first answers beside their pictures, for a notebook."""
        from handful.report import answers_html

        return answers_html(self.answers, self.skipped, [partial(self.read, each) for each in self.found])


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained model that answers for new pictures."""

    model: Model

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return self.model.classes

    def _repr_html_(self) -> str:
        """Returns the classes and the networks, for a notebook."""
        from handful.report import model_html

        return model_html(self.classes, [member.trunk.spec.title for member in self.model.members])

    def predict(self, pictures: Any, *, threads: int | None = None, progress: Progress | None = None) -> Predictions:
        """Returns the most probable class and all probabilities of each picture, in the order given, each once.

        Beside them stands what the model's rules make of them; see `Prediction`. All answers are held in memory; for
        very many there is `predict_into`.

        Args:
            pictures: a picture, a folder or an archive of pictures, a table that lists them, or several of these; or
                pictures in memory: arrays, uint8 (H, W, 3), Pillow's pictures, bytes, or a data set that `train` takes.
            threads: all cores by default.
            progress: told about the work.

        Raises:
            DataError: a path does not exist, or nothing in it looks like a picture.
        """
        watch, n_threads = progress or Silent(), count_threads(threads)
        reading, full_scale = self.model.reading, self.model.full_scale
        found = find_pictures(as_wanted(pictures), reading, progress=watch)
        done = list(answer(self.model, found, threads=n_threads, progress=watch))
        skipped = sorted((one for one in done if isinstance(one, Skipped)), key=lambda one: one.path)
        return Predictions(
            tuple(one for one in done if isinstance(one, Prediction)),
            tuple(skipped),
            tuple(each for each, one in zip(found, done, strict=True) if isinstance(one, Prediction)),
            partial(read_unchecked, config=reading, full_scale=full_scale),
        )

    def predict_into(
        self,
        out: str | PathLike[str],
        pictures: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        top: int | None = None,
        features: bool = False,
        sort_into: str | PathLike[str] | None = None,
        by: By = "link",
        ray: str | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Writes the answers for any number of pictures into a table, in memory that does not grow with them.

        The table has a row for every picture, in the order given, each once; a picture that cannot be read has the
        reason in the column error. It appears when all is done. Until then the answers lie in a file beside it, from
        which the same call goes on after any interruption.

        Args:
            out: a new .csv, .jsonl or .parquet file.
            pictures: a picture, a folder or an archive of pictures, a table that lists them, or several of these.
            top: write the probabilities of so many classes, the most probable first; of all where None.
            features: write what the networks see in each picture too, float32 (D,), into a .parquet file: several
                networks side by side, each averaged over its views. The file says which networks these are.
            sort_into: a folder to sort the pictures into, by answer; the doubtful ones go into its folder _unsure.
            by: "link" or "copy".
            ray: the address of a Ray cluster that answers, as in `cluster.opened`; every node has to reach the pictures
                by the same names. The answers are the same on processors of the same type.
            threads: all cores by default; those of a cluster on this machine.
            progress: told about the work.

        Raises:
            DataError: a path does not exist, nothing in it looks like a picture, or what was begun was something else.
            ConfigError: an option has a value that cannot work.
            HandfulError: the table exists, or cannot be written.
        """
        paths = as_wanted(pictures)
        if isinstance(paths, Given):
            raise DataError(
                f"{paths.title} are in memory; `predict_into` reads files. Give their paths, or use `predict`."
            )
        return predict_into(
            self.model,
            Path(out),
            paths,
            wanted=Wanted(top, features),
            sort_into=None if sort_into is None else Path(sort_into),
            by=by,
            ray=ray,
            threads=threads,
            progress=progress or Silent(),
        )


def load(run: str | PathLike[str]) -> Classifier:
    """Returns the classifier of a run folder.

    Raises:
        BundleError: there is none, it was damaged, or this version cannot read it.
    """
    return Classifier(export.load(Path(run)))
