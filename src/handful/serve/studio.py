"""The paths of the page on which a model is trained: classes, pictures, folders, training, result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from handful.core.progress import Progress
from handful.serve import photos
from handful.serve.admission import admitted
from handful.serve.apart import Order
from handful.serve.application import add_refusals
from handful.serve.body import read_picture
from handful.serve.folders import roots, show, within
from handful.serve.guard import Guard, is_token
from handful.serve.kept import count_kept
from handful.serve.metrics import Metrics
from handful.serve.page import Page, make_page
from handful.serve.refused import RefusedError
from handful.serve.settings import Settings
from handful.serve.training import GRACE_SECONDS, Training, begin
from handful.serve.trying import Trying

EFFORTS: dict[str, dict[str, str]] = {"quick": {}, "2m": {"time": "2m"}, "10m": {"time": "10m"}}
"""How long to look for the best model: the options of `handful.train` for each choice."""

REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(slots=True)
class Studio:
    """What the page works on.

    Attributes:
        photos: the folder of class folders that pictures are dropped into.
        settings: the server's.
        progress: told about the opening of a model.
        allowed: folders below which the page may look.
        training: the latest.
        trying: the latest model.
        n_admitted: pictures that are being taken.
        next_refusal: when the latest picture too many is or was told so.
    """

    photos: Path
    settings: Settings
    progress: Progress
    allowed: tuple[Path, ...] = field(default_factory=roots)
    training: Training | None = None
    n_admitted: int = 0
    next_refusal: float = 0.0
    metrics: Metrics = field(default_factory=Metrics)
    trying: Trying = field(init=False)

    def __post_init__(self) -> None:
        self.trying = Trying(self.settings, self.progress)

    @property
    def max_pixels(self) -> float:
        """Pixels of a picture."""
        return 1e6 * self.settings.max_megapixels

    def corrections_of(self, data: Path) -> Path:
        """Returns where the corrections of models of a data set are kept: beside the page's own pictures."""
        return self.photos.with_name(f"{data.name}-corrections")

    def train(self, folder: str, effort: str) -> None:
        """Starts a training on a folder, or on the pictures of the page where it is "".

        Raises:
            RefusedError: one is under way, or there is nothing to train on.
        """
        if effort not in EFFORTS:
            raise RefusedError(422, f"effort is {effort!r:.40}; expected one of {', '.join(EFFORTS)}.")
        if self.training is not None and not self.training.is_over:
            raise RefusedError(409, "a training is under way. Stop it first, or wait for its end.")
        data = within(folder, self.allowed) if folder else self.photos
        filled = [each for each in photos.list_classes(data) if each.pictures] if not folder else []
        if not folder and len(filled) < 2:
            raise RefusedError(409, "there is nothing to tell apart yet: put pictures into two classes at least.")
        options: dict[str, Any] = dict(EFFORTS[effort])
        if count_kept(corrections := self.corrections_of(data)):
            options["add"] = (str(corrections),)
        self.training = begin(Order(str(data), options))

    def training_facts(self) -> dict[str, Any]:
        """Returns how the latest training stands, and makes its model the one that is tried."""
        training = self.training
        if training is None:
            return {"state": "none"}
        if training.run is not None:
            self.trying.run, self.trying.corrections = training.run, self.corrections_of(Path(training.order.data))
        return training.facts()


def make_studio(studio: Studio) -> FastAPI:
    """Returns the application of the page on which a model is trained."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if studio.training is not None:
            studio.training.stop()
            await asyncio.to_thread(studio.training.wait, GRACE_SECONDS + 5.0)
        await studio.trying.close()

    application = FastAPI(title="handful", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    _add_class_paths(application, studio)
    _add_training_paths(application, studio, make_page("ui.html.j2"))
    application.mount("/try", studio.trying)
    add_refusals(application, lacking="something; reload the page")
    application.add_middleware(Guard, host=studio, taking=("/pictures",))
    return application


def _add_class_paths(application: FastAPI, studio: Studio) -> None:
    root = studio.photos

    def classes() -> JSONResponse:
        return JSONResponse([asdict(each) for each in photos.list_classes(root)])

    @application.get("/classes", response_model=None)
    def listed() -> Response:
        return classes()

    @application.post("/classes", response_model=None)
    def add(name: str) -> Response:
        photos.add_class(root, name)
        return classes()

    @application.post("/classes/rename", response_model=None)
    def rename(name: str, to: str) -> Response:
        photos.rename_class(root, name, to)
        corrections = studio.corrections_of(root)
        if any(each.name == name for each in photos.list_classes(corrections)):
            photos.rename_class(corrections, name, to)
        return classes()

    @application.post("/classes/remove", response_model=None)
    def remove(name: str) -> Response:
        photos.remove_class(root, name)
        return classes()

    @application.post("/pictures", response_model=None, status_code=201)
    async def take(request: Request, label: str) -> Response:
        async with admitted(studio):
            data = await read_picture(request, studio.settings)
            name = await asyncio.to_thread(photos.add_picture, root, label, data, max_pixels=studio.max_pixels)
            return JSONResponse({"picture": name}, status_code=201)

    @application.post("/pictures/remove", response_model=None)
    def drop(label: str, name: str) -> Response:
        photos.remove_picture(root, label, name)
        return classes()

    @application.get("/picture", response_model=None)
    def small(label: str, name: str) -> Response:
        return Response(photos.small_picture(root, label, name), media_type="image/jpeg")

    @application.get("/folders", response_model=None)
    def folders(path: str = "") -> Response:
        return JSONResponse(asdict(show(path or str(Path.cwd()), studio.allowed)))


def _add_training_paths(application: FastAPI, studio: Studio, page: Page) -> None:
    @application.get("/", response_class=HTMLResponse)
    async def look(token: str = "") -> Response:
        if token and is_token(token, studio.settings):
            entered = RedirectResponse("/", status_code=303)
            entered.set_cookie(studio.settings.cookie, token, httponly=True, samesite="strict")
            return entered
        return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})

    @application.get("/places", response_model=None)
    async def places() -> Response:
        return JSONResponse({"photos": str(studio.photos), "max_mb": studio.settings.max_mb})

    @application.post("/train", response_model=None, status_code=202)
    def train(effort: str, folder: str = "") -> Response:
        studio.train(folder, effort)
        return JSONResponse(studio.training_facts(), status_code=202)

    @application.post("/stop", response_model=None)
    def stop() -> Response:
        if studio.training is not None:
            studio.training.stop()
        return JSONResponse(studio.training_facts())

    @application.get("/training", response_model=None)
    async def training() -> Response:
        return JSONResponse(studio.training_facts())

    @application.get("/report", response_model=None)
    def report() -> Response:
        run = studio.trying.run
        if run is None or not (run / "report.html").is_file():
            raise RefusedError(404, "there is no report yet. Press Train first.")
        return FileResponse(run / "report.html", headers={"Content-Security-Policy": REPORT_POLICY})
