"""Ray: a cluster on this machine or at an address, opened for some work, with nodes that are alike; imported on use."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from types import ModuleType
from typing import Any, TypeVar

from handful.core.errors import ConfigError, HandfulError, MissingExtraError
from handful.core.machine import code_sha256, processor, versions

T = TypeVar("T")
Ref = Any
"""Ray's name for something in its object store, or for what a task will return."""

LOCAL = "local"

ANSWERS_WITHIN = 10.0
"""Seconds in which an address has to answer; Ray itself tries for minutes, and writes down every try."""

PAUSE = 0.1
"""Seconds before a node that could not be asked is asked again."""

TRIES = 20
"""Times that a task is run again after its node or process was lost; more is no bad luck."""

IN_A_ROW = 3
"""Pieces of work that are lost with all of their retries while nothing else ends, before it is given up."""

AHEAD = 2
"""Tasks that are handed in for each one that can run: the next is at hand when one ends, and few wait at the end."""

LOOKED = 1.0
"""Seconds after which the size of the cluster is asked for again, as nodes come and go."""

SHORT_PATH = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108
"""Where a local cluster keeps its files while it is open: paths of its sockets may have about 100 characters."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What decides the bits that a node computes.

    Attributes:
        versions: library name to version.
        code: hash of handful's own source.
        processor: its name.
    """

    versions: Mapping[str, str]
    code: str
    processor: str

    def differences(self, other: Kind) -> list[str]:
        """Returns in what another kind differs from this one, in words; empty where nothing does."""
        named = [
            f"{name} {other.versions.get(name)} instead of {version}"
            for name, version in self.versions.items()
            if other.versions.get(name) != version
        ]
        if not named and other.code != self.code:
            named = ["other source code of handful under the same version"]
        if other.processor != self.processor:
            named.append(f"the processor {other.processor} instead of {self.processor}")
        return named


