"""Training in a process of its own: what it says goes over a line to the server, which can tell it to stop."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from time import monotonic
from types import FrameType
from typing import Any

from handful.core.errors import HandfulError
from handful.core.progress import Advance

TELL_SECONDS = 0.1
"""Between two messages about one stage."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be trained: the data set, and the options of `handful.train`."""

    data: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Began:
    """A stage has begun."""

    number: int
    label: str
    total: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A stage has come to `n_done` steps."""

    number: int
    n_done: int
    note: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A stage is over."""

    number: int


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about what is happening."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """There is a run folder; `sentence` is its result."""

    folder: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Failed:
    """There is none, and why."""

    reason: str


Message = Began | Moved | Ended | Remark | Finished | Failed


def learn(order: Order, line: Connection) -> None:
    """Trains, in the main thread of a process of its own, until it is done or told to stop.

    Anything that comes over the line means stop, and so does its end: when the server dies, no training outlives it. To
    stop is what Ctrl+C is: nothing half-written is left behind.

    Args:
        order: what to train.
        line: to the server.
    """
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_listen, args=(line,), daemon=True).start()
    told = Told(line)
    try:
        from handful import api
        from handful.report.summary import headline

        result = api.train(order.data, progress=told, **order.options)
        told.send(Finished(str(result.folder.resolve()), headline(result.run)))
    except KeyboardInterrupt:
        pass
    except HandfulError as error:
        told.send(Failed(str(error)))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        told.send(Failed(f"a fault in handful itself: {type(error).__name__}: {error}"))


class Told:
    """A Progress whose messages go over the line."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._n_stages = 0

    def send(self, message: Message) -> None:
        """Sends a message; drops it where nobody listens any more."""
        with self._lock, suppress(OSError):
            self._line.send(message)

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Advance]:
        """Tells how far a stage is, ten times a second at most."""
        number = self._n_stages
        self._n_stages += 1
        self.send(Began(number, label, total))
        lock, total_done, latest, last = threading.Lock(), 0, "", 0.0

        def advance(n_done: int, note: str = "") -> None:
            nonlocal total_done, latest, last
            with lock:
                total_done, latest = total_done + n_done, note or latest
                now = monotonic()
                if now - last >= TELL_SECONDS:
                    last = now
                    self.send(Moved(number, total_done, latest))

        yield advance
        self.send(Moved(number, total_done, latest))
        self.send(Ended(number))

    def say(self, message: str) -> None:
        """Passes on one sentence."""
        self.send(Remark(message))


def _stop(signal_number: int, frame: FrameType | None) -> None:
    """Interrupts the training once: a second signal must not interrupt the tidying up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _listen(line: Connection) -> None:
    with suppress(EOFError, OSError):
        line.recv()
    if hasattr(signal, "pthread_kill"):  # wakes the main thread where it waits
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
