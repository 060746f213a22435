"""The pictures: drawn by the seed, written to folders once, so that every peer sees the same files.

FOLDER/cifar-0/pictures/train/<class>/0000.jpg ...    what is trained on
               pictures/test/0000.jpg ...             what has to be named; no classes, in an order that tells none
               pictures/table.csv                     path, label, part: the same pictures for handful's own test
               truth.csv                              name, label of the test pictures, for the scorer
               split.json                             numbers of pictures, and a hash of who trains and who tests
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from benchmarks.cifar_five import CLASSES as CIFAR_CLASSES
from handful.cli.demo import solar_cells
from handful.core.errors import ConfigError, DataError

PER_CLASS = 400
TEST_SHARE = 0.25
THRESHOLD = 0.5
"""Probability of a defect from which on a solar cell is defective."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture of a task: its class, its file's ending, and how to get the file's bytes."""

    label: str
    suffix: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Where the pictures of a task and a seed lie.

    Attributes:
        pictures: folder with `train`, `test` and `table.csv`.
        truth: class of each test picture by its file's name.
        n_train: training pictures.
        split: SHA-256 over the bytes and classes of all pictures and their parts; equal where the split is.
    """

    pictures: Path
    truth: Mapping[str, str]
    n_train: int
    split: str


Parts = tuple[list[Drawn], list[Drawn]]


def prepare(task: str, seed: int, folder: Path, *, data: Path | None = None) -> Prepared:
    """Returns the pictures of a task, written the first time and found from then on.

    Args:
        task: one of `TASKS`.
        seed: draws them.
        folder: where they go.
        data: the archive of pictures, for `cifar`.

    Raises:
        ConfigError: there is no such task, or it needs `data`.
        DataError: the archive does not hold the classes, or too few pictures of one.
    """
    if task not in TASKS:
        raise ConfigError(f"there is no task {task!r}. Expected one of {', '.join(TASKS)}.")
    place = folder / f"{task}-{seed}"
    if not (place / "split.json").is_file():
        shutil.rmtree(place, ignore_errors=True)
        _write(place, *TASKS[task](seed, data), seed=seed)
    with (place / "truth.csv").open(encoding="utf-8", newline="") as stream:
        truth = {row["name"]: row["label"] for row in csv.DictReader(stream)}
    facts = json.loads((place / "split.json").read_text(encoding="utf-8"))
    return Prepared(place / "pictures", truth, facts["n_train"], facts["split"])


def draw_cifar(seed: int, data: Path | None) -> Parts:
    """Returns five classes: 400 training pictures each, drawn by the seed, and the whole test part."""
    if data is None:
        raise ConfigError("the task cifar needs --data: a zip archive with train/<class>/ and test/<class>/.")
    rng = random.Random(seed)
    train: list[Drawn] = []
    test: list[Drawn] = []
    archive = zipfile.ZipFile(data)
    names = sorted(archive.namelist())
    for label in CIFAR_CLASSES:
        ours = [name for name in names if PurePosixPath(name).parent.name == label and not name.endswith("/")]
        learning = [name for name in ours if PurePosixPath(name).parent.parent.name == "train"]
        tested = [name for name in ours if PurePosixPath(name).parent.parent.name == "test"]
        if len(learning) < PER_CLASS or not tested:
            raise DataError(
                f"{data} has {len(learning)} pictures in train/{label}/ and {len(tested)} in test/{label}/; the task "
                f"needs {PER_CLASS} and at least one. Name a zip of CIFAR-10 with train/<class>/ and test/<class>/."
            )
        train += [_member(archive, name, label) for name in rng.sample(learning, PER_CLASS)]
        test += [_member(archive, name, label) for name in tested]
    return train, test


def draw_solar(seed: int, data: Path | None) -> Parts:
    """Returns the ELPV solar cells, functional or defective, a quarter of each class to test."""
    by_class: dict[str, list[Path]] = {"defective": [], "functional": []}
    for path, probability in solar_cells():
        by_class["defective" if probability >= THRESHOLD else "functional"].append(path)
    return split_stratified(by_class, seed)


def split_stratified(by_class: Mapping[str, Sequence[Path]], seed: int) -> Parts:
    """Returns training and test pictures: a quarter of every class, drawn by the seed, tests."""
    rng = random.Random(seed)
    train: list[Drawn] = []
    test: list[Drawn] = []
    for label, paths in sorted(by_class.items()):
        mixed = rng.sample(sorted(paths), len(paths))
        n_test = round(TEST_SHARE * len(mixed))
        test += [Drawn(label, path.suffix, path.read_bytes) for path in mixed[:n_test]]
        train += [Drawn(label, path.suffix, path.read_bytes) for path in mixed[n_test:]]
    return train, test


TASKS: dict[str, Callable[[int, Path | None], Parts]] = {"cifar": draw_cifar, "solar": draw_solar}
TITLES = {"cifar": "CIFAR-10, five classes, 400 pictures each", "solar": "Solar cells, functional or defective"}


def _member(archive: zipfile.ZipFile, name: str, label: str) -> Drawn:
    return Drawn(label, PurePosixPath(name).suffix.lower(), partial(archive.read, name))


def _write(place: Path, train: Sequence[Drawn], test: Sequence[Drawn], *, seed: int) -> None:
    """Writes the files; `split.json` is last, so that a folder without it is not whole."""
    mixed = random.Random(seed).sample(test, len(test))
    pictures = place / "pictures"
    rows: list[tuple[str, str, str]] = []
    lines: list[str] = []
    for part, drawn in (("train", train), ("test", mixed)):
        for number, picture in enumerate(drawn):
            inside = f"{part}/{picture.label}" if part == "train" else part
            path = f"{inside}/{number:04d}{picture.suffix}"
            data = picture.read()
            (pictures / inside).mkdir(parents=True, exist_ok=True)
            (pictures / path).write_bytes(data)
            rows.append((path, picture.label, part))
            lines.append(f"{part} {picture.label} {hashlib.sha256(data).hexdigest()}")
    _write_csv(pictures / "table.csv", ("path", "label", "part"), rows)
    truth = [(PurePosixPath(path).name, label) for path, label, part in rows if part == "test"]
    _write_csv(place / "truth.csv", ("name", "label"), truth)
    split = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    facts = {"n_train": len(train), "n_test": len(test), "split": split}
    (place / "split.json").write_text(json.dumps(facts), encoding="utf-8")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(stream.getvalue(), encoding="utf-8")
