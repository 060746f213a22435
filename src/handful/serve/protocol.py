"""HTTP connections that are not kept for who says nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def patient_for(seconds: float) -> type[H11Protocol]:
    """Returns uvicorn's protocol with an end to its patience: a connection whose first request has not come is closed.

    uvicorn counts the time between requests, and we that of a body; nobody counts that of the first headers.

    Args:
        seconds: from the connection to the end of its first headers.
    """

    class Patient(H11Protocol):
        waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.waiting = self.loop.call_later(seconds, self._give_up)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.waiting is not None:
                self.waiting.cancel()
            super().connection_lost(exc)

        def _give_up(self) -> None:
            cycle: object = self.cycle  # none before the first request, which uvicorn's types do not say
            if cycle is None and not self.transport.is_closing():
                self.transport.close()

    return Patient
