"""How long work says how far it is, without knowing who looks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Told about stages of work; the command line draws bars from it, a library user may pass another."""

    def stage(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """Opens a stage of `total` steps; the context gives a function that is called with the number just done."""

    def say(self, message: str) -> None:
        """Passes on one sentence about what is happening."""


class Silent:
    """The default: says nothing."""

    def stage(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """Opens a stage that nobody watches."""
        return nullcontext(_ignore)

    def say(self, message: str) -> None:
        """Drops the message."""


def _ignore(n_done: int) -> None:
    """Takes the number of steps done and does nothing with it."""
