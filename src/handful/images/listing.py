"""Tables that list pictures: CSV, TSV or Parquet with the columns path and label, and perhaps group and split."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from handful.core.errors import DataError, MissingExtraError
from handful.core.records import Finding, Part, Skipped
from handful.images.layout import PART_NAMES, Layout, Placed, looks_like_picture, settle_validation, some

TEXT_SUFFIXES = frozenset((".csv", ".tsv"))
TABLE_SUFFIXES = TEXT_SUFFIXES | {".parquet"}

COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "image_path", "picture"),
    "label": ("label", "class", "class_name", "target", "category"),
    "group": ("group",),
    "split": ("split", "part", "subset"),
}
"""What columns may be called, in any case; where several fit, the first name here wins."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; `number` counts as a spreadsheet does, the header being 1."""

    number: int
    path: str
    label: str
    group: str
    split: str


def is_table(name: str) -> bool:
    """Returns whether a file's name ends like a table's."""
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def read_table(data: bytes, name: str) -> list[Row]:
    """Returns the rows of a table.

    Args:
        data: the file's bytes; text must be UTF-8, separated by comma, semicolon or tab.
        name: its name, which tells the format, and is used in messages.

    Raises:
        DataError: not readable, or without one of the columns path and label.
        MissingExtraError: a Parquet table, and pyarrow is not installed.
    """
    header, lines = _open(io.BytesIO(data), name)
    columns = find_columns(header, name, required=("path", "label"))
    rows = []
    for number, cells in lines:
        values = {field: cells[index].strip() for field, index in columns.items()}
        if any(values.values()):
            rows.append(Row(number, values["path"], values["label"], values.get("group", ""), values.get("split", "")))
    return rows


