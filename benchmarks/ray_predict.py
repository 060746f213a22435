"""A hundred thousand pictures are answered by a cluster that loses a node: all of them, none twice, in flat memory.

python -m benchmarks.ray_predict [N]

Pictures of 32 px, hard links to ten drawn ones, and the toy network of the tests, so that what is measured is the way
of a picture and not the network. The head and a second node have one core each; the second one is killed when a quarter
of the pictures is answered, and another joins when half of them are. The table has to be that of a run on two threads
without Ray, whose time is given beside.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

import handful
from benchmarks.record import record
from handful.api.unfinished import Unfinished
from handful.core.files import sha256_file
from handful.testing.backbone import install_toy_backbone
from handful.testing.command import prepare
from handful.testing.pictures import draw_folder

NUMBER, N_DRAWN, SIZE = 100_000, 10, 32
EARLY, LOST, BACK = 0.1, 0.25, 0.5
"""Shares of the pictures after which memory is measured, a node is lost, and another one joins."""

GROWTH = 1.10
"""What memory may be in the end, as a multiple of what it was early."""

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


def main(number: int) -> None:
    """Predicts the pictures here and on a cluster, and compares."""
    with tempfile.TemporaryDirectory(prefix="handful-", dir="/tmp") as name:
        root = Path(name)
        os.environ |= {"HANDFUL_CACHE": str(root / "cache"), "RAY_USAGE_STATS_ENABLED": "0"}
        packages, folder = root / "packages", root / "new"
        packages.mkdir()
        install_toy_backbone(pytest.MonkeyPatch(), packages)
        handful.train(draw_folder(root / "shapes", per_class=60, size=SIZE), root / "run", backbone="toy")
        drawn = sorted(draw_folder(root / "drawn", classes=("circle",), per_class=N_DRAWN, size=SIZE).rglob("*.png"))
        folder.mkdir()
        for place in range(number):
            os.link(drawn[place % N_DRAWN], folder / f"picture-{place:07d}.png")
        model = handful.load(root / "run")
        start = time.perf_counter()
        model.predict_into(root / "here.csv", folder, threads=2)
        here = time.perf_counter() - start
        watched = on_a_cluster(root, model, folder, number)
        same = sha256_file(root / "here.csv") == sha256_file(root / "there.csv")
    growth = watched["late_mb"] / watched["early_mb"]
    record(
        f"{number} pictures are answered by a cluster that loses a node: all, none twice, in the memory of the driver "
        f"that it had after {EARLY:.0%}",
        figures={
            "pictures": number,
            "same_bytes": same,
            "twice": watched["twice"],
            "growth": round(growth, 3),
            **{name: round(value, 1) for name, value in watched.items() if name != "twice"},
            "seconds_here": round(here, 1),
            "ms_more_per_picture": round(1e3 * (watched["seconds"] - here) / number, 3),
        },
        holds=same and not watched["twice"] and growth <= GROWTH,
    )


def on_a_cluster(root: Path, model: handful.Classifier, folder: Path, number: int) -> dict[str, float]:
    """Returns what was seen while a cluster answered the pictures into there.csv."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "temp_dir": str(root)})
    nodes = [cluster.add_node(**NODE)]
    ray.init(
        cluster.address,
        log_to_driver=False,
        logging_level="FATAL",
        runtime_env={"worker_process_setup_hook": lambda: prepare(root / "packages")},
    )
    times, seen, save = bytearray(number + 1), dict[str, float](), Unfinished.save

    def watching(self: Unfinished, records: Iterable[tuple[int, str]]) -> None:
        records = list(records)
        save(self, records)
        for place, _ in records:
            times[place] += 1
        n_saved = sum(times)
        if n_saved >= EARLY * number:
            seen.setdefault("early_mb", resident_mb())
        if n_saved >= LOST * number and "lost_at" not in seen:
            seen["lost_at"] = n_saved
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        if n_saved >= BACK * number and not nodes:
            nodes.append(cluster.add_node(**NODE))

    patch = pytest.MonkeyPatch()
    patch.setattr(Unfinished, "save", watching)
    try:
        start = time.perf_counter()
        model.predict_into(root / "there.csv", folder, ray="auto")
        seen |= {"seconds": time.perf_counter() - start, "late_mb": resident_mb()}
    finally:
        patch.undo()
        ray.shutdown()
        cluster.shutdown()
    return {**seen, "twice": sum(n > 1 for n in times)}


def resident_mb() -> float:
    """Returns the memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else NUMBER)
