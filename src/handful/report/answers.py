"""Answers for new pictures in a table: one row for every picture, also for one that could not be read."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from handful.core.errors import ConfigError, MissingExtraError
from handful.core.files import staged_file
from handful.core.records import Prediction, Skipped
from handful.report.tables import Cell, csv_lines

Record = dict[str, Any]
"""An answer as plain values; see `as_record`."""

ROWS = 8192
"""Rows that are held at a time where a table is written by columns."""

NUMBERS = 2**22
"""Features that are held at a time; fewer rows where they are long."""

FEATURES = "features"


def as_record(answer: Prediction | Skipped, classes: Sequence[str], *, top: int | None) -> Record:
    """Returns an answer as values that JSON has: what a line of a .jsonl file holds.

    Args:
        answer: of one picture, or why there is none.
        classes: C names, in the order of `Prediction.proba`.
        top: give the probabilities of so many classes, the most probable first; of all, in their order, where None.

    Returns:
        path, predicted, confidence, unsure, unlike, named, error, proba (class to probability); without an answer all
        but path and error are None. Features, where the answer has them, are a text: base64 of little-endian float32.
    """
    if isinstance(answer, Skipped):
        nothing = dict.fromkeys(("predicted", "confidence", "unsure", "unlike", "named"))
        return {"path": answer.path, **nothing, "error": answer.reason, "proba": None}
    order = range(len(classes)) if top is None else np.argsort(-answer.proba, kind="stable")[:top].tolist()
    proba = answer.proba.tolist()
    seen = {} if answer.features is None else {FEATURES: b64encode(answer.features.astype("<f4").tobytes()).decode()}
    return {
        "path": answer.path,
        "predicted": answer.label,
        "confidence": max(proba),
        "unsure": answer.unsure,
        "unlike": answer.unlike,
        "named": list(answer.named),
        "error": None,
        "proba": {classes[index]: proba[index] for index in order},
        **seen,
    }


def check_table(out: Path, *, features: bool = False) -> None:
    """Raises where answers, or answers and features, cannot be written into a file of this name.

    Raises:
        ConfigError: its name does not end in .csv, .jsonl or .parquet; features, and not in .parquet.
        MissingExtraError: a Parquet table, and pyarrow is not installed.
    """
    if out.suffix.lower() not in WRITERS:
        raise ConfigError(
            f"--out is {str(out)!r}; expected a file whose name ends in {', '.join(WRITERS)}, so that no other is lost."
        )
    if features and out.suffix.lower() != ".parquet":
        raise ConfigError(
            f"--features go into a Parquet table, and --out is {str(out)!r}; expected a name that ends in .parquet."
        )
    if out.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise MissingExtraError("writing Parquet tables", "parquet") from None


def write_answers(
    out: Path,
    records: Iterable[Record],
    classes: Sequence[str],
    *,
    top: int | None,
    networks: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Writes a table of answers, which appears when all of it is there; its name tells the format.

    Args:
        out: a .csv, .jsonl or .parquet file.
        records: from `as_record`.
        classes: as there.
        top: as there.
        networks: those whose features the records have, side by side, each with its `n_features`; a .parquet file then
            has them as a column, and this in its metadata.

    Raises:
        HandfulError: it cannot be written.
    """
    shown = None if top is None else min(top, len(classes))
    with staged_file(out) as stream:
        if networks:
            _write_parquet(stream, records, classes, shown, networks)
        else:
            WRITERS[out.suffix.lower()](stream, records, classes, shown)


def _columns(classes: Sequence[str], top: int | None) -> tuple[str, ...]:
    """Returns the names of the columns in which probabilities stand, beside those of the first answer."""
    if top is None:
        return tuple(f"p_{name}" for name in classes)
    return tuple(f"{what}_{place}" for place in range(2, top + 1) for what in ("predicted", "confidence"))


def _cells(proba: Mapping[str, float] | None, *, top: int | None, n_cells: int) -> list[Any]:
    """Returns what stands in these columns; None everywhere where there is no answer."""
    if proba is None:
        return [None] * n_cells
    if top is None:
        return list(proba.values())
    return [value for pair in islice(proba.items(), 1, None) for value in pair]


FIXED = ("path", "predicted", "confidence", "unsure", "unlike", "named", "error")


def _write_csv(stream: BinaryIO, records: Iterable[Record], classes: Sequence[str], top: int | None) -> None:
    """Writes CSV: unsure and unlike are 1 or 0, the named classes joined by " | ", what there is not an empty cell."""
    extra = _columns(classes, top)

    def row(record: Record) -> list[Cell]:
        named = " | ".join(record["named"] or ())
        values = [*({**record, "named": named}[name] for name in FIXED)]
        values += _cells(record["proba"], top=top, n_cells=len(extra))
        return ["" if value is None else int(value) if isinstance(value, bool) else value for value in values]

    for line in csv_lines((*FIXED, *extra), map(row, records)):
        stream.write(line.encode("utf-8"))


def _write_jsonl(stream: BinaryIO, records: Iterable[Record], classes: Sequence[str], top: int | None) -> None:
    for record in records:
        stream.write(f"{as_line(record)}\n".encode())


def as_line(record: Record) -> str:
    """Returns a record as one line of JSON; reading it gives the same doubles."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def _write_parquet(
    stream: BinaryIO,
    records: Iterable[Record],
    classes: Sequence[str],
    top: int | None,
    networks: Sequence[Mapping[str, Any]] = (),
) -> None:
    import pyarrow
    import pyarrow.parquet

    text, number, truth = pyarrow.string(), pyarrow.float64(), pyarrow.bool_()
    types = dict(zip(FIXED, (text, text, number, truth, truth, pyarrow.list_(text), text), strict=True))
    extra = _columns(classes, top)
    types |= {name: text if name.startswith("predicted_") else number for name in extra}
    n_features = sum(network["n_features"] for network in networks)
    if networks:
        types[FEATURES] = pyarrow.list_(pyarrow.float32(), n_features)
    schema = pyarrow.schema(list(types.items()), {FEATURES: json.dumps(networks)} if networks else None)
    with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        for chunk in _chunks(records, min(ROWS, 1 + NUMBERS // max(1, n_features))):
            columns = [[record[name] for record in chunk] for name in FIXED]
            columns += map(list, zip(*(_cells(r["proba"], top=top, n_cells=len(extra)) for r in chunk), strict=True))
            arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, types.values(), strict=False)]
            arrays += [_seen(chunk, n_features)] if networks else []
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _seen(chunk: Sequence[Record], n_features: int) -> Any:
    """Returns the column of features, null in rows without an answer."""
    import pyarrow

    texts = [record.get(FEATURES) for record in chunk]
    values = np.frombuffer(b"".join(b64decode(text) if text else bytes(4 * n_features) for text in texts), dtype="<f4")
    missing = pyarrow.array([text is None for text in texts])
    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(values), n_features, mask=missing)


def _chunks(records: Iterable[Record], n_rows: int) -> Iterator[list[Record]]:
    waiting = iter(records)
    while chunk := list(islice(waiting, n_rows)):
        yield chunk


WRITERS: dict[str, Callable[[BinaryIO, Iterable[Record], Sequence[str], int | None], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
