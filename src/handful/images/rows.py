"""Pictures in the rows of a Parquet table, as bytes of files: found without being read, and read in their order."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, BinaryIO

from handful.core.errors import DataError
from handful.core.parsed import MALFORMED, parse_json
from handful.images.given import Row, lay_out
from handful.images.layout import Layout
from handful.images.listing import COLUMNS, cell, find_columns, is_damage, open_parquet, telling_damage
from handful.images.sources import UNKNOWN, Entry, Found
from handful.images.unreadable import UnreadableError

PICTURES = ("image", "img", "picture", "bytes", "content")
"""What a column of bytes is usually called; where several are there, the first name here wins."""

BATCH = 16
"""Rows that are taken from a table at a time."""

HELD = 512 + BATCH
"""Rows behind the last one that stay at hand: a portion of `predict`, through which each network goes anew, and what
comes before it in its first batch."""

PAGE_BYTES = 1 << 20
"""Read from the file at a time, so that a row group is never held whole."""

PATH_BYTES = 4096
"""As long as a path can be."""

Asked = Callable[[Callable[[], Any], str], Any]
"""Does what it is given, perhaps several times; the text is for messages."""


@dataclass(slots=True)
class RowSource:
    """A column of pictures; row "17" is the one that pandas and Hugging Face count as 17.

    Memory does not grow with the table. Rows are quickest in their order; for one before those held, the row group that
    it is in is read again from its beginning.

    Attributes:
        title: of the table, for messages.
        open: opens the file.
        column: as Arrow's readers take it; "image.bytes" for a part of a column.
        ends: the row after each row group.
        asked: reads, or reads again.
        held: some rows one after the other, by the first of each batch.
        ahead: yields the batches that come next.
        lock: held while a row is looked for.
    """

    title: str
    open: Callable[[], BinaryIO]
    column: str
    ends: tuple[int, ...]
    asked: Asked
    held: deque[tuple[int, Any]] = field(default_factory=deque, repr=False)
    ahead: Iterator[tuple[int, Any]] = field(default_factory=lambda: iter(()), repr=False)
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return self.ends[-1] if self.ends else 0

    def names(self) -> Iterator[str]:
        """Yields the numbers of the rows, all of one length, so that they sort in this order."""
        return (f"{row:0{len(str(self.n_rows))}d}" for row in range(self.n_rows))

    def entries(self) -> Iterator[Entry]:
        """Yields the rows."""
        return map(Entry, self.names())

    def size(self, name: str) -> int:
        """Returns `UNKNOWN`: how large a picture is shows when its row is read."""
        return UNKNOWN

    def read(self, name: str) -> bytes:
        """Returns the bytes of the picture in a row.

        Raises:
            UnreadableError: there is none, or the table is damaged there.
            DataError: the service that has the table does not answer.
        """
        with self.lock:
            value = self.asked(lambda: self._value(int(name)), self.title)
        if value is None:
            raise UnreadableError("there are no bytes of a picture in this row")
        return bytes(value)

    def _value(self, row: int) -> Any:
        try:
            if self._is_far(row):
                self.held.clear()
                self.ahead = self._batches(bisect_right(self.ends, row))
            while not self.held or row >= self._end:
                self.held.append(next(self.ahead))
                while self.held[0][0] + len(self.held[0][1]) <= self._end - HELD:
                    self.held.popleft()
        except BaseException as error:
            self.held.clear()
            if isinstance(error, StopIteration) or is_damage(error):
                (reason, *_) = str(error).splitlines() or ["it ends before"]
                raise UnreadableError(f"cannot be read from {self.title}: {reason.rstrip(': ')}") from None
            raise
        first, batch = next(pair for pair in reversed(self.held) if pair[0] <= row)
        return batch[row - first].as_py()

    @property
    def _end(self) -> int:
        first, batch = self.held[-1]
        return first + len(batch)

    def _is_far(self, row: int) -> bool:
        """Returns whether a row comes before those held, or in a later row group than the next one."""
        return (
            not self.held or row < self.held[0][0] or bisect_right(self.ends, row) > bisect_right(self.ends, self._end)
        )

    def _batches(self, group: int) -> Iterator[tuple[int, Any]]:
        """Yields batches from the beginning of a row group on, with their first rows."""
        from pyarrow.types import is_struct

        with self.open() as stream:
            table = open_parquet(stream, self.title, buffer_size=PAGE_BYTES, pre_buffer=False)
            row = self.ends[group - 1] if group else 0
            for number in range(group, len(self.ends)):
                for batch in table.iter_batches(BATCH, row_groups=[number], columns=[self.column], use_threads=False):
                    values = batch.column(0)
                    yield row, values.field("bytes") if is_struct(values.type) else values
                    row += len(values)


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A table of pictures, on a disk or at an address; see `unlabelled.Place`.

    Attributes:
        path: as it was named; a text where it is an address.
        source: has its rows.
        root: the table.
        changed: tells whether it was changed meanwhile.
    """

    path: Path | str
    source: RowSource
    root: Path
    changed: str

    @property
    def address(self) -> str:
        """Returns by what name every process finds it."""
        return self.path if isinstance(self.path, str) else str(self.path.absolute())

    def find(self, *, films: bool = False) -> Iterator[Found]:
        """Yields its rows, as "new.parquet#17"; see `unlabelled.Place`."""
        return (Found(f"{self.source.title}#{int(row)}", self.source, row) for row in self.source.names())

    def stamp(self, inner: str) -> str:
        """Returns the table's: its rows change with it."""
        return self.changed