@dataclass(frozen=True, slots=True)
class Lost:
    """What to tell of work that was lost too often.

    Attributes:
        what: "a training was".
        remedy: what is kept, and what to do.
    """

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is open.

    Attributes:
        kind: of its nodes; `require` it in every task.
        largest: cores of the largest node: no task may ask for more.
        beside: see `cores_beside`.
    """

    kind: Kind
    largest: int
    beside: int


def check_address(address: str) -> None:
    """Checks where Ray is to run, before any work.

    Raises:
        ConfigError: the address cannot be one.
        MissingExtraError: Ray is not installed.
    """
    if address not in (LOCAL, "auto") and not re.fullmatch(r"(ray://)?[^\s:/]+:\d{1,5}", address):
        raise ConfigError(
            f"ray is {address!r}; expected local (this machine), auto (the cluster that this machine belongs to), "
            "HOST:PORT or ray://HOST:PORT."
        )
    if find_spec("ray") is None:
        raise MissingExtraError("more than one machine, with Ray,", "ray")


@contextmanager
def opened(address: str, *, threads: int) -> Iterator[Cluster]:
    """Opens Ray for some work. A program that has opened Ray itself keeps it, whatever the address.

    Nothing is told to Ray's makers. What was begun here ends with the context, a stop by Ctrl+C or SIGTERM among its
    ways to end; a cluster that was found is left as it was.

    Args:
        address: "local" begins a cluster on this machine, which only this machine reaches; "auto" finds the one that
            this machine is a node of; "HOST:PORT" is a cluster's head as its nodes know it; "ray://HOST:PORT" its
            client server, for machines that are no nodes.
        threads: cores of a local cluster.

    Raises:
        ConfigError: the address cannot be one.
        HandfulError: nothing answers there, or nodes differ in what decides the bits of results.
        MissingExtraError: Ray is not installed.
    """
    check_address(address)
    ray = _imported(address)
    if ray.is_initialized():
        yield _alike(ray)
        return
    with TemporaryDirectory(prefix="handful-", dir=SHORT_PATH, ignore_cleanup_errors=True) as files:
        try:
            _connect(ray, address, threads=threads, files=files)
            yield _alike(ray)
        finally:
            ray.shutdown()


def require(kind: Kind) -> None:
    """Refuses this node for work, where it is of another kind; nodes may join a cluster while it works.

    Raises:
        HandfulError: this node's name, and in what it differs.
    """
    if differing := kind.differences(_own_kind()):
        raise HandfulError(_refused({node_name(): differing}))


def node_name() -> str:
    """Returns what to call this node."""
    import ray

    return f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"


def n_cores() -> int:
    """Returns the cores of the cluster that is open, now."""
    import ray

    return int(ray.cluster_resources().get("CPU", 0))


def node_resources() -> list[Mapping[str, float]]:
    """Returns what each node that takes work has, now: its cores (CPU), its cards (GPU), and more."""
    import ray

    return [node["Resources"] for node in _working(ray)]


def n_cards(node: Mapping[str, float]) -> int:
    """Returns how many GPUs of a node, told by what it has, have a core beside them."""
    return min(int(node.get("GPU", 0.0)), int(node.get("CPU", 0.0)))


def cores_beside(nodes: Sequence[Mapping[str, float]]) -> int:
    """Returns the cores for each GPU, on the node that has the fewest; 0 where no node has a GPU."""
    return min((int(node["CPU"]) // n_cards(node) for node in nodes if n_cards(node)), default=0)


class LostError(HandfulError):
    """Work was lost with its node or process, too often for bad luck."""


def done(
    hand_in: Callable[[T], Ref], work: Iterable[T], *, cores: int, lost: Callable[[T], Lost]
) -> Iterator[tuple[T, Any]]:
    """Yields every piece of work with what came of it, as it comes; a bounded number is handed in at a time.

    A piece that was lost with all of its retries is put behind all others, and given up only when nothing else ends
    any more: one that ends its own workers keeps nothing else from being done.

    Args:
        hand_in: makes a task of a piece, of `TRIES` retries.
        work: taken as cores become free.
        cores: of a task.
        lost: what to tell of a piece that was lost too often.

    Raises:
        LostError: `IN_A_ROW` pieces were lost, each with all of its retries, and nothing was done between them.
    """
    import ray

    waiting, behind, flying = iter(work), deque[T](), dict[Ref, T]()
    looked, room, n_in_a_row = 0.0, 0, 0
    while True:
        if monotonic() >= looked + LOOKED:
            looked, room = monotonic(), AHEAD * max(1, n_cores() // cores)
        for piece in islice(chain(waiting, _taken(behind)), max(0, room - len(flying))):
            flying[hand_in(piece)] = piece
        if not flying:
            return
        ray.wait(list(flying), num_returns=1)
        for ended in ray.wait(list(flying), num_returns=len(flying), timeout=0)[0]:
            piece = flying.pop(ended)
            try:
                found = got(ended, lost(piece))
            except LostError:
                n_in_a_row += 1
                if n_in_a_row == IN_A_ROW:
                    raise
                behind.append(piece)
            else:
                n_in_a_row = 0
                yield piece, found


def _taken(pieces: deque[T]) -> Iterator[T]:
    while pieces:
        yield pieces.popleft()


def got(ref: Ref, lost: Lost) -> Any:
    """Returns what a task returned, or raises what it raised, as if it had been called here.

    Raises:
        LostError: it was begun `TRIES` times again, and lost with its node or process every time.
    """
    import ray

    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise lost_too_often(lost, error) from error


def lost_too_often(lost: Lost, error: Exception) -> LostError:
    """Returns what to raise about work that was begun `TRIES` times again, and lost every time."""
    return LostError(
        f"{lost.what} lost {TRIES + 1} times with the node or process that had it ({type(error).__name__}: "
        f"{str(error).splitlines()[0].rstrip('.')}). {lost.remedy}"
    )


def _imported(address: str) -> ModuleType:
    """Returns Ray, which reads some settings when it is imported: it tells nobody, and a local one stays local."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address == LOCAL and "ray" not in sys.modules:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    module: ModuleType = ray
    return module


