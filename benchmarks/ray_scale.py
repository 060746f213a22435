"""What a cluster costs beyond the work itself, measured here, and where that would break on a thousand nodes.

python -m benchmarks.ray_scale

Tasks that sleep need no core, so this machine can be a cluster of many: the curve of 1 to 16 workers is measured with
them, and a simulation (one driver that hands in, takes back and writes; workers; `AHEAD` tasks for each) has to come
within `NEAR` of it. The simulation is then asked about clusters that are not here; docs/scale.md has what it says.
"""

from __future__ import annotations

import heapq
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.record import record
from handful.core.cluster import done, opened
from handful.core.study import Trial, TrialResult
from handful.core.training import Checkpoint
from handful.finetune import parse_head, resolve
from handful.study.group import Problem, Rows
from handful.study.trials import trial_config

SLEEP, N_TASKS = 0.1, 40
"""Seconds of a measured task, and tasks for each worker."""

WORKERS = (1, 2, 4, 8, 16)
NEAR = 0.25
N_EMPTY = 3000

CORES, NODES = 16, (1, 10, 100, 1000)
"""Of the clusters that are not here."""

PORTION, PICTURE = 512, 0.011
"""Pictures of a task of `predict`, and seconds of one on one core: the default network, decoding included."""

NETWORK, FILE = 1.25e9, 100_000
"""Bytes a second that a node sends (10 Gbit/s), and of a photograph."""

WORK = {"group of trials, 1 s": (200_000, 1.0), "fine-tuning, 60 s": (100_000, 60.0)}
"""Tasks and seconds of each on one core."""


@dataclass(frozen=True, slots=True)
class Driver:
    """Seconds that the process that asked for the work spends on a task.

    Attributes:
        handing_in: before it runs.
        taking_back: after it ran, with writing down what came of it.
    """

    handing_in: float
    taking_back: float

    @property
    def rate(self) -> float:
        """Tasks a second, at most."""
        return 1 / (self.handing_in + self.taking_back)


def main() -> None:
    """Measures, compares, and extends."""
    driver, curve = measured()
    simulated = {n: N_TASKS * n / makespan(N_TASKS * n, SLEEP, workers=n, driver=driver) for n in WORKERS}
    far = max(abs(simulated[n] / curve[n] - 1) for n in WORKERS)
    figures = {
        "driver_ms_a_task": round(1000 / driver.rate, 2),
        "tasks_a_second_measured": {n: round(rate, 1) for n, rate in curve.items()},
        "tasks_a_second_simulated": {n: round(rate, 1) for n, rate in simulated.items()},
        "furthest": round(far, 3),
        "bytes": sizes(),
        "extended": dict(extended(driver)),
    }
    record(
        f"the simulation of a cluster comes within {NEAR:.0%} of {WORKERS[0]} to {WORKERS[-1]} workers measured here",
        figures=figures,
        holds=far <= NEAR,
    )


def measured() -> tuple[Driver, dict[int, float]]:
    """Returns the driver's times, and tasks a second by number of workers."""
    curve: dict[int, float] = {}
    spent = 0.0
    for n_workers in WORKERS:
        with opened("local", threads=n_workers):
            import ray

            from handful.study.ray import LOST

            task = ray.remote(rest)

            def run(n_tasks: int, seconds: float, *, task: Any = task) -> tuple[float, float]:
                began, used = time.monotonic(), time.process_time()
                for _ in done(lambda _: task.remote(seconds), range(n_tasks), cores=1, lost=lambda _: LOST):
                    pass
                return time.monotonic() - began, time.process_time() - used

            run(4 * n_workers, SLEEP)  # which starts them
            seconds, _ = run(N_TASKS * n_workers, SLEEP)
            curve[n_workers] = N_TASKS * n_workers / seconds
            if n_workers == 2:
                spent = run(N_EMPTY, 0.0)[1] / N_EMPTY
        print(n_workers, round(curve[n_workers], 1), flush=True)
    return Driver(spent / 2, spent / 2), curve


def rest(seconds: float) -> None:
    """Is a task that needs no core."""
    time.sleep(seconds)


def makespan(n_tasks: int, seconds: float, *, workers: int, driver: Driver, ahead: int = 2) -> float:
    """Returns the seconds in which a simulated cluster is done: events in the order of their time.

    Args:
        n_tasks: to do.
        seconds: of each on its worker.
        workers: that there are.
        driver: who does one thing at a time.
        ahead: tasks handed in for each worker.
    """
    ended: list[float] = []  # when tasks that run will be done
    now, waiting, idle, left, out = 0.0, 0, workers, n_tasks, 0
    while left or out:
        if left and out < ahead * workers:
            now += driver.handing_in
            left, out, waiting = left - 1, out + 1, waiting + 1
        else:
            now = max(now, heapq.heappop(ended)) + driver.taking_back
            out, idle = out - 1, idle + 1
        while waiting and idle:
            heapq.heappush(ended, now + seconds)
            waiting, idle = waiting - 1, idle - 1
    return now


def extended(driver: Driver) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields what clusters that are not here would take: seconds, and the share of their cores' time that is work."""
    for name, (n_tasks, seconds) in WORK.items():
        yield name, {str(n): _told(n_tasks, seconds, n * CORES, driver) for n in NODES}
    portions = -(-1_000_000_000 // PORTION)
    yield "a billion pictures", {str(n): _told(portions, PORTION * PICTURE, n * CORES, driver) for n in NODES[1:]}


def _told(n_tasks: int, seconds: float, workers: int, driver: Driver) -> list[float]:
    """Returns the hours, and the share of the cores' time that is work."""
    took = makespan(n_tasks, seconds, workers=workers, driver=driver)
    return [round(took / 3600, 2), round(n_tasks * seconds / workers / took, 2)]


def sizes() -> dict[str, int]:
    """Returns bytes that travel: with a task, from it, and to a node once, for 2 000 pictures of Lite0."""
    n, rows = 2000, np.arange(2000)
    config = trial_config(Trial({"head": "C"}, 0))
    recipes = tuple(resolve(config.finetune)[0] for _ in range(128))
    problem = Problem(
        Rows(rows[:1600], rows[:1600], rows[:400], rows[:400]), recipes, 32, tuple(parse_head("C", 5)), 0, ()
    )
    curve = (Checkpoint(1, 1, 0.5, 0.5, 0.5, 0.5),) * 20
    result = TrialResult(Trial({"lr": 0.1}, 0), "done", "", curve, None, 1600, (True,) * 400)
    return {
        "group_of_128": len(pickle.dumps(problem)),
        "result_of_a_trial": len(pickle.dumps(result)),
        "features_once_a_node": n * (4 + 1) * 1280 * 4,
        "pictures_once_a_node": n * FILE,
    }


if __name__ == "__main__":
    main()
