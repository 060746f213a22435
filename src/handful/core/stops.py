"""A stop from outside, by Ctrl+C or SIGTERM: what is kept then, told by whoever kept it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOTHING_KEPT = "nothing half-written was left behind, and the same command begins again"


@contextmanager
def told_when_stopped(kept: Callable[[], str]) -> Iterator[None]:
    """Notes on a stop that happens in the context what is kept, and how to go on.

    Args:
        kept: returns that in words; "" where nothing is.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        if note := kept():
            stop.add_note(note)
        raise


def what_is_kept(stop: BaseException) -> str:
    """Returns what was noted on a stop, or on what it came of."""
    behind: BaseException | None = stop
    while behind is not None:
        if notes := getattr(behind, "__notes__", None):
            return "; ".join(notes)
        behind = behind.__cause__ or behind.__context__
    return NOTHING_KEPT
