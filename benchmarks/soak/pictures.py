"""Nothing that a picture's file can hold makes reading it crash, hang, or take more than 1.2 GiB of memory.

Files that were made to trouble a reader are decoded one by one; then 100 000 mutations of 20 small files, in
processes of their own; then, where atheris is installed, as many as libFuzzer finds in five minutes, led by the code
that Pillow's parsers run. Nothing but `UnreadableError` may come out. Times are of the processor, not of the clock.

python -m benchmarks.soak.pictures
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.record import record
from handful.core.config import ReadingConfig
from handful.images import UnreadableError, decode
from handful.testing.hostile import SEEDS, hostile_pictures, mutated

N_MUTATIONS, A_PROCESS = 100_000, 50_000
FUZZ_SECONDS = 300
MOST_SECONDS, MOST_MIB = 5.0, 1229.0
"""For a file that says it has 64 million pixels, the most that are let pass: WebP's decoder holds four pictures."""

BOMB_SECONDS, BOMB_MIB = 0.2, 80.0
"""What a file that must be refused may take; Pillow unpacks up to 64 MB of text before it refuses."""

STUCK = 60.0
"""Seconds of the processor after which a process that reads one file says where it is, and ends."""

MAX_PIXELS = ReadingConfig().max_megapixels * 1e6
WHITE = 65_535


def read(data: bytes) -> str:
    """Returns why a file cannot be read; "" where it can."""
    try:
        decode(data, max_pixels=MAX_PIXELS).rgb(WHITE)
    except UnreadableError as error:
        return str(error) or "no reason"
    return ""


def peak() -> float:
    """Returns the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bombs() -> dict[str, Any]:
    """Returns the worst of the files that must be refused: processor time, and growth of memory."""
    read(SEEDS[0])
    slowest, largest = (0.0, ""), (0.0, "")
    wrong = []
    for each in hostile_pictures():
        before, start = peak(), process_time()
        refused = bool(read(each.data))
        seconds, grown = process_time() - start, peak() - before
        if refused != bool(each.refused):
            wrong.append(each.name)
        if refused:
            slowest, largest = max(slowest, (seconds, each.name)), max(largest, (grown, each.name))
    return {"files": len(hostile_pictures()), "wrong": wrong, "slowest": slowest, "largest": largest}


def mutations(first: int) -> dict[str, Any]:
    """Returns what became of some mutations, numbered from one on."""
    faulthandler.register(signal.SIGPROF, chain=True)
    outcomes: Counter[str] = Counter()
    escapes, slowest = [], (0.0, 0)
    for number in range(first, first + A_PROCESS):
        data = mutated(random.Random(number))
        signal.setitimer(signal.ITIMER_PROF, STUCK)
        start = process_time()
        try:
            outcomes["refused" if read(data) else "read"] += 1
        except Exception as error:
            escapes.append(f"{number}: {type(error).__name__}: {error}")
        slowest = max(slowest, (process_time() - start, number))
    return {"outcomes": outcomes, "escapes": escapes, "slowest": slowest, "peak": peak()}


def fuzz(corpus: str) -> None:
    """Lets libFuzzer look for a file that troubles the reader; ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["PIL", "handful.images"]):
        for name in [name for name in sys.modules if name.partition(".")[0] == "PIL" or "handful.images" in name]:
            del sys.modules[name]
        from handful.images import UnreadableError, decode

    def once(data: bytes) -> None:
        try:
            decode(data, max_pixels=MAX_PIXELS).rgb(WHITE)
        except UnreadableError:
            return

    limits = [f"-max_total_time={FUZZ_SECONDS}", f"-timeout={2 * FUZZ_SECONDS}", f"-rss_limit_mb={MOST_MIB:.0f}"]
    atheris.Setup([sys.argv[0], *limits, "-max_len=20000", f"-artifact_prefix={corpus}/", corpus], once)
    atheris.Fuzz()


def apart(what: str, argument: object = "") -> subprocess.CompletedProcess[str]:
    """Runs a part of this script in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.soak.pictures", what, str(argument)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def fuzzed() -> dict[str, Any] | None:
    """Returns how often libFuzzer called the reader and whether that went well; None without atheris."""
    if importlib.util.find_spec("atheris") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(SEEDS):
            (Path(folder) / str(number)).write_bytes(data)
        ended = apart("fuzz", folder)
    done = [line for line in ended.stderr.splitlines() if line.startswith("Done")]
    return {"held": ended.returncode == 0, "said": done[-1] if done else ended.stderr[-1000:]}


def main() -> None:
    """Runs all parts and writes the worst of each down."""
    table = json.loads(apart("bombs").stdout)
    outcomes: Counter[str] = Counter()
    escapes: list[str] = []
    died: list[str] = []
    slowest, most = [0.0, 0], 0.0
    for first in range(0, N_MUTATIONS, A_PROCESS):
        ended = apart("mutations", first)
        if ended.returncode:
            died.append(f"{first}: {ended.returncode}: {ended.stderr[-300:]}")
            continue
        found = json.loads(ended.stdout)
        outcomes.update(found["outcomes"])
        escapes += found["escapes"]
        slowest, most = max(slowest, found["slowest"]), max(most, found["peak"])
        print(f"{first + A_PROCESS:,} mutations, {len(escapes)} escapes", flush=True)
    by_atheris = fuzzed()
    record(
        "no file that is no picture, or an odd one, makes reading crash, hang, or take more than 1.2 GiB",
        figures={
            "files": table["files"],
            "read or refused wrongly": table["wrong"],
            "slowest refusal": table["slowest"],
            "largest refusal, MiB": table["largest"],
            "mutations": sum(outcomes.values()),
            **outcomes,
            "escapes": escapes[:10],
            "processes that died": died,
            "slowest mutation": slowest,
            "peak of a process, MiB": round(most),
            "atheris": by_atheris,
        },
        holds=not (table["wrong"] or escapes or died)
        and table["slowest"][0] <= BOMB_SECONDS
        and table["largest"][0] <= BOMB_MIB
        and slowest[0] <= MOST_SECONDS
        and most <= MOST_MIB
        and sum(outcomes.values()) == N_MUTATIONS
        and (by_atheris is None or by_atheris["held"]),
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bombs", _]:
            print(json.dumps(bombs()))
        case ["mutations", first]:
            print(json.dumps(mutations(int(first))))
        case ["fuzz", folder]:
            fuzz(folder)
        case _:
            main()
