"""A study on disk: what it is in study.json, and one file for every finished trial that never changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from handful.core.errors import DataError, HandfulError
from handful.core.sealed import read_sealed, write_sealed
from handful.core.study import Axis, StudyPlan, Trial, TrialResult
from handful.core.training import Checkpoint
from handful.study.trials import trial_key

FORMAT = 1
PLAN = "study.json"


def save_result(folder: Path, result: TrialResult, *, data: str, versions: Mapping[str, str]) -> None:
    """Writes a trial's file, in one step; one that is there stays as it is.

    The file holds nothing that differs between two runs of the same trial, such as times; and its own hash.
    """
    path = _path(folder, result.trial, data)
    if path.exists():
        return
    record = {
        "format": FORMAT,
        "options": dict(sorted(result.trial.options.items())),
        "seed": result.trial.seed,
        "data": data,
        "status": result.status,
        "stopped": result.stopped,
        "failed_at": result.failed_at,
        "n_train": result.n_train,
        "n_validation": len(result.right),
        "right": np.packbits(np.array(result.right, dtype=bool)).tobytes().hex(),
        "curve": [asdict(checkpoint) for checkpoint in result.curve],
        "versions": dict(versions),
    }
    write_sealed(path, record)


def load_result(folder: Path, trial: Trial, *, data: str) -> TrialResult | None:
    """Returns a trial's result, or None where it is not finished.

    Raises:
        DataError: the file was damaged.
    """
    path = _path(folder, trial, data)
    if not path.exists():
        return None
    try:
        record = read_sealed(path)
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(record["right"]), dtype=np.uint8))
        return TrialResult(
            trial=trial,
            status=record["status"],
            stopped=record["stopped"],
            curve=tuple(Checkpoint(**_numbers(checkpoint)) for checkpoint in record["curve"]),
            failed_at=record["failed_at"],
            n_train=record["n_train"],
            right=tuple(bool(bit) for bit in bits[: record["n_validation"]]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} was damaged and cannot be read ({error}). Remove it, and run the study again with --resume."
        ) from error


def load_results(folder: Path, *, data: str) -> list[TrialResult]:
    """Returns every finished trial of a study, in the order of their names.

    Raises:
        DataError: a file was damaged.
    """
    results = []
    for path in sorted((folder / "trials").glob("*.json")):
        try:
            record = read_sealed(path)
            trial = Trial(record["options"], record["seed"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} was damaged and cannot be read ({error}). Remove it.") from error
        result = load_result(folder, trial, data=data)
        if result is not None:
            results.append(result)
    return results


def save_plan(folder: Path, plan: StudyPlan, *, versions: Mapping[str, str], command: str) -> None:
    """Writes what the study is, before its first trial."""
    write_sealed(folder / PLAN, {"format": FORMAT, **asdict(plan), "versions": dict(versions), "command": command})


def load_plan(folder: Path) -> tuple[StudyPlan, dict[str, str], str]:
    """Returns what a study is, the versions it was begun with, and the command that began it.

    Raises:
        HandfulError: the folder is no study, or its study.json was damaged.
    """
    path = folder / PLAN
    try:
        record = read_sealed(path)
        if record.pop("format") != FORMAT:
            raise HandfulError(f"{path} is of another version of handful; start a new study with --out.")
        versions, command = record.pop("versions"), record.pop("command")
        record["axes"] = tuple(Axis(**{**axis, "values": tuple(axis["values"])}) for axis in record["axes"])
        record |= {name: tuple(record[name]) for name in ("seeds", "classes")}
        return StudyPlan(**record), versions, command
    except FileNotFoundError:
        raise HandfulError(
            f"{folder} is no study: there is no {PLAN} in it. Make one with: handful study PHOTOS --vary lr=1e-4,1e-3"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HandfulError(f"{path} was damaged and cannot be read ({error}). Start a new study with --out.") from error


def _path(folder: Path, trial: Trial, data: str) -> Path:
    return folder / "trials" / f"{trial_key(trial, data)}.json"


def _numbers(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a checkpoint's fields; JSON has no NaN, so null stands for it."""
    return {name: math.nan if value is None else value for name, value in checkpoint.items()}
