"""Two runs side by side: whether they agree to the last bit, by how much if not, and what differed when they were made.

Only the files of the run folders are read, so that what was changed in them afterwards is noticed too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handful.core.errors import BundleError
from handful.core.files import dump_json, sha256_bytes
from handful.core.parsed import parse_json
from handful.report.provenance import FILE, PICTURES
from handful.report.tables import plain
from handful.report.text import counted, listed, percent, printable

FIGURES = (
    "accuracy",
    "accuracy_interval",
    "balanced_accuracy",
    "macro_f1",
    "log_loss",
    "calibration_error",
    "majority_baseline",
    "n_train",
    "n_validation",
    "n_test",
    "n_wrong",
    "classes",
    "head",
    "held_out",
    "cross_validation",
    "validation",
    "trust",
    "reliability",
    "per_class",
    "confusions",
)
"""What of result.json has to be equal: every measurement, and neither times, paths nor advice."""

CLOCKED = "its training was bounded by a clock (time, or strategy auto or best), and a clock never runs the same twice"


@dataclass(frozen=True, slots=True)
class DataChange:
    """Pictures that are not as they were, by path.

    Attributes:
        missing: they were read then, and are not now.
        added: they are read now, and were not then.
        changed: their bytes are others.
        relabelled: their class, or the part they belong to, is another.
    """

    missing: tuple[str, ...]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    relabelled: tuple[str, ...]

    def reasons(self) -> Iterator[str]:
        """Yields one clause for each kind of change."""
        for paths, what in (
            (self.missing, "missing"),
            (self.added, "new"),
            (self.changed, "changed"),
            (self.relabelled, "in another class or part"),
        ):
            if paths:
                verb = "is" if len(paths) == 1 else "are"
                yield f"{counted(len(paths), 'picture')} {verb} {what} ({listed([printable(path) for path in paths])})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a second run stands to a first.

    Attributes:
        hashes: of the model's weights, the predictions and the figures: SHA-256 in the first run and in the second.
        data: what became of the pictures.
        reasons: what is not as it was when the first was made, one clause each; the data come first.
        gaps: figures that differ, by their place in result.json, in the first run and in the second.
        n_other: test pictures of both that have another answer in the second.
        largest: the largest difference of one of their probabilities; NaN where they have none in common.
    """

    hashes: Mapping[str, tuple[str, str]]
    data: DataChange
    reasons: tuple[str, ...]
    gaps: Mapping[str, tuple[Any, Any]]
    n_other: int
    largest: float

    @property
    def agrees(self) -> bool:
        """Whether everything that was compared is the same to the last bit."""
        return all(first == second for first, second in self.hashes.values())

    @property
    def sentence(self) -> str:
        """What a person wants to know."""
        names = list(self.hashes)
        not_as_it_was = "; ".join(self.reasons)
        if self.agrees:
            although = f", although {not_as_it_was}" if self.reasons else ""
            return f"It agrees: {listed(names, limit=len(names))} are the same to the last bit{although}."
        differing = [name for name, (first, second) in self.hashes.items() if first != second]
        why = f"This is not as it was: {not_as_it_was}" if self.reasons else "Nothing else that is recorded differs"
        what = f"{listed(differing, limit=len(differing))} differ"
        return f"It does not agree: {what} ({'; '.join(self._sizes()) or 'no figure does'}). {why}."

    def _sizes(self) -> Iterator[str]:
        """Yields by how much the runs differ, the most telling figures first."""
        for name, title in (("accuracy", "test accuracy"), ("held_out.accuracy", "held-out accuracy")):
            then, now = self.gaps.get(name, (None, None))
            if then is not None and now is not None:
                yield f"{title} {percent(now)}, was {percent(then)}"
        if self.n_other:
            yield f"{counted(self.n_other, 'test picture')} answered otherwise"
        if self.largest > 0.0:
            yield f"a probability by up to {self.largest:.2g}"


def compare(first: Path, second: Path) -> Comparison:
    """Returns how a run stands to an earlier one.

    Raises:
        BundleError: a folder is no run, was damaged, or is of a version that recorded too little.
    """
    then, now = _Recorded.of(first), _Recorded.of(second)
    data = _data_change(then.pictures, now.pictures)
    common = [
        (answer, now.predictions[path])
        for path, answer in then.predictions.items()
        if path in now.predictions and answer[1].keys() == now.predictions[path][1].keys()
    ]
    gaps = {name: pair for name, pair in _pairs(then.figures, now.figures) if pair[0] != pair[1]}
    return Comparison(
        hashes={name: (sha256, now.hashes[name]) for name, sha256 in then.hashes.items()},
        data=data,
        reasons=(*data.reasons(), *_reasons(then, now)),
        gaps=gaps,
        n_other=sum(first != second for (first, _), (second, _) in common),
        largest=max((abs(p[name] - q[name]) for (_, p), (_, q) in common for name in p), default=float("nan")),
    )


