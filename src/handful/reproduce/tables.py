"""The numbers of a reproduction as files: a table per figure, and the verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handful.core.study import TrialResult
from handful.report.tables import Cell, csv_text
from handful.report.text import encodable
from handful.reproduce.records import Measured, Reproduction

COLUMNS = (
    "value",
    "seed",
    "status",
    "stopped",
    "epochs",
    "n_train",
    "training_accuracy",
    "validation_accuracy",
    "validation_loss",
)
CURVE_COLUMNS = (
    "value",
    "seed",
    "epoch",
    "training_accuracy",
    "validation_accuracy",
    "training_loss",
    "validation_loss",
)


def figure_csv(measured: Measured) -> str:
    """Returns an experiment's results: a row per training, or per training and epoch where it shows their course."""
    rows = _curves(measured) if measured.experiment.curves else _ends(measured)
    return csv_text(CURVE_COLUMNS if measured.experiment.curves else COLUMNS, rows)


def verdicts_dict(reproduction: Reproduction) -> dict[str, Any]:
    """Returns a reproduction as plain values: what verdicts.json holds and `handful reproduce --json` prints."""
    test = reproduction.evidence.test
    return {
        "verdicts": [
            {
                "figure": each.figure,
                "claim": each.claim,
                "verdict": each.verdict,
                "sentence": each.sentence,
                "numbers": dict(each.numbers),
            }
            for each in reproduction.verdicts
        ],
        "test": None
        if test is None
        else {"accuracy": test.accuracy, "interval": list(test.accuracy_interval), "n": test.n_test},
        "best": reproduction.best,
        "directions": list(reproduction.directions),
        "mode": reproduction.request.mode,
        "network": reproduction.network,
        "cautions": [encodable(each) for each in reproduction.cautions],
        "classes": [encodable(name) for name in reproduction.classes],
        "chance": reproduction.evidence.chance,
        "n_learn": reproduction.n_learn,
        "n_validation": reproduction.n_validation,
        "n_test": reproduction.n_test,
        "n_seeds": reproduction.request.n_seeds,
        "n_trained": reproduction.n_trained,
        "seconds": reproduction.seconds,
        "machine": reproduction.machine,
        "versions": dict(reproduction.versions),
        "command": encodable(reproduction.command),
    }


def _ends(measured: Measured) -> Iterator[tuple[Cell, ...]]:
    for label, result in _results(measured):
        last = result.curve[-1] if result.curve else None
        ends = () if last is None else (last.accuracy, last.validation_accuracy, last.validation_loss)
        head = (label, result.trial.seed, result.status, result.stopped, len(result.curve), result.n_train)
        yield (*head, *(ends or ("", "", "")))


def _curves(measured: Measured) -> Iterator[tuple[Cell, ...]]:
    for label, result in _results(measured):
        for each in result.curve:
            accuracies = (each.accuracy, each.validation_accuracy)
            yield (label, result.trial.seed, each.epoch, *accuracies, each.loss, each.validation_loss)


def _results(measured: Measured) -> Iterator[tuple[str, TrialResult]]:
    for point, setting in zip(measured.experiment.points, measured.settings, strict=True):
        for result in setting.results:
            yield point.label, result
