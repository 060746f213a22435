"""What every request passes first: whose it is, and from where; and what every response carries."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handful.serve.admission import Host, refuse_when_full
from handful.serve.refused import RefusedError, refusal
from handful.serve.settings import LOOPBACK, Settings

OPEN = ("/", "/health")
"""Paths that need no token: the page, which holds nothing of the model, and whether the server is well."""

READING = ("GET", "HEAD")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

FAULT = "a fault in handful itself; the terminal in which the server runs says which."


class Guard:
    """Lets a request through to the application, or says why not; counts both.

    - The Host header must be a name of this machine's own (against DNS rebinding: a web page's own name that was made
      to point here), unless a token in a header is needed anyway.
    - What changes or computes something must not come from another web page: its Origin must be this server.
    - With a token, every path but the page and /health asks for it, in a header or, where the settings name one, a
      cookie.
    - Where all places are taken, who brings a picture is turned away here, before the application has any work with it.

    Args:
        app: the application.
        host: its settings, its counts and its places.
        taking: the paths that pictures are brought to.
    """

    def __init__(self, app: ASGIApp, host: Host, taking: Sequence[str]) -> None:
        self.app, self.host, self.taking = app, host, taking
        self.settings = host.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, has_begun = perf_counter(), 500, False

        async def send_on(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
            if scope["path"] in self.taking:
                await refuse_when_full(self.host)
            await self.app(scope, receive, send_on)
        except RefusedError as refused:
            await refusal(refused.status, str(refused))(scope, receive, send_on)
        except Exception:
            if not has_begun:
                await refusal(500, FAULT)(scope, receive, send_on)
            raise  # to the terminal
        finally:
            self.host.metrics.count(scope["path"], status, perf_counter() - start)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        by_header = self.settings.token and not self.settings.cookie
        if not by_header and _name(host) not in {*LOOPBACK, self.settings.host}:
            raise RefusedError(
                421, f"the request is for {host!r:.80}, which is not this server. Open it as http://127.0.0.1."
            )
        origin = headers.get("origin")
        if (
            scope["method"] not in READING
            and origin is not None
            and origin not in (f"http://{host}", f"https://{host}")
        ):
            raise RefusedError(403, "the request comes from another web page, and is not answered.")
        is_closed = self.settings.token and scope["path"] not in OPEN
        if is_closed and not is_token(self._given(headers), self.settings):
            raise RefusedError(401, "this server needs its token: send the header Authorization: Bearer TOKEN.")

    def _given(self, headers: Headers) -> str:
        """Returns the token that a request brings; "" where it brings none."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            return token
        name = self.settings.cookie
        return cookie_parser(headers.get("cookie", "")).get(name, "") if name else ""


def is_token(given: str, settings: Settings) -> bool:
    """Returns whether something is the server's token, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), settings.token.encode())


def _name(host: str) -> str:
    """Returns the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
