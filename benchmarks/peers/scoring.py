"""The one scorer of all peers."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from handful.core.errors import DataError


def accuracy_of(predictions: Path, truth: Mapping[str, str]) -> float:
    """Returns the share of the test pictures that were named rightly, in [0, 1].

    Args:
        predictions: a table with the columns name and label, a row for every test picture.
        truth: the class of each by its file's name.

    Raises:
        DataError: a test picture is missing, unknown, or named twice.
    """
    with predictions.open(encoding="utf-8", newline="") as stream:
        rows = [(row["name"], row["label"]) for row in csv.DictReader(stream)]
    answers = dict(rows)
    if len(answers) < len(rows) or answers.keys() != truth.keys():
        missing, unknown = truth.keys() - answers.keys(), answers.keys() - truth.keys()
        raise DataError(
            f"{predictions} has {len(rows)} rows; expected one for each of {len(truth)} test pictures. "
            f"{len(missing)} are missing, {len(unknown)} unknown, {len(rows) - len(answers)} named again."
        )
    n_right = sum(answers[name] == label for name, label in truth.items())
    return float(n_right / len(truth))
