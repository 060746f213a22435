"""The pictures of a reproduction: CIFAR-10 by default, five classes of it, and about as many as the paper had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from handful.backbones.download import download
from handful.backbones.received import Policy
from handful.core.config import ReadingConfig, SplitConfig
from handful.core.errors import DataError, WeightsError
from handful.core.files import cache_folder, sha256_file
from handful.core.progress import Progress
from handful.core.records import ImageTable, IntArray, Split
from handful.images import read
from handful.images.survey import survey
from handful.split import split, subset, test_size

N_CLASSES = 5
N_LEARN = 2400
"""2 000 to train with, as in the paper, and 400 to validate, as many as test."""

TEST_SHARE = 0.2
"""The paper's size of the test part, as a share of the training part."""

CIFAR_CLASSES = frozenset(
    {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
)  # fmt: skip
SEED = 0
"""Decides which pictures are learnt from and which test; the trainings' seeds only part the former."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A published data set: where it is, its hash, its size, and where downloads may go."""

    url: str
    sha256: str
    n_bytes: int
    policy: Policy


CIFAR10 = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
    Policy(hosts=("www.cs.toronto.edu",)),
)


def official(*, offline: bool, progress: Progress, archive: Archive = CIFAR10) -> Path:
    """Returns the official CIFAR-10 archive in the cache, downloaded and verified unless it is there.

    Args:
        offline: never open a network connection.
        progress: told about the download.
        archive: where it is published; tests pass their own.

    Raises:
        DataError: it is not there and cannot be downloaded; the message says both ways to go on.
    """
    path = cache_folder("data") / Path(archive.url).name
    if path.is_file() and sha256_file(path) == archive.sha256:
        return path
    reason = "no network connection is opened (--offline)"
    if not offline:
        try:
            progress.say(f"Getting {path.name} ({archive.n_bytes / 1e6:.0f} MB) from {archive.url}")
            download(
                archive.url,
                path,
                sha256=archive.sha256,
                max_bytes=archive.n_bytes,
                policy=archive.policy,
                progress=progress,
            )
        except WeightsError as error:
            reason, _, _ = str(error).partition(". ")
        else:
            return path
    raise DataError(
        f"the pictures of the paper, CIFAR-10, are not on this machine: {reason}. Either run this again where "
        f"{archive.url} can be reached, or pass pictures of your own with --data: that file, carried over from another "
        "machine, or any folder with one folder of pictures per class."
    )


def read_pictures(data: Path, classes: tuple[str, ...], *, threads: int, progress: Progress) -> ImageTable:
    """Reads the pictures of some classes.

    Args:
        data: what the user named, or the official archive.
        classes: which; empty for the first five by name, as the paper does not name its five.
        threads: for decoding.
        progress: told about every picture.

    Raises:
        DataError: the pictures cannot be used as they are, or there is no such class.
    """
    if not classes:
        _, layout = survey(data.absolute())
        classes = tuple(sorted({picture.class_name for picture in layout.placed})[:N_CLASSES])
    return read(data, ReadingConfig(classes=classes), threads=threads, progress=progress)


def draw_parts(table: ImageTable, *, n_learn: int = N_LEARN) -> Split:
    """Returns the pictures to learn from and the test part, both drawn so that every class gives its share.

    The user's own parts are kept apart; a validation part joins the learning pictures, of which each training draws
    its own.

    Args:
        table: the data set.
        n_learn: learning pictures, at most; a sixth as many test, so that they are a fifth of the training part.

    Raises:
        DataError: there is nothing to test with.
    """
    whole = split(table, SplitConfig(test=TEST_SHARE), seed=SEED)
    learn = _fewer(table, np.sort(np.concatenate([whole.train, whole.validation])), n_learn)
    test = _fewer(table, whole.test, max(test_size(len(learn), TEST_SHARE), len(table.classes)))
    return replace(whole, train=learn, validation=np.zeros(0, dtype=np.int64), test=test)


def most_frequent(table: ImageTable, rows: IntArray) -> float:
    """Returns the share of the most frequent class: the accuracy of always naming it."""
    return float(np.bincount(table.labels[rows]).max() / len(rows))


def _fewer(table: ImageTable, rows: IntArray, limit: int) -> IntArray:
    return rows if len(rows) <= limit else rows[subset(table.labels[rows], n_images=limit, seed=SEED)]
