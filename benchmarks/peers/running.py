"""One run: a process of its own, on a few processors, with nothing cached, under the clock."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.installing import ROOT
from benchmarks.peers.job import Clock, Job, arguments_of
from benchmarks.peers.roster import Peer
from benchmarks.peers.scoring import accuracy_of
from benchmarks.peers.tasks import Prepared
from handful.core.errors import HandfulError
from handful.core.files import cache_folder

GRACE = 1.05
"""Multiple of the budget after which a run counts as not finished, and is ended."""

GLANCE = 0.02
"""Seconds between two looks whether the predictions are there."""

LAST_WORDS = 2000
"""Letters of a failed run's messages that are shown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        finished: whether the predictions were there in time.
        seconds: from the start of the process until they were, or until it was ended.
        accuracy: on the test pictures, in [0, 1]; None where it did not finish.
        choices: what the run chose by itself.
    """

    finished: bool
    seconds: float
    accuracy: float | None
    choices: dict[str, Any]


def run_peer(
    peer: Peer,
    python: Path,
    pictures: Prepared,
    *,
    budget: float,
    seed: int,
    threads: int,
    script: list[str] | None = None,
) -> Outcome:
    """Returns what a peer made of its budget.

    Args:
        peer: who.
        python: of its environment.
        pictures: what it trains on and has to name.
        budget: seconds.
        seed: of everything that it draws.
        threads: and processors that it may use.
        script: what Python runs, instead of the peer's module.

    Raises:
        HandfulError: it failed; the end of what it said is in the message.
    """
    script = script or ["-m", f"benchmarks.peers.{peer.module}"]
    with tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary)
        words = place / "said.txt"
        folder = pictures.pictures
        job = Job(
            train=folder / "train",
            test=folder / "test",
            table=folder / "table.csv",
            out=place / "predictions.csv",
            clock=Clock(time.monotonic(), budget),
            seed=seed,
            threads=threads,
            backbone=peer.backbone,
            layers=peer.layers,
        )
        with words.open("w", encoding="utf-8") as said:
            process = subprocess.Popen(
                [str(python), *script, *arguments_of(job)],
                cwd=place,
                env=_surroundings(place, threads),
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _wait(process, job)
                seconds = time.monotonic() - job.clock.started
            finally:
                _end(process)
        if job.out.is_file() and seconds <= GRACE * budget:
            choices = json.loads(job.out.with_name("choices.json").read_text(encoding="utf-8"))
            return Outcome(True, round(seconds, 2), accuracy_of(job.out, pictures.truth), choices)
        if seconds < GRACE * budget:
            end = words.read_text(encoding="utf-8", errors="replace")[-LAST_WORDS:]
            raise HandfulError(f"{peer.name} ended after {seconds:.0f} s without predictions:\n{end}")
        return Outcome(False, round(seconds, 2), None, {})


def _wait(process: subprocess.Popen[bytes], job: Job) -> None:
    """Returns when the predictions are there, the process has ended, or its time is over."""
    while not job.out.is_file() and process.poll() is None and -job.clock.left() <= (GRACE - 1) * job.clock.budget:
        time.sleep(GLANCE)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process with all that it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _surroundings(place: Path, threads: int) -> Mapping[str, str]:
    """Returns the environment variables of a run: the threads of every library, and a cache of weights alone."""
    cache = place / "cache"
    cache.mkdir()
    weights = cache_folder("weights")
    if weights.is_dir():
        (cache / "weights").symlink_to(weights.absolute(), target_is_directory=True)
    libraries = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **os.environ,
        **{name: str(threads) for name in libraries},
        "HANDFUL_CACHE": str(cache),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
    }