def _connect(ray: ModuleType, address: str, *, threads: int, files: str) -> None:
    from unittest.mock import patch  # which takes 40 ms

    settings = {"log_to_driver": False, "logging_level": "FATAL"}
    if address == LOCAL:
        settings |= {"num_cpus": threads, "include_dashboard": False, "_temp_dir": files}
    try:
        if ":" in address:
            host, port = address.removeprefix("ray://").split(":")
            socket.create_connection((host, int(port)), timeout=ANSWERS_WITHIN).close()
        with patch.object(ray._private.utils, "set_sigterm_handler"):  # what SIGTERM does is the program's own affair
            ray.init(address, **settings)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # in place of one in C that prints a stack
        ray._private.worker._worker_logs_enabled = False  # or it tells of lost nodes where a command's answer goes
    except ImportError:
        raise MissingExtraError("an address that begins with ray://", "ray") from None
    except (OSError, RuntimeError, ValueError) as error:
        (reason, *_) = str(error).splitlines() or [type(error).__name__]
        raise HandfulError(
            f"Ray cannot be opened at {address!r}: {reason.rstrip('.')}. Begin one there with `ray start --head`, "
            "and give the address that it prints; or --ray local works on this machine alone."
        ) from error


def _alike(ray: ModuleType) -> Cluster:
    """Returns the cluster, once all of its nodes that take work have said that they are of one kind.

    Their versions are those of this process too; its processor may be another one, for it computes nothing that differs
    from trial to trial.
    """
    nodes = _working(ray)
    told = _told(ray, nodes)
    if not told:
        raise HandfulError("the cluster has no node with a core to give. Add one: ray start --address HEAD:PORT.")
    own, (_, first) = _own_kind(), told[0]
    common = Kind(own.versions, own.code, first.processor)
    if unlike := {name: differing for name, kind in told if (differing := common.differences(kind))}:
        raise HandfulError(_refused(unlike))
    resources = [node["Resources"] for node in nodes]
    return Cluster(common, int(max(has["CPU"] for has in resources)), cores_beside(resources))


def _working(ray: ModuleType) -> list[Mapping[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


def _told(ray: ModuleType, nodes: Sequence[Mapping[str, Any]]) -> list[tuple[str, Kind]]:
    """Returns what every node says of itself, and its name; not of those that are lost meanwhile."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    tell = ray.remote(num_cpus=0, max_retries=TRIES)(_named_kind)
    told = []
    while nodes:
        there = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
        answers = [tell.options(scheduling_strategy=strategy).remote() for strategy in there]
        again = set()
        for node, answer in zip(nodes, answers, strict=True):
            name = f"the node {node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            try:
                told.append(ray.get(answer))
            except (ray.exceptions.TaskUnschedulableError, ray.exceptions.NodeDiedError):  # lost, or hardly known yet
                again.add(node["NodeID"])
                sleep(PAUSE)
            except ray.exceptions.WorkerCrashedError as error:
                lost = Lost(f"what {name} says of itself was", "Perhaps its memory does not suffice.")
                raise lost_too_often(lost, error) from error
            except (ray.exceptions.RayError, ImportError) as error:
                raise HandfulError(
                    f"{name} cannot run handful: {str(error).strip().splitlines()[-1]}. "
                    f"Install handful {versions()['handful']} on every node."
                ) from error
        nodes = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] in again]
    return told


def _refused(unlike: Mapping[str, list[str]]) -> str:
    named = "; ".join(f"the node {name} has {', '.join(differing)}" for name, differing in sorted(unlike.items()))
    return (
        f"{named}. Nodes that differ would give other last digits, and results that cannot be compared. Install the "
        "same versions on all nodes, use machines of one type, and give the command again."
    )


def _named_kind() -> tuple[str, Kind]:
    return node_name(), _own_kind()


@cache
def _own_kind() -> Kind:
    return Kind(versions(), code_sha256(), processor())
