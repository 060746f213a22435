"""The server's application: its paths, its guard, and what it says where there is no answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from handful.core.machine import installed
from handful.images import TooManyPixelsError, UnreadableError
from handful.serve.guard import Guard
from handful.serve.page import Page
from handful.serve.paths import paths
from handful.serve.refused import RefusedError, refusal
from handful.serve.served import Served


def make_application(served: Served, page: Page) -> FastAPI:
    """Returns the server's application.

    Args:
        served: the run.
        page: what is at /.
    """
    limits = served.settings

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with served.lanes.working():
            yield

    application = FastAPI(
        title=f"handful: {served.opened.name}",
        version=installed("handful"),
        description=(
            f"Names the class of pictures. At most {limits.max_mb:g} MB and {limits.max_megapixels:g} million pixels "
            f"each; at most {limits.queue} at once; each has {limits.timeout:g} seconds."
        ),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    application.state.served, application.state.page = served, page
    application.include_router(paths)
    add_refusals(application, lacking="?label=CLASS, the right class")
    application.add_middleware(Guard, host=served, taking=("/predict", "/explain", "/corrections"))
    return application


def add_refusals(application: FastAPI, *, lacking: str) -> None:
    """Makes every refusal a status and a sentence; `lacking` is what a request should have had."""

    @application.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return refusal(error.status, str(error))

    @application.exception_handler(UnreadableError)
    async def unreadable(_: Request, error: UnreadableError) -> Response:
        status = 413 if isinstance(error, TooManyPixelsError) else 422
        return refusal(status, f"the picture cannot be read: {error}.")

    @application.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        said = {404: f"there is no {request.url.path!r:.100} here.", 405: f"{request.method} is not for this path."}
        return refusal(error.status_code, said.get(error.status_code, str(error.detail)), headers=error.headers)

    @application.exception_handler(RequestValidationError)
    async def invalid(_: Request, __: RequestValidationError) -> Response:
        return refusal(422, f"the request lacks {lacking}.")
