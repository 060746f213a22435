"""Runs what is missing of the comparison, one line in a file of results for each run.

python -m benchmarks.peers.run --task cifar --data CIFAR10.zip --peers fastai,handful --budgets 30,60 --seeds 0-4

See README.md beside this file. A run that was stopped is made again the next time; one that is in the file is not.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.installing import install, versions_of
from benchmarks.peers.roster import PEERS, find_peer
from benchmarks.peers.running import run_peer
from benchmarks.peers.tasks import TASKS, prepare
from benchmarks.record import RESULTS
from handful.core.errors import ConfigError, HandfulError
from handful.core.files import cache_folder
from handful.core.machine import describe_machine

DEFAULT_RESULTS = RESULTS / "peers.jsonl"
BUDGETS = (30, 60, 120, 300, 600)
THREADS = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One run to make: which pictures, who, in how many seconds, by which seed."""

    task: str
    peer: str
    budget: int
    seed: int


def order(task: str, peers: Sequence[str], budgets: Sequence[int], seeds: Sequence[int]) -> Iterator[Entry]:
    """Yields all runs, peers in turns, so that what the machine does meanwhile hits all alike.

    Who begins moves on with every round, so that nobody always runs first.
    """
    number = 0
    for seed in seeds:
        for budget in budgets:
            first = number % len(peers)
            for peer in (*peers[first:], *peers[:first]):
                yield Entry(task, peer, budget, seed)
            number += 1


def missing(wanted: Iterable[Entry], lines: Iterable[Mapping[str, Any]], *, machine: str, since: str) -> list[Entry]:
    """Returns the runs that no line of this machine has since a day, in their order."""
    known = {
        Entry(line["task"], line["peer"], line["budget"], line["seed"])
        for line in lines
        if line["machine"] == machine and line["date"] >= since
    }
    return [entry for entry in wanted if entry not in known]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a file of results, none where there is no file yet."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_seeds(text: str) -> tuple[int, ...]:
    """Returns the seeds of `0-4` or `0,2,5`."""
    first, dash, last = text.partition("-")
    return tuple(range(int(first), int(last) + 1)) if dash else tuple(int(each) for each in text.split(","))


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the missing runs; returns 1 where one failed, which writes no line."""
    given = _parser().parse_args(arguments)
    peers = {name: find_peer(name) for name in given.peers.split(",")}
    budgets = [int(each) for each in given.budgets.split(",")]
    _use_processors(given.threads)
    machine = describe_machine(given.threads)
    wanted = order(given.task, list(peers), budgets, read_seeds(given.seeds))
    todo = missing(wanted, read_lines(given.results), machine=machine, since=str(given.since))
    print(f"{len(todo)} runs are missing in {given.results}", flush=True)
    pythons = {name: install(peer.environment, given.environments) for name, peer in peers.items() if todo}
    versions = {name: versions_of(python) for name, python in pythons.items()}
    n_failed = 0
    for entry in todo:
        pictures = prepare(entry.task, entry.seed, given.pictures, data=given.data)
        peer, options = peers[entry.peer], {"budget": entry.budget, "seed": entry.seed, "threads": given.threads}
        try:
            outcome = run_peer(peer, pythons[entry.peer], pictures, **options)
        except HandfulError as error:
            n_failed += 1
            print(error, file=sys.stderr, flush=True)
            continue
        line = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "task": entry.task,
            "peer": entry.peer,
            "budget": entry.budget,
            "seed": entry.seed,
            "finished": outcome.finished,
            "seconds": outcome.seconds,
            "accuracy": outcome.accuracy,
            "n_train": pictures.n_train,
            "n_test": len(pictures.truth),
            "split": pictures.split,
            "choices": outcome.choices,
            "machine": machine,
            "versions": versions[entry.peer],
        }
        given.results.parent.mkdir(parents=True, exist_ok=True)
        with given.results.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        print(
            json.dumps({name: line[name] for name in ("task", "peer", "budget", "seed", "seconds", "accuracy")}),
            flush=True,
        )
    return 1 if n_failed else 0


def _use_processors(threads: int) -> None:
    """Keeps this process, and all that it starts, on so many processors, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        here = sorted(os.sched_getaffinity(0))
        if len(here) < threads:
            raise ConfigError(f"threads is {threads}, and this process may use {len(here)} processors.")
        os.sched_setaffinity(0, here[:threads])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.run", description=__doc__.splitlines()[0])
    kept = cache_folder("peers")
    everyone = ",".join(peer.name for peer in PEERS)
    parser.add_argument("--task", choices=sorted(TASKS), required=True)
    parser.add_argument("--data", type=Path, help="cifar: a zip archive with train/<class>/ and test/<class>/")
    parser.add_argument("--peers", default=everyone, help="fastai, or fastai:alexnet, or fastai:own; default: all")
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)), help="seconds, separated by commas")
    parser.add_argument("--seeds", default="0-4", help="0-4, or 0,2,5")
    parser.add_argument("--threads", type=int, default=THREADS, help="threads and processors of every run")
    parser.add_argument("--environments", type=Path, default=kept / "environments", help="folder of the environments")
    parser.add_argument("--pictures", type=Path, default=kept / "pictures", help="folder of the prepared pictures")
    parser.add_argument(
        "--since", type=datetime.date.fromisoformat, default="2000-01-01", help="a day: earlier lines do not count"
    )
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS, help="file of the results")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HandfulError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
