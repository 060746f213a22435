"""Ctrl+C and SIGTERM: work is let go at once, and within seconds the process is gone, whatever it was doing."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143

CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}

GRACE = 3.0
"""Seconds to clear up. A process that takes longer, as within a long call of a library, is ended where it is: files on
the disk are whole at every moment."""

LAST_WORDS = b"handful: stopped; what was finished is kept, and the same command goes on from there.\n"


@contextmanager
def stoppable() -> Iterator[None]:
    """Makes SIGINT a KeyboardInterrupt and SIGTERM a SystemExit of 143, and ends the process if neither is heeded."""
    told, telling = socket.socketpair()
    telling.setblocking(False)
    awakened = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    ended = Event()
    watcher = Thread(target=_watch, args=(told, ended), name="stopping", daemon=True)
    watcher.start()
    before = {number: signal.signal(number, _stop) for number in CODES}
    try:
        yield
    except SystemExit as stop:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
            _leave(int(stop.code or 0))
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        ended.set()
        signal.set_wakeup_fd(awakened)
        telling.close()
        watcher.join()


def _stop(number: int, frame: FrameType | None) -> None:
    """Lets the work go; another signal does not disturb the clearing up."""
    for other in CODES:
        signal.signal(other, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(TERMINATED)


def _leave(code: int) -> None:
    """Ends the process at once: nothing is left to do but to take libraries apart, which takes a while."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _watch(told: socket.socket, ended: Event) -> None:
    """Waits for a signal, then for the end; handlers run between two steps of Python only, this does not wait for them.

    Signals that a server takes for itself are left to it.
    """
    with told:
        while byte := told.recv(1):
            code = CODES.get(signal.Signals(byte[0]))
            ours = signal.getsignal(byte[0]) in (_stop, signal.SIG_IGN)
            if code is not None and ours and not ended.wait(GRACE):
                os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, LAST_WORDS)
                os._exit(code)
