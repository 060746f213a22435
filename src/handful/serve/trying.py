"""The latest model under the page on which it was trained: the server of `handful serve`, opened when first asked."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from handful.core.errors import HandfulError
from handful.core.progress import Progress
from handful.serve.application import make_application
from handful.serve.page import Page, make_page
from handful.serve.refused import refusal
from handful.serve.served import open_run
from handful.serve.settings import Settings


@dataclass(slots=True)
class Trying:
    """An application that passes requests on to that of the model in `run`.

    Attributes:
        settings: the limits.
        progress: told about the opening.
        run: the run folder; None where nothing was trained yet.
        corrections: the folder that takes corrected pictures.
    """

    settings: Settings
    progress: Progress
    run: Path | None = None
    corrections: Path = Path()
    _page: Page = field(default_factory=lambda: make_page("serve.html.j2", in_studio=True))
    _opened: tuple[Path, FastAPI, ExitStack] | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        try:
            application = await self._application()
        except HandfulError as error:
            await refusal(409, f"the model cannot be opened: {error}")(scope, receive, send)
            return
        if application is None:
            await refusal(404, "no model was trained yet. Press Train first.")(scope, receive, send)
            return
        await application(scope, receive, send)

    async def close(self) -> None:
        """Ends the threads of the model that answers."""
        if self._opened is not None:
            await asyncio.to_thread(self._opened[2].close)
            self._opened = None

    async def _application(self) -> FastAPI | None:
        async with self._opening:
            if self.run is not None and (self._opened is None or self._opened[0] != self.run):
                opened = await asyncio.to_thread(self._open, self.run)
                await self.close()
                self._opened = opened
            return self._opened[1] if self._opened else None

    def _open(self, run: Path) -> tuple[Path, FastAPI, ExitStack]:
        settings = replace(self.settings, corrections=self.corrections, token="", cookie="", own_engine=True)
        served = open_run(run, settings, progress=self.progress)
        stack = ExitStack()
        stack.enter_context(served.lanes.working())
        return run, make_application(served, self._page), stack
