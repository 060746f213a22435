"""Answers on their way to a table: a file beside it that any interruption leaves whole, and that can be gone on with.

It is an SQLite database, because that is what SQLite is for: what one transaction holds is there or not, whatever
happens meanwhile, nothing is there twice, another process is kept out, and none of it needs memory.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handful.core.errors import DataError, HandfulError
from handful.core.parsed import MALFORMED, parse_json
from handful.images import Place, name_none
from handful.images.layout import is_film

FILM = "a film; without --out, `handful predict` names its frames"

TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE answers (number INTEGER PRIMARY KEY, record TEXT);
"""
PICTURES = """
CREATE {temporary} TABLE {name} (
    number INTEGER PRIMARY KEY, name TEXT UNIQUE, place INTEGER, inner TEXT, reason TEXT, stamp TEXT
)
"""
"""The pictures, numbered in their order; `place` counts what the user named."""

PAGE = 512
"""Answers that are held at a time while they are read."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture in the list.

    Attributes:
        number: from 1, in the order of the list.
        name: see `Found`.
        place: which of the things that the user named it is in.
        inner: its name there.
        reason: why it cannot be used, known from listing alone.
    """

    number: int
    name: str
    place: int
    inner: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The list of pictures and the answers so far; see `open_unfinished`."""

    path: Path
    database: sqlite3.Connection

    def begin(self, facts: Mapping[str, Any], places: Sequence[Place], *, films: bool = False) -> None:
        """Writes down what is to be done, or compares it with what was to be done when this file was begun.

        Args:
            facts: what decides the answers beside the pictures, by the names that the user is told; values of JSON.
            places: what the user named.
            films: list video files too, with the reason why they are not answered.

        Raises:
            DataError: there are no pictures; or the facts or the pictures are not those of the beginning.
        """
        known = self._known()
        if known is None:
            with self.saved():
                for statement in TABLES.split(";"):
                    self.database.execute(statement)
                self._list("pictures", places, films=films)
                if not self.n_pictures:
                    raise name_none(place.path for place in places)
                rows = [(name, json.dumps(value)) for name, value in facts.items()]
                self.database.executemany("INSERT INTO facts VALUES (?, ?)", rows)
            return
        asked = json.loads(json.dumps(dict(facts)))
        differing = [
            f"{name} is {_told(asked.get(name))}, and was {_told(known.get(name))}"
            for name in {**known, **asked}
            if asked.get(name) != known.get(name)
        ]
        if not differing:
            with self.saved():
                self._list("found", places, films=films)
            differing = list(self._changes())
        if differing:
            raise DataError(
                f"{self.path} holds answers of a run that was stopped, and this is not the same one: "
                f"{'; '.join(differing)}. Run it as it was; or remove {self.path}, and begin again."
            )

    @property
    def n_pictures(self) -> int:
        """Pictures in the list."""
        return int(self._one("SELECT count(*) FROM pictures"))

    @property
    def n_done(self) -> int:
        """Pictures whose answers are there."""
        return int(self._one("SELECT count(*) FROM answers"))

    @property
    def is_finished(self) -> bool:
        """Whether there is an answer for every picture."""
        return self._known() is not None and self.n_done == self.n_pictures

    def missing(self, size: int) -> Iterator[list[Listed]]:
        """Yields what is not answered of each portion of the list, in order.

        Args:
            size: pictures of a portion; the last one may have fewer.
        """
        question = (
            "SELECT number, name, place, inner, reason FROM pictures WHERE number > ? AND number <= ? "
            "AND number NOT IN (SELECT number FROM answers WHERE number > ? AND number <= ?) ORDER BY number"
        )
        for before in range(0, self.n_pictures, size):
            ends = (before, before + size)
            if rows := self.database.execute(question, (*ends, *ends)).fetchall():
                yield [Listed(*row) for row in rows]

    def save(self, records: Iterable[tuple[int, str]]) -> None:
        """Adds answers, all of them or none: the picture's number, and a line of text."""
        with self.saved():
            self.database.executemany("INSERT INTO answers VALUES (?, ?)", records)

    def records(self) -> Iterator[tuple[Listed, str]]:
        """Yields every picture that has an answer, and that, in order.

        No question stays open meanwhile: one that a traceback holds would keep the file locked.
        """
        question = (
            "SELECT number, name, place, inner, reason, record FROM answers JOIN pictures USING (number) "
            "WHERE number > ? ORDER BY number LIMIT ?"
        )
        last = 0
        while rows := self.database.execute(question, (last, PAGE)).fetchall():
            yield from ((Listed(*row), record) for *row, record in rows)
            last = rows[-1][0]

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Makes what is done in the context one transaction."""
        self.database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")

    def _known(self) -> dict[str, Any] | None:
        """Returns the facts of the beginning; None where nothing was begun."""
        if not self._one("SELECT count(*) FROM sqlite_master"):
            return None
        try:
            return {name: parse_json(value) for name, value in self.database.execute("SELECT name, value FROM facts")}
        except MALFORMED as error:
            raise HandfulError(
                f"{self.path} was damaged and cannot be gone on with ({error}). Remove it, and begin again."
            ) from error

    def _list(self, table: str, places: Sequence[Place], *, films: bool) -> None:
        """Puts every picture into a new table, once each."""
        self.database.execute(PICTURES.format(temporary="" if table == "pictures" else "TEMPORARY", name=table))
        rows = (
            (
                found.name,
                number,
                found.inner,
                found.reason or (FILM if films and is_film(found.inner) else ""),
                place.stamp(found.inner),
            )
            for number, place in enumerate(places)
            for found in place.find(films=films)
        )
        statement = f"INSERT OR IGNORE INTO {table} (name, place, inner, reason, stamp) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
        self.database.executemany(statement, rows)

    def _changes(self) -> Iterator[str]:
        """Yields what is different in the table `found`, in plain words."""
        for count, question in (
            ("new pictures: {}", "SELECT name FROM found EXCEPT SELECT name FROM pictures"),
            ("pictures that are gone: {}", "SELECT name FROM pictures EXCEPT SELECT name FROM found"),
            (
                "pictures that have changed: {}",
                "SELECT name FROM pictures JOIN found USING (name) WHERE pictures.stamp != found.stamp "
                "OR pictures.reason != found.reason OR pictures.inner != found.inner",
            ),
        ):
            n_names, first = self.database.execute(f"SELECT count(*), min(name) FROM ({question})").fetchone()  # noqa: S608
            if n_names:
                yield f"{count.format(n_names)} ({first})"

    def _one(self, question: str, *values: int) -> Any:
        return self.database.execute(question, values).fetchone()[0]


@contextmanager
def open_unfinished(path: Path) -> Iterator[Unfinished]:
    """Opens the answers so far, for this process alone; a file that nothing was put into is removed again.

    Raises:
        HandfulError: another process has it open, it cannot be written to, or it was damaged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # what is left of a removed one would be taken for a part of this one
            path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        database = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise HandfulError(
            f"{path} cannot be made: {error}. Choose a place that you may write to, with --out."
        ) from None
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA synchronous = FULL")
        unfinished = Unfinished(path, database)
        with unfinished.saved():
            pass  # from here on it is this process's
        yield unfinished
    except sqlite3.Error as error:
        raise _fault(path, error) from error
    finally:
        empty = _is_empty(database)
        database.close()
        if empty:
            path.unlink(missing_ok=True)


def _is_empty(database: sqlite3.Connection) -> bool:
    """Returns whether nothing was put into a database; False where that cannot be told."""
    try:
        return not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error:
        return False


def _fault(path: Path, error: sqlite3.Error) -> HandfulError:
    text = str(error)
    if "locked" in text:
        return HandfulError(
            f"{path} is in use: the same table is being made by another process. Wait for it, or end it."
        )
    if any(word in text for word in ("full", "I/O", "readonly", "unable to open")):
        return HandfulError(f"{path} cannot be written to: {text}. Make room there, or choose another --out.")
    return HandfulError(f"{path} was damaged and cannot be gone on with ({text}). Remove it, and begin again.")


def _told(value: Any) -> str:
    """Returns a fact in a message, not too long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
