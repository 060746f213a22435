"""A request's picture: read within its limits, whether it came alone or in a form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from handful.serve.refused import RefusedError
from handful.serve.settings import Settings

DRAINED = 4
"""Times the limit that are read and dropped of a body that is too large, so that its sender hears why."""

FORM = "multipart/form-data"
PLAIN_TYPES = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""What may be said of a picture beside image/...; the last is what curl --data-binary says of anything."""


async def read_picture(request: Request, settings: Settings) -> bytes:
    """Returns the bytes of the picture that a request brings.

    Raises:
        RefusedError: it is too large or too slow, of another kind, or there is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM and kind not in PLAIN_TYPES and not kind.startswith("image/"):
        raise RefusedError(
            415, f"the request says that it brings {kind}. Send a picture as the body, or a form with a file."
        )
    try:
        async with asyncio.timeout(settings.timeout):
            data = await _body(request, settings)
    except TimeoutError:
        raise RefusedError(408, f"the picture did not arrive within {settings.timeout:g} seconds.") from None
    except ClientDisconnect:
        raise RefusedError(400, "the connection ended before the picture had arrived.") from None
    if kind == FORM:
        data = await _file_of_form(request, data)
    if not data:
        raise RefusedError(400, "the request holds no picture. Send one as the body, or in a form as `file`.")
    return data


async def _body(request: Request, settings: Settings) -> bytes:
    parts: list[bytes] = []
    n_bytes = 0
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > settings.max_bytes:
            parts.clear()
            if n_bytes > DRAINED * settings.max_bytes:
                break
        else:
            parts.append(part)
    if n_bytes > settings.max_bytes:
        raise RefusedError(413, f"the request is larger than {settings.max_mb:g} MB. Send a smaller picture.")
    return b"".join(parts)


async def _file_of_form(request: Request, data: bytes) -> bytes:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield data

    try:
        form = await MultiPartParser(request.headers, stream(), max_files=1, max_fields=16).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise RefusedError(400, f"the form cannot be read: {str(error)[:200]}") from None
    try:
        for _, value in form.multi_items():
            if not isinstance(value, str):
                return await value.read()
    finally:
        await form.close()
    return b""
