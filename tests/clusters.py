"""One Ray cluster of nodes on this machine, for all tests of a process that need one; they add and remove nodes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import pytest

from handful.testing.backbone import install_toy_backbone

STORE = 100 * 2**20
"""Bytes of a node's object store."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A cluster whose head has two cores; this process is its driver, and its workers know the toy network."""
    if find_spec("ray") is None:  # it is not imported yet, as it reads some settings then
        pytest.skip("needs the extra ray")
    files = mkdtemp(prefix="handful-", dir="/tmp")
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "HANDFUL_CACHE": str(tmp_path_factory.mktemp("nodes")),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        import ray
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 2, "object_store_memory": STORE, "include_dashboard": False, "temp_dir": files}
        head["_system_config"] = {"health_check_period_ms": 500, "worker_niceness": 0}  # as quick as tests beside it
        made = Cluster(initialize_head=True, head_node_args=head)
        toy = tmp_path_factory.mktemp("toy")
        with pytest.MonkeyPatch.context() as once:
            install_toy_backbone(once, toy)

        def knows_the_toy():
            from handful.testing.command import prepare

            prepare(toy)

        ray.init(
            made.address,
            log_to_driver=False,
            logging_level="FATAL",
            runtime_env={"worker_process_setup_hook": knows_the_toy},
        )
        yield made
        ray.shutdown()
        made.shutdown()
    shutil.rmtree(files, ignore_errors=True)


@contextmanager
def another_node(cluster, **settings) -> Iterator[object]:
    """Adds a node, and removes it if the test has not done so (killing it: `allow_graceful=False`)."""
    node = cluster.add_node(object_store_memory=STORE, **settings)
    cluster.wait_for_nodes()
    try:
        yield node
    finally:
        if node in cluster.worker_nodes:
            cluster.remove_node(node)


def processes(title):
    """Returns the numbers of the processes with a title."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().decode(errors="replace").startswith(title):
                found.append(int(path.parent.name))
    return found
