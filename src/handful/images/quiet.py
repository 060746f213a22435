"""Pillow's warnings about odd files, kept from the user: what matters in them is said as a reason or a note.

`warnings.catch_warnings` swaps a list that all threads share, so it may neither start nor end while others decode. Here
one filter is put into the list and stays; it applies only to a thread, and only while that thread reads a picture.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

_READING: ContextVar[bool] = ContextVar("handful_reading", default=False)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Ignores Pillow's warnings in this thread until the context ends, and no others."""
    filters = cast("list[Any]", warnings.filters)
    if _FILTER not in filters:  # absent at first, and again where someone's catch_warnings has put an old list back
        filters.insert(0, _FILTER)
    token = _READING.set(True)
    try:
        yield
    finally:
        _READING.reset(token)


class _WhileReading:
    """Stands where a filter has a compiled expression for the module's name; warnings only ask for its `match`.

    scikit-learn hands filters on to its workers by their `pattern`; there it matches nothing.
    """

    pattern = "(?!)"

    def match(self, module: str) -> bool:
        return _READING.get() and module.partition(".")[0] == "PIL"


_FILTER = ("ignore", None, Warning, _WhileReading(), 0)