def hashes(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of everything in a run folder that a repetition has to make again to the last bit.

    Raises:
        BundleError: as in `compare`.
    """
    return _Recorded.of(folder).hashes


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What a run folder says about a run."""

    hashes: dict[str, str]
    figures: dict[str, Any]
    weights: dict[str, str]
    pictures: dict[str, dict[str, str]]
    predictions: dict[str, tuple[str, dict[str, float]]]
    made: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> _Recorded:
        result, made = read_json(folder / "result.json"), read_json(folder / FILE)
        try:
            model = {
                path.name: sha256_bytes(path.read_bytes()) for path in sorted((folder / "model").glob("*.safetensors"))
            }
            held_out = result["held_out"].pop("sha256")
            figures = {name: result[name] for name in FIGURES}
            return cls(
                hashes={
                    "model": sha256_bytes(dump_json(model).encode()),
                    "held-out predictions": held_out,
                    "test predictions": sha256_bytes((folder / "predictions.csv").read_bytes()),
                    "figures": sha256_bytes(dump_json(figures).encode()),
                },
                figures=figures,
                weights={each["backbone"]: each["sha256"] for each in result["weights"]},
                pictures=_rows(folder / PICTURES),
                predictions={path: _answer(row) for path, row in _rows(folder / "predictions.csv").items()},
                made={name: made[name] for name in ("options", "versions", "code_sha256", "processor", "flags")}
                | {"training_precision": made["training_precision"]},
            )
        except OSError as error:
            raise BundleError(
                f"{error.filename} cannot be read: {error.strerror}. A run folder has it; copy the whole folder again."
            ) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(f"{folder} is no run that can be compared: {error!r} is not as expected.") from error


def read_json(path: Path) -> dict[str, Any]:
    """Returns what a JSON file of a run folder holds.

    Raises:
        BundleError: it is missing or damaged.
    """
    try:
        value = parse_json(path.read_bytes())
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror}. Name a run folder that `handful train` of this version made."
        ) from error
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}. Copy the run folder again from where it was made.") from error
    if not isinstance(value, dict):
        raise BundleError(f"{path} holds no object. Copy the run folder again from where it was made.")
    return value


def _rows(path: Path) -> dict[str, dict[str, str]]:
    """Returns the rows of a table by their path."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [{name: plain(cell) for name, cell in row.items()} for row in csv.DictReader(stream)]
    return {row["path"]: row for row in rows}


def _answer(row: Mapping[str, str]) -> tuple[str, dict[str, float]]:
    """Returns the class that was answered, and the probabilities, of a row of predictions.csv."""
    return row["predicted"], {name: float(cell) for name, cell in row.items() if name.startswith("p_")}


def _data_change(then: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> DataChange:
    both = [path for path in then if path in now]
    return DataChange(
        missing=tuple(path for path in then if path not in now),
        added=tuple(path for path in now if path not in then),
        changed=tuple(path for path in both if then[path]["sha256"] != now[path]["sha256"]),
        relabelled=tuple(
            path
            for path in both
            if (then[path]["class"], then[path]["part"]) != (now[path]["class"], now[path]["part"])
        ),
    )


def _reasons(then: _Recorded, now: _Recorded) -> Iterator[str]:
    """Yields what beside the pictures was another when the second run was made."""
    for name, (first, second) in _pairs(then.weights, now.weights):
        if first != second:
            yield f"the pre-trained weights of {name} are {_short(second)} and were {_short(first)}"
    before, after = then.made["options"], now.made["options"]
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"there is no option {name} any more, which was {before[name]!r}"
        elif name not in before:
            yield f"option {name} is new, and is {after[name]!r}"
        elif before[name] != after[name]:
            yield f"{name} is {after[name]!r} and was {before[name]!r}"
    for name, (first, second) in _pairs(then.made["versions"], now.made["versions"]):
        if first != second:
            yield f"{name} is {second or 'not used'} and was {first or 'not used'}"
    if then.made["code_sha256"] != now.made["code_sha256"]:
        yield "handful's code is not the same"
    if then.made["processor"] != now.made["processor"]:
        yield f"the processor is {now.made['processor']} and was {then.made['processor']}"
    lost, gained = (
        sorted(set(one.made["flags"]) - set(other.made["flags"])) for one, other in ((then, now), (now, then))
    )
    if lost or gained:
        yield f"the processor can do other things (less: {', '.join(lost) or '-'}; more: {', '.join(gained) or '-'})"
    if then.made["training_precision"] != now.made["training_precision"]:
        yield (
            f"layers were trained in {now.made['training_precision'] or 'no precision'} and before in "
            f"{then.made['training_precision'] or 'no precision'}"
        )
    if after.get("time") or after.get("strategy") in ("auto", "best"):
        yield CLOCKED


def _pairs(then: Any, now: Any, place: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yields two plain values leaf by leaf, by their place; what one of them lacks is None."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in (*then, *(name for name in now if name not in then)):
            yield from _pairs(then.get(name), now.get(name), f"{place}.{name}" if place else name)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (first, second) in enumerate(zip(then, now, strict=True)):
            yield from _pairs(first, second, f"{place}.{number}")
    else:
        yield place, (then, now)


def _short(sha256: str | None) -> str:
    return sha256[:12] if sha256 else "none"
