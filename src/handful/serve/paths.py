"""The paths of a server that answers for a model.

They are functions of the module, which find the model by the application that was asked: FastAPI keeps every function
that it has seen for as long as the process lives, and would keep the model of one that was made for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from handful.core.records import Prediction
from handful.images import UnreadableError
from handful.serve.admission import admitted
from handful.serve.body import read_picture
from handful.serve.kept import count_kept, keep_picture
from handful.serve.metrics import CONTENT_TYPE
from handful.serve.opened import Opened
from handful.serve.page import Page
from handful.serve.refused import RefusedError
from handful.serve.served import Served
from handful.serve.shapes import Answered, Corrected, Explained, Health, Refusal, Reloaded, Told

PICTURE = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
        },
    }
}

Responses = dict[int | str, dict[str, Any]]
"""What a path may answer, by status, for the OpenAPI document."""


def _refused(status: int, why: str) -> Responses:
    return {status: {"description": why, "content": {"application/json": {"schema": Refusal.model_json_schema()}}}}


NOT_LET_IN: Responses = {
    **_refused(401, "The token is missing or wrong."),
    **_refused(403, "The request comes from another web page."),
    **_refused(421, "The request is for another host."),
}

NO_ANSWER: Responses = {
    **NOT_LET_IN,
    **_refused(400, "No picture in the request, or one that did not arrive."),
    **_refused(408, "The picture took too long to arrive."),
    **_refused(413, "Too many bytes, or too many pixels."),
    **_refused(415, "The request says that it brings no picture."),
    **_refused(422, "The picture cannot be read, or the class does not exist."),
    **_refused(503, "Too many requests at once; Retry-After says when to come again."),
}

paths = APIRouter()


@paths.post("/predict", response_model=None, responses={200: {"model": Answered}, **NO_ANSWER}, openapi_extra=PICTURE)
async def predict(request: Request) -> Response:
    """Returns the answer for one picture."""
    served = _served(request)
    async with admitted(served):
        data = await read_picture(request, served.settings)
        start = perf_counter()
        async with _in_time(served):
            opened, answer = await served.lanes.submit(data)
        if isinstance(answer, UnreadableError):
            raise answer
        return JSONResponse(answer_dict(opened, answer, milliseconds=1000.0 * (perf_counter() - start)))


@paths.post("/explain", response_model=None, responses={200: {"model": Explained}, **NO_ANSWER}, openapi_extra=PICTURE)
async def explain(request: Request) -> Response:
    """Returns where the network looked in one picture, and the training pictures most like it."""
    served = _served(request)
    async with admitted(served):
        data = await read_picture(request, served.settings)
        async with _in_time(served):
            return JSONResponse(await served.explain(data))


@paths.post(
    "/corrections",
    response_model=None,
    status_code=201,
    responses={201: {"model": Corrected}, **NO_ANSWER, **_refused(507, "It could not be written to the disk.")},
    openapi_extra=PICTURE,
)
async def correct(request: Request, label: str) -> Response:
    """Keeps a picture in the folder of its right class."""
    served = _served(request)
    if label not in served.opened.model.classes:
        raise RefusedError(422, f"there is no class {label!r:.100}; the model knows the classes at /model.")
    async with admitted(served):
        data = await read_picture(request, served.settings)
        folder, limit = served.settings.corrections, served.lanes.max_pixels
        saved = await asyncio.to_thread(keep_picture, data, label, folder=folder, max_pixels=limit)
        served.n_kept = await asyncio.to_thread(count_kept, folder)
        return JSONResponse({"label": label, "saved": saved, "corrections": served.n_kept}, status_code=201)


@paths.get("/", response_class=HTMLResponse, include_in_schema=False)
async def look(request: Request) -> HTMLResponse:
    """Returns the page."""
    page: Page = request.app.state.page
    return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})


@paths.get("/model", response_model=None, responses={200: {"model": Told}, **NOT_LET_IN})
async def model(request: Request) -> Response:
    """Returns what the model that answers now is, and how good."""
    served = _served(request)
    opened, settings = served.opened, served.settings
    facts = {
        "model": opened.name,
        "model_id": opened.key,
        "classes": list(opened.model.classes),
        "accuracy": None,
        "interval": None,
        "n_test": None,
        **served.facts,
        "corrections": served.n_kept,
        "corrections_folder": settings.corrections.name,
        "max_mb": settings.max_mb,
    }
    return JSONResponse(facts)


@paths.get(
    "/health",
    response_model=None,
    responses={200: {"model": Health}, **_refused(421, "The request is for another host.")},
)
async def health(request: Request) -> Response:
    """Returns whether the server is well; the reason of a failed reload is told by /reload and in the terminal."""
    served = _served(request)
    facts = {"status": "ok", "model_id": served.opened.key, "reload_failed": bool(served.fault)}
    return JSONResponse(facts)


@paths.get("/metrics", response_class=PlainTextResponse, responses=NOT_LET_IN)
async def metrics(request: Request) -> Response:
    """Returns counts and times as Prometheus reads them."""
    served = _served(request)
    gauges = {
        "waiting": served.lanes.n_waiting,
        "admitted": served.n_admitted,
        "queue_limit": served.settings.queue,
    }
    opened = served.opened
    text = served.metrics.text(batches=dict(served.lanes.batches), gauges=gauges, model=opened.name, key=opened.key)
    return PlainTextResponse(text, media_type=CONTENT_TYPE)


@paths.post(
    "/reload",
    response_model=None,
    responses={200: {"model": Reloaded}, **NOT_LET_IN, **_refused(409, "The new model is bad; the old one goes on.")},
)
async def reload(request: Request) -> Response:
    """Reads the run folder again; where it is bad, the old model goes on and this says why."""
    served = _served(request)
    if not await served.reload():
        raise RefusedError(409, f"the old model goes on: {served.fault}")
    return JSONResponse({"model": served.opened.name, "model_id": served.opened.key})


def answer_dict(opened: Opened, answer: Prediction, *, milliseconds: float) -> dict[str, Any]:
    """Returns an answer as plain values; see `Answered`."""
    classes = opened.model.classes
    return {
        "label": answer.label,
        "confidence": float(answer.proba.max()),
        "probabilities": dict(zip(classes, answer.proba.tolist(), strict=True)),
        "named": list(answer.named),
        "unsure": answer.unsure,
        "unlike": answer.unlike,
        "model": opened.name,
        "model_id": opened.key,
        "milliseconds": round(milliseconds, 2),
    }


@asynccontextmanager
async def _in_time(served: Served) -> AsyncIterator[None]:
    """Gives up on an answer after the time that one may take."""
    try:
        async with asyncio.timeout(served.settings.timeout):
            yield
    except TimeoutError:
        raise RefusedError(
            503, f"no answer within {served.settings.timeout:g} seconds, because others wait too. Try again."
        ) from None


def _served(request: Request) -> Served:
    served: Served = request.app.state.served
    return served
