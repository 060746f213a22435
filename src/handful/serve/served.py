"""The model that is served now, and how another takes its place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handful.core.errors import BundleError, HandfulError
from handful.core.machine import release_memory
from handful.core.parsed import MALFORMED, parse_json
from handful.core.progress import Progress
from handful.core.sealed import read_verified
from handful.serve.explain import References, explain, find_references
from handful.serve.kept import count_kept
from handful.serve.lanes import Lanes
from handful.serve.metrics import Metrics
from handful.serve.opened import Opened, open_model
from handful.serve.settings import Settings


@dataclass(slots=True)
class Served:
    """A run that is served.

    Attributes:
        run: the folder.
        settings: the server's.
        lanes: the threads that answer; they hold the model.
        references: its training pictures.
        facts: what the page says about the model.
        progress: told about the work.
        n_kept: pictures in the folder of corrections, when it was last looked at.
        metrics: counts and times.
        n_admitted: requests with a picture that are read, wait or are worked on.
        next_refusal: when the latest request too many is or was told so.
        fault: why the last reload failed; "" where it did not.
        reloading: one reload at a time.
        explaining: one picture at a time, so that answers do not wait for reasons.
    """

    run: Path
    settings: Settings
    lanes: Lanes
    references: References
    facts: dict[str, Any]
    progress: Progress
    n_kept: int
    metrics: Metrics = field(default_factory=Metrics)
    n_admitted: int = 0
    next_refusal: float = 0.0
    fault: str = ""
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    explaining: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def opened(self) -> Opened:
        """The model that answers now."""
        return self.lanes.opened

    async def reload(self) -> bool:
        """Reads the run folder again; the old model answers meanwhile, and goes on where the new one is bad.

        Returns:
            Whether the new model answers now.
        """
        async with self.reloading:
            try:
                opened, references, facts = await asyncio.to_thread(self._read)
            except Exception as error:  # whatever is wrong with the new one, the old one is good
                told = isinstance(error, HandfulError)
                self.fault = str(error) if told else f"it cannot be opened: {type(error).__name__}: {error}"
                self.metrics.reloads["failed"] += 1
                self.progress.say(f"The old model goes on: {self.fault}")
                return False
            self.lanes.opened, self.references, self.facts = opened, references, facts
            await asyncio.to_thread(release_memory)
            self.fault = ""
            self.metrics.reloads["ok"] += 1
            self.progress.say(f"Model {opened.name} {opened.key} answers now.")
            return True

    async def explain(self, data: bytes) -> dict[str, Any]:
        """Returns why a picture got its answer; the next one's turn comes when the work is done, awaited or not."""
        await self.explaining.acquire()
        work = asyncio.ensure_future(
            asyncio.to_thread(explain, self.opened, self.references, data, max_pixels=self.lanes.max_pixels)
        )
        work.add_done_callback(lambda _: self.explaining.release())
        return await asyncio.shield(work)  # a thread cannot be stopped

    def _read(self) -> tuple[Opened, References, dict[str, Any]]:
        opened = _open(self.run, self.settings, progress=self.progress)
        return opened, find_references(self.run), _facts(self.run)


def open_run(run: Path, settings: Settings, *, progress: Progress) -> Served:
    """Opens a run to be served.

    Raises:
        BundleError: there is no model, or it is damaged.
        ConfigError: its network cannot run here.
    """
    if not run.is_dir():
        raise BundleError(f"there is no run folder {run}. Name the run folder that `handful train` printed.")
    opened = _open(run, settings, progress=progress)
    lanes = Lanes(opened, settings.max_megapixels * 1e6, settings.threads)
    return Served(run, settings, lanes, find_references(run), _facts(run), progress, count_kept(settings.corrections))


def _open(run: Path, settings: Settings, *, progress: Progress) -> Opened:
    return open_model(run, threads=settings.threads, progress=progress, own_engine=settings.own_engine)


def _facts(run: Path) -> dict[str, Any]:
    """Returns the figures of a run that the page tells; none where the run is only a model."""
    try:
        result = parse_json(read_verified(run, "result.json"))
        low, high = result["accuracy_interval"]
        return {
            "accuracy": float(result["accuracy"]),
            "interval": [float(low), float(high)],
            "n_test": result["n_test"],
        }
    except (OSError, *MALFORMED):
        return {}
