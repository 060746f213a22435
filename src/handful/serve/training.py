"""A training that the server started: how far it is, how it ended, and how to stop it."""

from __future__ import annotations

import multiprocessing
import threading
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any

from handful.serve.apart import Began, Ended, Failed, Finished, Message, Moved, Order, Remark, learn

GRACE_SECONDS = 30.0
"""From being told to stop until the process is ended by force."""

MOST_REMARKS = 50


@dataclass(slots=True)
class Bar:
    """A stage as it is shown; stages of one label share a bar, the latest."""

    label: str
    number: int
    total: int
    n_done: int = 0
    note: str = ""
    is_open: bool = True


@dataclass(slots=True)
class Training:
    """One training.

    Attributes:
        order: what is trained.
        process: where.
        line: to the process.
        state: "running", "stopping", "stopped", "done" or "failed".
        bars: by the stages' labels, in the order in which they began.
        remarks: the latest sentences.
        run: the run folder, once it is done.
        told: the result, or why there is none; a sentence.
    """

    order: Order
    process: BaseProcess
    line: Connection
    state: str = "running"
    bars: dict[str, Bar] = field(default_factory=dict)
    remarks: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_REMARKS))
    run: Path | None = None
    told: str = ""
    began: float = field(default_factory=monotonic)
    ended: float | None = None
    _reader: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_over(self) -> bool:
        """Whether there is a result, or there will be none."""
        return self.state not in ("running", "stopping")

    def facts(self) -> dict[str, Any]:
        """Returns what the page shows, as plain values."""
        with self._lock:
            return {
                "state": self.state,
                "seconds": (self.ended or monotonic()) - self.began,
                "bars": [
                    {
                        "label": bar.label,
                        "total": bar.total,
                        "done": bar.n_done,
                        "note": bar.note,
                        "open": bar.is_open,
                    }
                    for bar in self.bars.values()
                ],
                "remarks": list(self.remarks),
                "told": self.told,
                "run": str(self.run) if self.run else "",
                "data": self.order.data,
            }

    def stop(self) -> None:
        """Tells it to stop, and returns at once; it takes a moment, because nothing half-written is left behind."""
        with self._lock:
            if self.state != "running":
                return
            self.state = "stopping"
        try:
            self.line.send("stop")
        except OSError:
            return  # it has just ended by itself
        timer = threading.Timer(GRACE_SECONDS, self.process.kill)
        timer.daemon = True
        timer.start()

    def wait(self, seconds: float) -> None:
        """Waits for the end of its process."""
        if self._reader is not None:
            self._reader.join(seconds)

    def _read(self) -> None:
        while True:
            try:
                message = self.line.recv()
            except (EOFError, OSError):
                break
            with self._lock:
                self._take(message)
        self.process.join()
        with self._lock:
            if self.state == "stopping":
                self.state = "stopped"
            elif self.state == "running":
                self.state = "failed"
                self.told = (
                    f"the training ended by itself (exit code {self.process.exitcode}); the terminal may say why. "
                    "Where memory was short, close other programs or take smaller or fewer pictures."
                )
            self.ended = self.ended or monotonic()
        self.line.close()

    def _take(self, message: Message) -> None:
        match message:
            case Began(number, label, total):
                self.bars[label] = Bar(label, number, total)
            case Moved(number, n_done, note):
                for bar in self.bars.values():
                    if bar.number == number:
                        bar.n_done, bar.note = n_done, note
            case Ended(number):
                for bar in self.bars.values():
                    if bar.number == number:
                        bar.is_open = False
            case Remark(text):
                self.remarks.append(text)
            case Finished(folder, sentence):
                self.state, self.run, self.told, self.ended = "done", Path(folder), sentence, monotonic()
            case Failed(reason):
                self.state, self.told, self.ended = "failed", reason, monotonic()


def begin(order: Order) -> Training:
    """Starts a training in a process of its own and returns at once."""
    context = multiprocessing.get_context("spawn")  # a copy of this process would copy its threads' locks
    ours, theirs = context.Pipe()
    process = context.Process(target=learn, args=(order, theirs), name="handful-training", daemon=True)
    process.start()
    theirs.close()
    training = Training(order, process, ours)
    training._reader = threading.Thread(target=training._read, name="training", daemon=True)
    training._reader.start()
    return training
