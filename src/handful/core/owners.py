"""Which process something belongs to while it is being made, and whether that process is still there."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from handful.core.parsed import MALFORMED, parse_json


@dataclass(frozen=True, slots=True)
class Owner:
    """A process.

    Attributes:
        pid: its number.
        host: the machine that it runs on.
        since: when it began to make the thing, seconds since 1970.
        born: what tells it from a later process of the same number; "" where the system does not say.
    """

    pid: int
    host: str
    since: float
    born: str

    @classmethod
    def here(cls) -> Owner:
        """Returns this process."""
        return cls(os.getpid(), socket.gethostname(), time.time(), _born(os.getpid()))

    @classmethod
    def read(cls, text: bytes) -> Owner | None:
        """Returns the process that was written down; None where that cannot be understood, or was never finished."""
        try:
            facts = parse_json(text)
            owner = cls(int(facts["pid"]), str(facts["host"]), float(facts["since"]), str(facts["born"]))
            time.localtime(owner.since)
        except (OSError, *MALFORMED):
            return None
        return owner if owner.pid > 0 else None

    def written(self) -> bytes:
        """Returns the process as JSON, for `read`."""
        return json.dumps(asdict(self)).encode()

    def is_elsewhere(self) -> bool:
        """Returns whether it runs on another machine, so that nobody can tell from here whether it still does."""
        return self.host != socket.gethostname()

    def is_gone(self) -> bool:
        """Returns whether it ended; False where that cannot be told."""
        if self.is_elsewhere() or os.name == "nt":  # there, asking a process whether it is there can end it
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):  # another user's
            pass
        return bool(self.born) and _born(self.pid) != self.born

    def __str__(self) -> str:
        """Returns who it is and since when, as the end of a sentence."""
        began = time.localtime(self.since)
        is_today = began[:3] == time.localtime()[:3]
        since = time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", began)
        return f"process {self.pid} on {self.host} since {since}"


def _born(pid: int) -> str:
    """Returns when Linux started a process, in ticks of its clock; "" for one that ended, and elsewhere.

    Fields 3 and 22 of proc(5)'s stat; the second is a name in brackets that may hold anything. A process that ended
    and was not waited for yet is a zombie, Z.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"