def read_paths(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yields the column path of a table, row by row, without empty ones; no other column is needed.

    Args:
        stream: the open file; as in `read_table`.
        name: its name.

    Raises:
        DataError: not readable, or without a column path.
        MissingExtraError: a Parquet table, and pyarrow is not installed.
    """
    header, lines = _open(stream, name)
    index = find_columns(header, name, required=("path",))["path"]
    for _, cells in lines:
        if cells[index].strip():
            yield cells[index].strip()


def place_rows(rows: Sequence[Row], name: str, *, folder: Path, inside: str, exists: Callable[[str], bool]) -> Layout:
    """Places the pictures that a table lists.

    Args:
        rows: from `read_table`.
        name: the table's name, for messages.
        folder: where the table lies on disk; absolute paths in it are taken relative to this.
        inside: the table's own folder in its source, with a slash at the end; "" for the root.
        exists: whether the source has a file of this name; only asked to understand backslashes.

    Raises:
        DataError: no rows, paths outside the table's folder, one picture with two labels, or unknown parts.
    """
    if not rows:
        raise DataError(f"{name} has a header and no rows. Expected one row per picture.")
    rows = [Row(row.number, _path(row, folder, inside, exists), row.label, row.group, row.split) for row in rows]
    _refuse_outside(rows, name)
    unlabelled = [row for row in rows if not row.label]
    if len(unlabelled) == len(rows):
        raise DataError(f"no row of {name} has a label. Expected the class of each picture in the label column.")
    by_path, doubled = _one_row_each([row for row in rows if row.label], name)
    parts = {row.number: _part(row, name) for row in by_path.values()}
    placed = [
        Placed(path, row.label, settle_validation(parts[row.number], parts.values()), row.group)
        for path, row in sorted(by_path.items())
    ]
    return Layout(
        placed=tuple(placed),
        set_aside=tuple(Skipped(row.path, f"row {row.number} of {name} has no label") for row in unlabelled),
        findings=tuple(_findings(name, doubled=doubled, n_unlabelled=len(unlabelled), parts=parts.values())),
    )


def unlisted(layout: Layout, names: Iterable[str], table: str) -> Layout:
    """Returns the layout with the pictures that lie beside the listed ones and are in no row."""
    listed = {picture.name for picture in layout.placed} | {skipped.path for skipped in layout.set_aside}
    extra = [name for name in names if name not in listed and looks_like_picture(name)]
    if not extra:
        return layout
    return Layout(
        layout.placed,
        (*layout.set_aside, *(Skipped(name, f"not listed in {table}") for name in extra)),
        layout.unreadable,
        (*layout.findings, Finding("unlisted", f"{len(extra)} pictures are not listed in {table}: {some(extra)}.")),
    )


def _open(stream: BinaryIO, name: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Returns the header of a table, and its rows with their numbers."""
    is_text = PurePosixPath(name).suffix.lower() in TEXT_SUFFIXES
    return _text_cells(stream, name) if is_text else _parquet(stream, name)


def _text_cells(stream: BinaryIO, name: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    lines = _filled(stream, name)
    header = next(lines, None)
    if header is None:
        raise DataError(f"{name} is empty. Expected a header with the columns path and label, and one row per picture.")
    return header, _even(lines, len(header), name)


def _filled(stream: BinaryIO, name: str) -> Iterator[list[str]]:
    """Yields the lines that hold anything, in cells; the first one tells what separates them."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        first = next((line for line in text if line.strip("\r\n")), "")
        reader = csv.reader(chain([first], text), delimiter=max(",;\t", key=first.count), strict=True)
        for line in reader:
            if any(cell.strip() for cell in line):
                yield line
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise DataError(f"{name} is not a readable table: line {reader.line_num}: {error}. Save it again.") from None
    finally:
        with suppress(ValueError):  # closed already
            text.detach()  # the stream is the caller's to close


def _even(lines: Iterable[list[str]], width: int, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows below the header with as many cells as it has."""
    for number, cells in enumerate(lines, start=2):
        if len(cells) > width:
            raise DataError(
                f"row {number} of {name} has {len(cells)} cells, and the header has {width}. Put text that holds the "
                "separator into double quotes."
            )
        yield number, cells + [""] * (width - len(cells))


def _parquet(stream: BinaryIO, name: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    table = open_parquet(stream, name)
    header = [str(column) for column in table.schema_arrow.names]
    kept = [header[index] for index in find_columns(header, name).values()]

    def rows() -> Iterator[list[str]]:
        with telling_damage(name):
            for batch in table.iter_batches(columns=kept):
                columns = [batch.column(column).to_pylist() for column in kept]
                yield from ([cell(value) for value in row] for row in zip(*columns, strict=True))

    return kept, enumerate(rows(), start=2)


def open_parquet(stream: BinaryIO, name: str, **settings: Any) -> Any:
    """Returns pyarrow's ParquetFile.

    Args:
        stream: the open file.
        name: for messages.
        settings: of ParquetFile.

    Raises:
        DataError: it is none.
        MissingExtraError: pyarrow is not installed.
        OSError: the file cannot be read.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("reading Parquet tables", "parquet") from None
    with telling_damage(name):
        return pyarrow.parquet.ParquetFile(_Heard(stream), **settings)


class ReadingError(OSError):
    """A file cannot be read, which says nothing about what is in it."""


class _Heard:
    """A stream whose own errors are told from pyarrow's, for services' libraries raise an OSError of no number too."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, *n_bytes: int) -> bytes:
        """Returns bytes of the stream.

        Raises:
            ReadingError: they cannot be read, by an error that would say that they are damaged.
        """
        try:
            return self._stream.read(*n_bytes)
        except Exception as error:
            if is_damage(error) or isinstance(error, ValueError):
                raise ReadingError(str(error)) from error
            raise


def is_damage(error: BaseException) -> bool:
    """Returns whether pyarrow says that a table is damaged, which it does by an OSError of no number at times."""
    import pyarrow

    return isinstance(error, pyarrow.ArrowException) or (type(error) is OSError and error.errno is None)


@contextmanager
def telling_damage(name: str) -> Iterator[None]:
    """Says what to do with a table that turns out to be damaged; text that is no UTF-8 is a ValueError."""
    try:
        yield
    except Exception as error:
        if is_damage(error) or isinstance(error, ValueError):
            reason = " ".join(str(error).split()).rstrip(".")
            raise DataError(f"{name} cannot be read as a Parquet table: {reason}. Write it again.") from None
        raise


def cell(value: Any) -> str:
    """Returns a value of a table as text; "" for one that is missing."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def find_columns(header: Sequence[str], name: str, *, required: Sequence[str] = ()) -> dict[str, int]:
    """Returns the positions of the columns that are there."""
    names = [cell.strip().lower() for cell in header]
    found = {}
    for column, synonyms in COLUMNS.items():
        index = next((names.index(synonym) for synonym in synonyms if synonym in names), None)
        if index is not None:
            found[column] = index
    missing = [column for column in required if column not in found]
    if missing:
        raise DataError(
            f"{name} has no column {' and no column '.join(missing)}; its header is {', '.join(header)[:300]!r}. "
            f"Expected {_expected(required)}."
        )
    return found


def _expected(required: Sequence[str]) -> str:
    if "label" in required:
        return f"the column{'s path and' if 'path' in required else ''} label, and perhaps group and split"
    return "a column path, or in a Parquet table a column image of pictures' bytes"


def _path(row: Row, folder: Path, inside: str, exists: Callable[[str], bool]) -> str:
    """Returns a row's path as the source calls the file; "" or with ".." where it is outside."""
    path = row.path
    if not exists(inside + path) and "\\" in path:
        path = path.replace("\\", "/")
    if Path(path).is_absolute() and Path(path).is_relative_to(folder):
        path = Path(path).relative_to(folder).as_posix()
    parts = [part for part in path.split("/") if part not in (".", "")]
    return ("/" if path.startswith("/") else inside) + "/".join(parts)


def _refuse_outside(rows: Sequence[Row], name: str) -> None:
    outside = [
        f"row {row.number} ({row.path})" for row in rows if row.path.startswith("/") or ".." in row.path.split("/")
    ]
    nameless = [f"row {row.number}" for row in rows if not row.path or row.path.endswith("/")]
    if nameless:
        raise DataError(f"{some(nameless)} of {name} names no picture. Expected a path in every row.")
    if outside:
        raise DataError(
            f"{some(outside)} of {name} points outside the table's folder. Expected paths relative to that folder; "
            "move the table to a folder above the pictures."
        )


def _one_row_each(rows: Sequence[Row], name: str) -> tuple[dict[str, Row], list[str]]:
    """Returns the row of every picture, and the pictures that have several equal rows."""
    by_path: dict[str, Row] = {}
    doubled, conflicts = [], []
    for row in rows:
        first = by_path.setdefault(row.path, row)
        if first is row:
            continue
        if (first.label, first.group, first.split) == (row.label, row.group, row.split):
            doubled.append(row.path)
        else:
            conflicts.append(f"{row.path} (rows {first.number} and {row.number}: {_unlike(first, row)})")
    if conflicts:
        raise DataError(
            f"{len(conflicts)} pictures have contradicting rows in {name}: {some(conflicts, 5)}. Expected one row per "
            "picture; delete the wrong ones."
        )
    return by_path, doubled


def _unlike(first: Row, second: Row) -> str:
    for field in ("label", "group", "split"):
        if getattr(first, field) != getattr(second, field):
            return f"{field} {getattr(first, field)!r} and {getattr(second, field)!r}"
    return ""


def _part(row: Row, name: str) -> Part:
    if not row.split:
        return ""
    part = PART_NAMES.get(row.split.lower())
    if part is None:
        raise DataError(
            f"row {row.number} of {name} has the split {row.split!r}; expected one of {', '.join(PART_NAMES)}, "
            "or nothing."
        )
    return part


def _findings(name: str, *, doubled: Sequence[str], n_unlabelled: int, parts: Iterable[Part]) -> Iterator[Finding]:
    if doubled:
        yield Finding("duplicate-rows", f"{len(doubled)} rows of {name} repeat others and count once: {some(doubled)}.")
    if n_unlabelled:
        yield Finding("no-label", f"{n_unlabelled} rows of {name} have no label; their pictures are not used.")
    if "validation" in parts and "test" not in parts:
        yield Finding("validation-as-test", f"the validation part of {name} is the test part, because it has no other.")
