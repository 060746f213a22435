"""How many requests are worked on at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from handful.serve.metrics import Metrics
from handful.serve.refused import RefusedError
from handful.serve.settings import Settings

PACE = 0.01
"""Seconds between two refusals: at full speed they would leave no time for answers."""

LONGEST = 4.5
"""Seconds that a refusal waits for its turn."""


class Host(Protocol):
    """What takes requests with pictures.

    Attributes:
        settings: the limits.
        metrics: counts and times.
        n_admitted: requests that are read, wait or are worked on.
        next_refusal: when the latest refusal is or was told, by the event loop's clock.
    """

    settings: Settings
    metrics: Metrics
    n_admitted: int
    next_refusal: float


async def refuse_when_full(host: Host) -> None:
    """Turns a request away where all places are taken, a hundred a second.

    Raises:
        RefusedError: they are.
    """
    if host.n_admitted >= host.settings.queue:
        now = asyncio.get_running_loop().time()
        host.next_refusal = min(max(now, host.next_refusal + PACE), now + LONGEST)
        await asyncio.sleep(host.next_refusal - now)
        raise RefusedError(503, f"{host.n_admitted} pictures are being answered already. Try again in a moment.")


@asynccontextmanager
async def admitted(host: Host) -> AsyncIterator[None]:
    """Takes a place among the requests that are worked on, or turns the request away."""
    await refuse_when_full(host)
    host.n_admitted += 1
    try:
        yield
    finally:
        host.n_admitted -= 1
