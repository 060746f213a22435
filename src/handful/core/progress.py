"""How long work says how far it is, without knowing who looks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Advance(Protocol):
    """Called while a stage is open."""

    def __call__(self, n_done: int, note: str = "") -> None:
        """Takes the number of steps just done, and how the work stands in a line or two, where that says something."""


class Progress(Protocol):
    """Told about stages of work; the command line draws bars from it, a library user may pass another."""

    def stage(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """Opens a stage of `total` steps; the context gives a function that is told of the steps just done."""

    def say(self, message: str) -> None:
        """Passes on one sentence about what is happening."""


class Silent:
    """The default: says nothing."""

    def stage(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """Opens a stage that nobody watches."""
        return nullcontext(_ignore)

    def say(self, message: str) -> None:
        """Drops the message."""


def _ignore(n_done: int, note: str = "") -> None:
    """Takes what was done and does nothing with it."""
