"""How an exported file in eight bits answers beside the one in fp32, on pictures that the model did not learn from."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handful.core.errors import ExportError
from handful.core.progress import Progress
from handful.core.records import FloatArray
from handful.core.sealed import read_verified
from handful.core.spreadsheet import unprotect
from handful.evaluate import wilson_interval
from handful.export.opened import Opened
from handful.images.survey import open_surveyed

PREDICTIONS = "predictions.csv"

Z = 1.959964
"""Of the normal distribution: 95 % lie within."""

SAME_PICTURE = 0.01
"""A picture whose fp32 probabilities differ by more from what the run wrote down is not the one that it tested."""


@dataclass(frozen=True, slots=True)
class EightBits:
    """The two files on the run's test pictures.

    Attributes:
        n_images: N.
        accuracy: of the file in eight bits.
        interval: of that; 95 %, Wilson.
        accuracy_fp32: of the file in fp32, on the same pictures.
        n_lost: pictures that only fp32 gets right.
        n_gained: pictures that only eight bits get right.
        agreement: share of the pictures on which both name the same class.
        difference: the largest in a probability.
    """

    n_images: int
    accuracy: float
    interval: tuple[float, float]
    accuracy_fp32: float
    n_lost: int
    n_gained: int
    agreement: float
    difference: float

    @property
    def gain(self) -> tuple[float, float, float]:
        """Accuracy in eight bits less that in fp32, and its 95 % interval, paired (Agresti and Min 2005).

        Half a picture is added to each of the four cells, so that files that agree everywhere are not taken for equal.
        """
        n_all, gained, lost = self.n_images + 2.0, self.n_gained + 0.5, self.n_lost + 0.5
        middle = (gained - lost) / n_all
        reach = Z * math.sqrt((gained + lost) / n_all - middle**2) / math.sqrt(n_all)
        return (self.n_gained - self.n_lost) / self.n_images, middle - reach, middle + reach

    @property
    def facts(self) -> dict[str, Any]:
        """As plain values, with what they were measured on."""
        return {
            "measured_on": "the run's test pictures, which the model did not learn from and nothing was chosen by",
            "n_images": self.n_images,
            "accuracy": self.accuracy,
            "accuracy_interval": self.interval,
            "accuracy_fp32": self.accuracy_fp32,
            "only_fp32_right": self.n_lost,
            "only_int8_right": self.n_gained,
            "accuracy_gain": self.gain[0],
            "accuracy_gain_interval": self.gain[1:],
            "same_answer": self.agreement,
            "largest_difference": self.difference,
        }


def measure_eight_bits(
    in_full: Opened, in_eight: Opened, run: Path, pictures: Path, *, progress: Progress
) -> EightBits:
    """Returns how the two files do on the test pictures that a run wrote down.

    Args:
        in_full: the file in fp32.
        in_eight: the file in eight bits.
        run: the run folder.
        pictures: the data set, as it was named in training.
        progress: told about every picture.

    Raises:
        ExportError: the run wrote down no test pictures, or those below `pictures` are others.
        DataError: `pictures` cannot be read.
    """
    paths, labels, expected = _test_pictures(run, in_full.classes)
    source = open_surveyed(pictures)
    answers: list[list[FloatArray]] = []
    with progress.stage("Test pictures in fp32 and in eight bits", len(paths)) as advance:
        for path, before in zip(paths, expected, strict=True):
            try:
                squares = in_full.decode(source.read(path), max_pixels=math.inf)
            except Exception as error:
                raise ExportError(
                    f"the test picture {path} cannot be read from {pictures}: {error}. Name the folder or archive that "
                    "the run was trained on with --pictures."
                ) from error
            answers.append([each.probabilities(squares).astype(np.float64) for each in (in_full, in_eight)])
            if np.abs(answers[-1][0] - before).max() > SAME_PICTURE:
                raise ExportError(
                    f"{path} in {pictures} is not the picture that the run tested: the model answers otherwise. Name "
                    "the folder or archive that the run was trained on with --pictures."
                )
            advance(1)
    full, eight = (np.stack(rows) for rows in zip(*answers, strict=True))
    right_full, right_eight = full.argmax(axis=1) == labels, eight.argmax(axis=1) == labels
    return EightBits(
        n_images=len(paths),
        accuracy=float(right_eight.mean()),
        interval=wilson_interval(int(right_eight.sum()), len(paths)),
        accuracy_fp32=float(right_full.mean()),
        n_lost=int((right_full & ~right_eight).sum()),
        n_gained=int((~right_full & right_eight).sum()),
        agreement=float((full.argmax(axis=1) == eight.argmax(axis=1)).mean()),
        difference=float(np.abs(full - eight).max()),
    )


def _test_pictures(run: Path, classes: tuple[str, ...]) -> tuple[list[str], FloatArray, FloatArray]:
    """Returns the paths, labels int64 (N,) and probabilities float64 (N, C) of a run's test pictures."""
    file = run / PREDICTIONS
    try:
        rows = list(csv.reader(io.StringIO(read_verified(run, PREDICTIONS).decode(), newline="")))[1:]
        paths = [unprotect(row[0]) for row in rows]
        labels = np.array([classes.index(unprotect(row[2])) for row in rows])
        proba = np.array([[float(cell) for cell in row[-len(classes) :]] for row in rows])
    except (OSError, ValueError, IndexError) as error:
        raise ExportError(
            f"{file} does not tell the test pictures on which eight bits are measured: {error}. Export without --int8, "
            "or train again."
        ) from error
    if not paths:
        raise ExportError(f"{file} names no test picture to measure eight bits on. Export without --int8.")
    return paths, labels, proba
