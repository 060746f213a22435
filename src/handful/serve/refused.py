"""Requests that get no answer: a status and a plain sentence."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

RETRY_SECONDS = 1
"""When to ask again a server that was busy; a queue of 64 pictures is a second's work."""


class RefusedError(Exception):
    """A request is not answered, and why: one sentence that says what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def refusal(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Returns the response: a JSON object with the sentence as `error`, and what its status asks for in headers."""
    own = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_SECONDS)}}.get(status, {})
    return JSONResponse({"error": message}, status_code=status, headers={**own, **(headers or {})})
