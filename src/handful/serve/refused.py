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


def refusal(status: int, message: str) -> JSONResponse:
    """Returns the response: a JSON object with the sentence as `error`, and when to come again."""
    headers: Mapping[str, str] = {}
    if status == 503:
        headers = {"Retry-After": str(RETRY_SECONDS)}
    elif status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse({"error": message}, status_code=status, headers=dict(headers))
