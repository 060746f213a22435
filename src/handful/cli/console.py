"""What the command line shows: bars while it works, one answer at the end, one message when something is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from handful.core.files import dump_json
from handful.core.progress import Advance


class Bars:
    """Draws a bar with rate and time left for every stage, its note below; quiet where nobody watches."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Advance]:
        """Shows a bar while the stage is open; the note is gone when it closes."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(compact=True),
        )
        with _NotedBars(*columns, console=self.console, disable=not self.console.is_terminal) as bars:
            task = bars.add_task(label, total=total, note="")

            def advance(n_done: int, note: str = "") -> None:
                bars.update(task, advance=n_done, note=note)

            yield advance
            bars.update(task, note="")

    def say(self, message: str) -> None:
        """Prints a remark above the bars."""
        if self.console.is_terminal:
            self.console.print(message, style="dim", highlight=False)


@dataclass(frozen=True)
class Answer:
    """Where a command's result goes: text for people, or one JSON object for programs."""

    as_json: bool

    def give(self, text: str, value: Any) -> None:
        """Prints the text, or the value as one line of JSON, on standard output."""
        _write(sys.stdout, dump_json(value) if self.as_json else text)


def complain(message: str, *, exit_code: int, as_json: bool) -> None:
    """Prints one message on standard error; with --json also one object on standard output."""
    _write(sys.stderr, f"handful: {message}")
    if as_json:
        _write(sys.stdout, dump_json({"error": message, "exit_code": exit_code}))


def warn(message: str) -> None:
    """Prints one line on standard error about what went wrong beside the work itself."""
    _write(sys.stderr, f"handful: warning: {message}")


def _write(stream: TextIO, text: str) -> None:
    """Writes a line; what is no UTF-8 (bytes of odd file names) is written as an escape."""
    stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


class _NotedBars(RichProgress):
    """Bars, and below them what was said of the work."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yields the bars and the notes that are not empty."""
        yield from super().get_renderables()
        yield from (Text(task.fields["note"], style="dim") for task in self.tasks if task.fields["note"])


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        """Returns the rate since the stage began."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="progress.data.speed")
