"""What a peer is asked to do, and the clock that runs meanwhile; runs in the peer's environment, on Python alone."""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Clock:
    """A budget that has been running since the driver started the process.

    Attributes:
        started: `time.monotonic()` of that moment; the same clock in every process of a machine.
        budget: seconds from then until the predictions have to be written.
    """

    started: float
    budget: float

    def left(self) -> float:
        """Returns the seconds that are left, negative when the budget is spent."""
        return self.started + self.budget - time.monotonic()


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a peer.

    Attributes:
        train: folder of the training pictures, one folder per class.
        test: folder of the test pictures, without classes.
        table: both as a table (path, label, part), for a tool whose own run includes the test.
        out: where the predictions are to be written; `choices.json` comes beside it.
        clock: how long it may take.
        seed: of everything that is drawn.
        threads: of the processor.
        backbone: the pre-trained network, by handful's name; "own" is the peer's default, from its own hub.
        layers: which layers are trained, where a peer can do both: "head" or "all".
    """

    train: Path
    test: Path
    table: Path
    out: Path
    clock: Clock
    seed: int
    threads: int
    backbone: str
    layers: str

    @property
    def test_pictures(self) -> list[Path]:
        """The pictures to be named, sorted."""
        return sorted(self.test.iterdir())

    @property
    def n_train(self) -> int:
        """Number of training pictures."""
        return sum(1 for _ in self.train.glob("*/*"))


def read_job() -> Job:
    """Returns the job that the driver put on the command line; see `arguments_of`."""
    parser = argparse.ArgumentParser(description="Run by benchmarks.peers.run.")
    for name in ("train", "test", "table", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--started", type=float, default=time.monotonic())
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--layers", choices=("head", "all"), default="all")
    given = vars(parser.parse_args())
    clock = Clock(given.pop("started"), given.pop("budget"))
    return Job(clock=clock, **given)


def arguments_of(job: Job) -> list[str]:
    """Returns the command line that `read_job` reads."""
    values = {name: getattr(job, name) for name in ("train", "test", "table", "out", "seed", "threads", "backbone")}
    values |= {"layers": job.layers, "started": job.clock.started, "budget": job.clock.budget}
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def write_answers(job: Job, names: Iterable[str], classes: Iterable[str], choices: Mapping[str, Any]) -> None:
    """Writes the predictions, which stops the clock: the file appears whole, as the last thing.

    Args:
        job: whose they are.
        names: of the test pictures.
        classes: the class of each.
        choices: what the run chose by itself, for the record.
    """
    job.out.with_name("choices.json").write_text(json.dumps(dict(choices)), encoding="utf-8")
    unfinished = job.out.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("name", "label"))
        writer.writerows(zip(names, classes, strict=True))
    unfinished.replace(job.out)
