"""10 000 changed metadata files: every JSON that handful reads, with other values or entries, or damaged.

python -m benchmarks.soak.metadata [N]

While a file is read, Python's own audit hooks note what is opened, imported and begun.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import handful
from benchmarks.record import record
from benchmarks.soak._documents import Document, documents
from handful.core.errors import HandfulError

N_CASES = 10_000
SLOW = 1.0
"""Seconds of the processor within which a file has to be read or refused."""

LOUD = {"import", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}
"""What must not happen at all; files are opened in the folder alone."""

INSTALLED = (
    sys.prefix, sys.base_prefix, str(Path(handful.__file__).parent), str(Path(__file__).parent), "/proc/cpuinfo",
)  # fmt: skip
"""The programs themselves, and what is asked about the processor."""

STRINGS = (
    "", "..", "../../outside", "/etc/passwd", "C:\\Windows\\win.ini", "\\\\host\\share\\x", "file:///etc/passwd", "\0",
    "%s%n", "{0.__class__}", "__import__('os').system('true')", "os:system", "timm:os.system", "hf:../../outside",
    "torch.hub", "toy", "eager", "onnxruntime", "NaN", "1e999", "\ud800", "e\u0301", "x" * 5000, "0" * 64,
)  # fmt: skip
NUMBERS = (0, 1, -1, 2**31, 2**63, 10**30, 10**400, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"))
KEYS = ("__class__", "__reduce__", "auto_map", "external_data", "format", "name", "path", "0", "")

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from(STRINGS), st.sampled_from(NUMBERS), st.text(), st.integers()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4),
    max_leaves=6,
)
edits = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(("set", "drop", "add", "twice")), values), max_size=3)
damage = st.none() | st.tuples(st.sampled_from(("cut", "flip", "deep", "long")), st.integers(0, 10**6))


@dataclass
class Seen:
    """What was noted while files were read."""

    folder: str
    listening: bool = False
    events: list[str] = field(default_factory=list)

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Takes an event of Python's own; see `sys.addaudithook`."""
        if not self.listening:
            return
        if event == "open" and isinstance(arguments[0], str | bytes | Path):
            path = str(Path(arguments[0] if not isinstance(arguments[0], bytes) else arguments[0].decode()).resolve())
            if not path.startswith((self.folder, *INSTALLED)):
                self.events.append(f"open {path}")
        elif event in LOUD:
            self.events.append(f"{event} {arguments[0]}")

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listens for as long as the context lasts."""
        self.listening = True
        try:
            yield
        finally:
            self.listening = False


def attack(n_cases: int, *, seed: int = 0) -> dict[str, Any]:
    """Returns how many changed files were read and refused, and everything that happened and must not."""
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        folder = Path(place).resolve()
        patch.setenv("HANDFUL_CACHE", str(folder / "cache"))
        known = documents(folder, patch)
        for document in known:  # what is imported when it is first needed is imported now
            document.write(document.path, json.dumps(document.honest).encode())
            document.read()
        seen = Seen(str(folder))
        sys.addaudithook(seen.note)

        share = -(-n_cases // len(known))
        slowest = max(_tried(document, share, seed, seen, counts, faults) for document in known)
    return {
        "cases": sum(counts[document.name] for document in known),
        "files": {document.name: counts[document.name] for document in known},
        "read": counts["read"],
        "refused": counts["refused"],
        "slowest_s": round(slowest, 3),
        "faults": dict(faults.most_common(40)),
    }


def _tried(
    document: Document, n_cases: int, seed: int, seen: Seen, counts: Counter[str], faults: Counter[str]
) -> float:
    """Reads a document with many changes, counts what came of it, and returns the seconds of the slowest."""
    slowest = 0.0

    @settings(max_examples=n_cases, deadline=None, database=None, derandomize=seed == 0,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(edits, damage)
    def case(changes: list[tuple[int, str, Any]], harm: tuple[str, int] | None) -> None:
        nonlocal slowest
        document.write(document.path, changed(document, changes, harm))
        modules, began = set(sys.modules), time.process_time()
        fault = _fault(document.read, seen, counts)
        slowest = max(slowest, time.process_time() - began)
        new = sorted(set(sys.modules) - modules)
        for each in (*([fault] if fault else []), *(f"imported {name}" for name in new), *seen.events):
            faults[f"{document.name}: {each}"] += 1
        counts[document.name] += 1
        seen.events.clear()

    case()
    return slowest


def changed(document: Document, changes: list[tuple[int, str, Any]], harm: tuple[str, int] | None) -> bytes:
    """Returns a document's bytes after some changes of its values, and perhaps of the bytes themselves."""
    value: Any = {"": copy.deepcopy(document.honest)}
    for place, kind, other in changes:
        parents = list(_parents(value))
        parent, key = parents[place % len(parents)]
        if kind == "drop" and key != "":
            del parent[key]
        elif kind == "add" and isinstance(parent[key], dict):
            parent[key][KEYS[place % len(KEYS)]] = other
        elif kind == "twice" and isinstance(parent[key], list):
            parent[key] = parent[key] * 2
        else:
            parent[key] = other
    data = json.dumps(value[""]).encode()
    if harm is None:
        return data
    kind, place = harm
    at = place % max(1, len(data))
    whole = {
        "cut": data[:at],
        "flip": data[:at] + bytes([data[at] ^ (1 << place % 8)]) + data[at + 1 :] if data else data,
        "deep": b"[" * 100_000,
        "long": b'{"format": ' + b"9" * 10_000 + b"}",
    }
    return whole[kind]


def _parents(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every container in a document with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _parents(value[key])


def _fault(read: Callable[[], None], seen: Seen, counts: Counter[str]) -> str:
    """Returns what escaped while a file was read; "" where it was read, or refused as it should be."""
    try:
        with seen.heard():
            read()
    except HandfulError:
        counts["refused"] += 1
    except Exception as error:
        where = error.__traceback__
        while where and where.tb_next:
            where = where.tb_next
        place = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else "?"
        return f"{type(error).__name__} at {place}: {str(error)[:80]}"
    else:
        counts["read"] += 1
    return ""


def main() -> None:
    """Reads so many changed files, and writes down what came of it."""
    n_cases = int(sys.argv[1]) if sys.argv[1:] else N_CASES
    figures = attack(n_cases)
    record(
        f"{n_cases} changed metadata files: nothing imported, nothing opened outside of the folder, only our errors",
        figures=figures,
        holds=not figures["faults"] and figures["cases"] >= n_cases and figures["slowest_s"] < SLOW,
    )


if __name__ == "__main__":
    main()
