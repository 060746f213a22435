"""Threads that answer requests: each takes what waits, at most a batch, from the bytes to the answers, on one core.

Nothing waits for a batch to fill. While every thread is busy requests come together by themselves, and the next thread
that is free takes its share of them; a request that finds a free thread is answered alone, at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition

from handful.core.records import Prediction
from handful.features.engines.choose import lanes
from handful.images import UnreadableError
from handful.serve.opened import Opened

Found = tuple[Opened, Prediction | UnreadableError]
"""The model that was asked, and what it said."""


@dataclass(slots=True)
class Job:
    """One file that waits for its answer."""

    data: bytes
    future: asyncio.Future[Found]


@dataclass(slots=True)
class Lanes:
    """The threads and what waits for them.

    Attributes:
        opened: the model that answers; may be replaced at any time, and a batch is answered by one model.
        max_pixels: of a picture.
        n_threads: that work.
        batches: how many batches of each size were answered.
    """

    opened: Opened
    max_pixels: float
    n_threads: int
    batches: dict[int, int] = field(default_factory=dict)
    _waiting: deque[Job] = field(default_factory=deque)
    _changed: Condition = field(default_factory=Condition)
    _is_closed: bool = False

    def submit(self, data: bytes) -> asyncio.Future[Found]:
        """Returns what will hold the answer for a file; to be called in the event loop, which gets the answer."""
        job = Job(data, asyncio.get_running_loop().create_future())
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    @property
    def n_waiting(self) -> int:
        """Files that no thread has taken yet."""
        return len(self._waiting)

    @contextmanager
    def working(self) -> Iterator[ThreadPoolExecutor]:
        """Opens the threads; they end with the context, once everything that waited was answered."""
        with lanes(self.n_threads) as pool:
            for _ in range(self.n_threads):
                pool.submit(self._work)
            try:
                yield pool
            finally:
                with self._changed:
                    self._is_closed = True
                    self._changed.notify_all()

    def _work(self) -> None:
        while portion := self._take():
            opened = self.opened
            jobs = [job for job in portion if not job.future.cancelled()]
            if not jobs:
                continue
            found = self._found(opened, [job.data for job in jobs])
            self.batches[len(jobs)] = self.batches.get(len(jobs), 0) + 1
            loop = jobs[0].future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver, jobs, found)

    def _found(self, opened: Opened, files: list[bytes]) -> list[Found | Exception]:
        """Returns what the model says of each file; where a batch ends in a fault, each is tried alone."""
        try:
            return [(opened, answer) for answer in opened.answers(files, max_pixels=self.max_pixels)]
        except Exception as error:  # which must not end the thread
            return [error] if len(files) == 1 else [found for data in files for found in self._found(opened, [data])]

    def _take(self) -> list[Job]:
        """Waits for jobs and returns this thread's share of them; nothing when the server ends."""
        with self._changed:
            while not self._waiting:
                if self._is_closed:
                    return []
                self._changed.wait()
            share = -(-len(self._waiting) // self.n_threads)
            return [self._waiting.popleft() for _ in range(min(share, self.opened.batch))]


def _deliver(jobs: list[Job], found: list[Found | Exception]) -> None:
    for job, answer in zip(jobs, found, strict=True):
        if job.future.done():
            continue
        if isinstance(answer, Exception):
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)