def once(read: Callable[[], Any], title: str) -> Any:
    """Returns what is read from a table on this machine's disks."""
    try:
        return read()
    except (OSError, DataError) as error:
        raise UnreadableError(f"cannot be read from {title}: {error}", lasting=False) from None


def open_rows(open_file: Callable[[], BinaryIO], title: str, *, asked: Asked = once) -> RowSource | None:
    """Returns the pictures in a table; None where it is no Parquet table, or has paths and no pictures.

    Args:
        open_file: opens it.
        title: what it is called, which tells the format.
        asked: see `RowSource`.

    Raises:
        DataError: it cannot be read, or has several columns of pictures.
        MissingExtraError: pyarrow is not installed.
        OSError: the file cannot be opened.
    """
    if PurePosixPath(title).suffix.lower() != ".parquet":
        return None
    with open_file() as stream:
        table = open_parquet(stream, title, buffer_size=PAGE_BYTES, pre_buffer=False)
        column = _column(table, title)
        sizes = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
    return None if column is None else RowSource(title, open_file, column, tuple(accumulate(sizes)), asked)


def lay_out_rows(source: RowSource) -> Layout:
    """Returns the classes, groups and parts of a table's pictures, as its other columns have them.

    Raises:
        DataError: it has no labels, or parts that are not understood; or it is damaged there.
    """
    with source.open() as stream, telling_damage(source.title):
        table = open_parquet(stream, source.title)
        columns = find_columns(table.schema_arrow.names, source.title, required=("label",))
        wanted = {field: table.schema_arrow.names[columns[field]] for field in columns if field != "path"}
        read = table.read(list(wanted.values())).to_pydict()
    texts = {field: [cell(value).strip() for value in read[name]] for field, name in wanted.items()}
    if names := _class_names(table.schema_arrow.metadata or {}, wanted["label"]):
        texts["label"] = [names.get(text, "") for text in texts["label"]]
    nothing = [""] * source.n_rows
    told = zip(texts["label"], texts.get("group", nothing), texts.get("split", nothing), strict=True)
    rows = [Row(partial(source.read, name), "", *texts_of) for name, texts_of in zip(source.names(), told, strict=True)]
    return lay_out(f"table {source.title}", rows).layout


def _class_names(metadata: Mapping[bytes, bytes], column: str) -> dict[str, str]:
    """Returns what the numbers in a column stand for, where Hugging Face wrote that down."""
    try:
        names = parse_json(metadata.get(b"huggingface", b"{}"))["info"]["features"][column]["names"]
        return {str(number): str(name) for number, name in enumerate(names)}
    except MALFORMED:
        return {}


def _column(table: Any, title: str) -> str | None:
    """Returns the column of pictures, as Arrow's readers take it; bytes that are called like paths are paths."""
    from pyarrow import types

    def is_bytes(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    def has_bytes(kind: Any) -> bool:
        return bool(types.is_struct(kind)) and any(part.name == "bytes" and is_bytes(part.type) for part in kind)

    schema = table.schema_arrow
    called = {field.name: field.name.strip().lower() for field in schema}
    paths = set(COLUMNS["path"]) - set(PICTURES)
    found = {each.name: f"{each.name}.bytes" for each in schema if has_bytes(each.type)}
    found |= {each.name: each.name for each in schema if is_bytes(each.type) and called[each.name] not in paths}
    for name in [name for name in found if found[name] == name and called[name] in COLUMNS["path"]]:
        if _has_paths(table, name):
            del found[name]
    usual = [name for known in PICTURES for name in found if called[name] == known]
    if not usual and (len(found) == 0 or any(called[name] in COLUMNS["path"] for name in called)):
        return None
    if not usual and len(found) > 1:
        raise DataError(
            f"{title} has the columns {', '.join(found)} of bytes, where one of pictures is expected. Rename that one "
            f"to {PICTURES[0]!r}."
        )
    return found[(usual or list(found))[0]]


def _has_paths(table: Any, column: str) -> bool:
    """Returns whether the first bytes in a column are a text, as Spark and Impala write it, and no picture."""
    try:
        batches = table.iter_batches(BATCH, columns=[column], use_threads=False)
        first = next((value.as_py() for batch in batches for value in batch.column(0) if value.is_valid), b"")
        return 0 < len(first) <= PATH_BYTES and {*b"\0\n"}.isdisjoint(first) and bool(first.decode())
    except UnicodeDecodeError:
        return False
    except Exception as error:
        if is_damage(error):  # the row says so when it is read
            return False
        raise
