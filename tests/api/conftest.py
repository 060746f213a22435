"""A Ray cluster of two nodes on this machine, begun once for all tests that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from handful.testing.backbone import install_toy_backbone

OBJECT_STORE = 100_000_000
"""Bytes on each node; the least that Ray takes is 75 MB."""

TOY_FOR_WORKERS = """
import sys
if any("default_worker" in argument for argument in sys.orig_argv):
    from pathlib import Path
    from handful.testing.command import prepare
    prepare(Path({folder!r}))
"""


@dataclass
class Nodes:
    """A head without cores, and nodes with one core each, which can be lost and can join."""

    cluster: Any
    workers: list[Any]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def join(self) -> None:
        self.workers.append(self.cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE))

    def lose(self) -> None:
        self.cluster.remove_node(self.workers.pop(), allow_graceful=False)


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two nodes with one core each, to which this process belongs; their workers know the toy network."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("workers")
    with pytest.MonkeyPatch.context() as patch:
        install_toy_backbone(patch, folder)
    (folder / "sitecustomize.py").write_text(TOY_FOR_WORKERS.format(folder=str(folder)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))))
        patch.setenv("HANDFUL_CACHE", str(folder / "cache"))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 0, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
        cluster = Nodes(Cluster(initialize_head=True, head_node_args=head), [])
        try:
            cluster.join()
            cluster.join()
            ray.init(cluster.address, log_to_driver=False, logging_level="FATAL")
            yield cluster
        finally:
            ray.shutdown()
            cluster.cluster.shutdown()
