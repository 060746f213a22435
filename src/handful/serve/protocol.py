"""HTTP connections that are not kept for who says nothing."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

LARGEST_READ = 16 * 1024
"""Bytes that are read of a connection before the others have their turn: in chunks of 6 bytes they are 40 ms of work,
and the 256 KB that asyncio would read more than half a second."""


def patient_for(seconds: float) -> type[H11Protocol]:
    """Returns uvicorn's protocol with an end to its patience: a connection on which no request is complete is closed.

    uvicorn counts the silence between requests, and we the time of a picture; nobody counts that of headers, nor of a
    body that nobody reads, which may come a byte at a time for ever.

    Args:
        seconds: from the connection, or from an answer, to the end of the next request's headers.
    """

    class Patient(H11Protocol):
        waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.max_size = LARGEST_READ
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_more()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait()

        def _wait(self) -> None:
            self._wait_no_more()
            if not self.transport.is_closing():
                self.waiting = self.loop.call_later(seconds, self._give_up)

        def _wait_no_more(self) -> None:
            if self.waiting is not None:
                self.waiting.cancel()

        def _give_up(self) -> None:
            cycle: Any = self.cycle  # none before the first request, which uvicorn's types do not say
            if (cycle is None or cycle.response_complete) and not self.transport.is_closing():
                self.transport.close()

    return Patient
