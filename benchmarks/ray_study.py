"""Studies on a Ray cluster of nodes on this machine: the same files, nothing lost, and what it costs.

python -m benchmarks.ray_study same      the files of 1, 4 and 8 workers are those of one process, byte by byte
python -m benchmarks.ray_study chaos 20  200 trials on 4 workers of which one is killed every 0.5 to 2 s, 20 times
                                         (chaos 5 10: five times, drawn otherwise than the first ten;
                                         chaos 20 0 2: one is killed every 1 to 4 s, for machines on which four workers
                                         take longer to begin than they would live)
python -m benchmarks.ray_study overhead  200 trials that train a network's upper layers, with Ray and without
python -m benchmarks.ray_study rate      10 000 tasks that train nothing, a second

The toy network of the tests, but in `overhead`, which takes the default one. Needs: pip install 'handful[ray]'
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

from benchmarks.record import record
from handful.core.config import TrainConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.core.study import Trial, TrialResult
from handful.core.training import Checkpoint
from handful.images import read
from handful.split import split
from handful.study.conduct import Asked, conduct
from handful.study.group import Problem, Rows
from handful.study.shared import FrozenFeatures
from handful.study.store import save_result
from handful.testing.command import prepare
from handful.testing.pictures import draw_folder

STORE = 150 * 2**20
"""Bytes of a node's object store."""

WORKERS = (1, 2, 4, 8)
KILLED_AFTER = 0.5, 2.0
N_CHAOS = 200
OVERHEAD, N_TUNED = 0.10, 200
RATE, N_EMPTY = 200.0, 10_000

TOY = {"backbone": "toy", "batch": 8, "augmentation": "none", "optimizer": "sgd"}
STUDIES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "groups": (("lr=1e-5..1e-1:log20", "batch=4,8,16"), {"epochs": 20, "head": "5-C", "seeds": 4}),
    "singles": (("strategy=freeze,full,scratch", "lr=1e-3,1e-2"), {"epochs": 3, "seeds": 4}),
    "search": (("lr=1e-5..1e-1:log",), {"epochs": 9, "seeds": 3, "search": "random", "trials": 20, "prune": "halving"}),
}


