"""How many requests are worked on at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from handful.serve.refused import RefusedError
from handful.serve.settings import Settings


class Host(Protocol):
    """What takes requests with pictures.

    Attributes:
        settings: the limits.
        n_admitted: requests that are read, wait or are worked on.
    """

    settings: Settings
    n_admitted: int


@asynccontextmanager
async def admitted(host: Host) -> AsyncIterator[None]:
    """Takes a place among the requests that are worked on, or turns the request away at once."""
    if host.n_admitted >= host.settings.queue:
        raise RefusedError(503, f"{host.n_admitted} pictures are being answered already. Try again in a moment.")
    host.n_admitted += 1
    try:
        yield
    finally:
        host.n_admitted -= 1