def main(what: str, *numbers: str) -> None:
    """Runs one of the measurements in a temporary folder."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        root = Path(name)
        os.environ["HANDFUL_CACHE"] = str(root / "cache")
        prepare(root / "toy")
        claim, figures, holds = {"same": same, "chaos": chaos, "overhead": overhead, "rate": rate}[what](
            root, *map(int, numbers)
        )
    record(claim, figures={"measured": what, **figures}, holds=holds)


def same(root: Path) -> tuple[str, dict[str, Any], bool]:
    """Compares files, and times the groups."""
    photos = draw_folder(root / "shapes", per_class=30)
    here = {name: study(photos, root / f"here-{name}", name)[0] for name in STUDIES}
    seconds, equal = {}, []
    for n_workers in WORKERS:
        with nodes(root, [1, 1, 2, 4][: WORKERS.index(n_workers) + 1]):
            for name in STUDIES:
                files, took = study(photos, root / f"there-{name}-{n_workers}", name, ray="auto")
                equal.append(files == here[name])
                if name == "groups":  # again, with workers that have imported everything
                    again = study(photos, root / f"again-{n_workers}", name, ray="auto")
                    seconds[n_workers] = [round(took, 1), round(again[1], 1)]
    figures = {"trials": {name: len(files) for name, files in here.items()}, "groups_s_cold_and_warm": seconds}
    return (
        f"studies on {', '.join(map(str, WORKERS))} workers give the files of a study in one process, byte by byte",
        figures,
        all(equal),
    )


def chaos(root: Path, n_runs: int = 20, first: int = 0, slower: int = 1) -> tuple[str, dict[str, Any], bool]:
    """Kills workers at random while trials run, and counts what came of it."""
    photos = draw_folder(root / "shapes", per_class=12)
    vary = (f"lr=1e-5..1e-1:log{N_CHAOS // 4}", "ema=0.5")  # which are trained one by one
    options = {**TOY, "epochs": 10, "threads": 1}
    here, _ = asked(photos, root / "here", vary, options, seeds=4)
    found, killed, after = [], [], (slower * KILLED_AFTER[0], slower * KILLED_AFTER[1])
    with nodes(root, [2, 2]):
        for run in range(first, first + n_runs):
            with killing(random.Random(run), after) as deaths:
                files, took = asked(photos, root / f"run-{run}", vary, options, seeds=4, ray="auto")
            found.append(len(files))
            killed.append(len(deaths))
            print(run, len(files), files == here, len(deaths), round(took, 1), flush=True)
            if files != here:
                break
    holds = len(here) == N_CHAOS and found == [N_CHAOS] * n_runs and files == here
    figures = {"runs": n_runs, "first": first, "results": found, "workers_killed": killed}
    return (
        f"{N_CHAOS} trials on 4 workers, one killed every {after[0]:g} to {after[1]:g} s: exactly {N_CHAOS} "
        "results, those of a study in one process",
        figures,
        holds,
    )


def overhead(root: Path, n_trials: int = N_TUNED) -> tuple[str, dict[str, Any], bool]:
    """Times trials that train the upper layers of the default network, one after the other on all cores."""
    photos = draw_folder(root / "shapes", per_class=20)
    vary = (f"lr=1e-5..1e-2:log{n_trials // 2}",)
    options = {"strategy": "freeze", "freeze": "6", "epochs": 1, "augmentation": "none", "engine": "fused"}
    asked(photos, root / "warm", ("lr=1e-4,1e-3",), options, seeds=1)
    here, alone = asked(photos, root / "here", vary, options, seeds=2)
    there, spread = asked(photos, root / "there", vary, options, seeds=2, ray="local")
    more = spread / alone - 1
    return (
        f"{n_trials} trainings of upper layers take at most {OVERHEAD:.0%} longer with --ray local, its start included",
        {"trials": n_trials, "alone_s": round(alone, 1), "ray_s": round(spread, 1), "overhead": round(more, 3)},
        here == there and len(here) == n_trials and more <= OVERHEAD,
    )


def rate(root: Path) -> tuple[str, dict[str, Any], bool]:
    """Hands in tasks that train nothing, as a study does, and writes a result for each."""
    from handful.core.cluster import done, opened
    from handful.finetune.activations import Activations

    n_cores, rows = count_threads(None), np.arange(2)
    pictures = np.zeros((2, 1, 2), dtype=np.float32)
    features = FrozenFeatures(Activations(pictures), Activations(pictures))
    nothing = Problem(Rows(rows, rows, rows, rows), (), 2, (), 0, ())
    trials = [Trial({"lr": number / N_EMPTY}, 0) for number in range(N_EMPTY)]
    written = []

    def keep(place: int) -> None:
        result = TrialResult(trials[place], "done", "", (Checkpoint(1, 1, 0.0, 1.0, 0.0, 1.0),), None, 2, (True,) * 100)
        save_result(root / "made", result, data="", versions={})
        written.append(place)

    began = time.monotonic()
    for place in range(1000):
        keep(place)
    writing = 1000 / (time.monotonic() - began)
    written.clear()
    seconds = {}
    with opened("local", threads=n_cores) as cluster:
        import ray

        from handful.study import ray as nodes

        opening = time.monotonic() - began - 1000 / writing
        trainer, task = nodes.Nodes(cluster, 1), ray.remote(nodes._train)
        held = trainer._held("", features)
        for name, n_tasks in (("first", 100), ("without_writing", N_EMPTY), ("with_writing", N_EMPTY)):
            began = time.monotonic()
            ended = done(
                lambda _: task.remote(cluster.kind, nothing, held, 0.0),
                range(n_tasks),
                cores=1,
                lost=lambda _: nodes.LOST,
            )
            for place, _ in ended:  # whose time was up before they began
                if name == "with_writing":
                    keep(place)
            seconds[name] = time.monotonic() - began
    rates = {f"per_second_{name}": round(N_EMPTY / seconds[name]) for name in ("without_writing", "with_writing")}
    figures = {**rates, "files_written_per_second": round(writing), "opening_s": round(opening, 1)}
    return (
        f"{N_EMPTY:,} tasks that train nothing, on {n_cores} cores: at least {RATE:.0f} a second, written down",
        figures,
        sorted(set(written)) == list(range(N_EMPTY)) and rates["per_second_with_writing"] >= RATE,
    )


def study(photos: Path, folder: Path, name: str, *, ray: str | None = None) -> tuple[dict[str, bytes], float]:
    """Runs one of the studies, and returns its trials' files and the seconds that it took."""
    vary, options = STUDIES[name]
    own = {key: options[key] for key in ("seeds", "search", "trials", "prune") if key in options}
    rest = {**TOY, "threads": 1, **{key: value for key, value in options.items() if key not in own}}
    return asked(photos, folder, vary, rest, ray=ray, **own)


def asked(
    photos: Path, folder: Path, vary: tuple[str, ...], options: dict[str, Any], *, ray: str | None = None, **own: Any
) -> tuple[dict[str, bytes], float]:
    """Runs a study, and returns its trials' files and the seconds that it took."""
    varied = {text.split("=")[0] for text in vary}
    config = TrainConfig.of({name: value for name, value in options.items() if name not in varied})
    threads = count_threads(config.run.threads)
    table = read(photos, config.reading, threads=threads)
    parts = split(table, config.split, seed=0)
    wanted = Asked(vary, ray=ray, **own)
    made = conduct(table, parts, config, wanted, folder=folder, command="", threads=threads, progress=Silent())
    return {path.name: path.read_bytes() for path in folder.glob("trials/*.json")}, made.seconds


@contextmanager
def nodes(root: Path, cores: list[int]) -> Iterator[None]:
    """Opens a cluster with a node for each number of cores, whose workers know the toy network."""
    import ray
    from ray.cluster_utils import Cluster

    toy = root / "toy"

    def knows_the_toy() -> None:
        from handful.testing.command import prepare

        prepare(toy)

    with tempfile.TemporaryDirectory(prefix="handful-", dir="/tmp", ignore_cleanup_errors=True) as files:
        settings = {"object_store_memory": STORE, "include_dashboard": False}
        cluster = Cluster(True, head_node_args={"num_cpus": cores[0], "temp_dir": files, **settings})
        for number in cores[1:]:
            cluster.add_node(num_cpus=number, object_store_memory=STORE)
        cluster.wait_for_nodes()
        hook = {"worker_process_setup_hook": knows_the_toy}
        ray.init(cluster.address, log_to_driver=False, logging_level="FATAL", runtime_env=hook)
        ray._private.worker._worker_logs_enabled = False
        try:
            yield
        finally:
            ray.shutdown()
            cluster.shutdown()


@contextmanager
def killing(draws: random.Random, after: tuple[float, float]) -> Iterator[list[int]]:
    """Kills a worker drawn at random again and again, and tells of which ones."""
    ended, deaths = Event(), list[int]()

    def kill() -> None:
        while not ended.wait(draws.uniform(*after)):
            if workers := own_workers():
                deaths.append(draws.choice(workers))
                os.kill(deaths[-1], signal.SIGKILL)

    thread = Thread(target=kill)
    thread.start()
    try:
        yield deaths
    finally:
        ended.set()
        thread.join()


def own_workers() -> list[int]:
    """Returns the process numbers of the workers below this process."""
    parents, titles = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            titles[int(path.name)] = (path / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue

    def is_ours(process: int) -> bool:
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    named = [process for process, title in titles.items() if title.startswith(("ray::IDLE", "ray::_"))]
    return sorted(process for process in named if is_ours(process))


if __name__ == "__main__":
    main(*sys.argv[1:])
