"""What is asked of a cluster before and while it works; the cluster itself is in tests/study and tests/api."""

from __future__ import annotations

import os
import sys
from itertools import count
from types import SimpleNamespace

import pytest

from handful.core import cluster
from handful.core.cluster import AHEAD, TRIES, Kind, Lost, check_address, done, got
from handful.core.errors import ConfigError, HandfulError, MissingExtraError

OWN = Kind({"handful": "1.0", "torch": "2.0"}, "aa", "Xeon")
LOST = Lost("a training was", "The others are kept.")


class Ray:
    """Stands for Ray: tasks end in the order in which they were begun, `at_once` of them at a time."""

    def __init__(self, cores: int, *, at_once: int = 1) -> None:
        self.cores, self.at_once = cores, at_once
        self.flying: list[int] = []
        self.most = 0
        self.exceptions = SimpleNamespace(RayTaskError=TaskError, RayError=LostError)
        self._private = SimpleNamespace(utils=SimpleNamespace(set_sigterm_handler=None), worker=SimpleNamespace())
        self.was_opened, self.told = False, []

    def begin(self, piece: int) -> int:
        self.flying.append(piece)
        self.most = max(self.most, len(self.flying))
        return piece

    def is_initialized(self) -> bool:
        return self.was_opened

    def init(self, address: str, **settings) -> None:
        self.was_opened = True
        self.told += [address, settings, os.environ["RAY_USAGE_STATS_ENABLED"]]
        if address == "10.0.0.1:1":
            raise ConnectionError("nobody there.\nmore")

    def shutdown(self) -> None:
        self.was_opened = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cores}

    def wait(self, refs, num_returns, timeout=None):
        assert set(refs) == set(self.flying)
        ended = self.flying[: self.at_once][:num_returns]
        if timeout is not None:
            del self.flying[: len(ended)]
        return ended, []

    def get(self, ref):
        if isinstance(ref, Exception):
            raise ref
        return -ref


class LostError(Exception):
    pass


class TaskError(LostError):
    def __init__(self, cause: Exception) -> None:
        self.cause = cause


@pytest.fixture
def ray(monkeypatch):
    def standing(*args, **settings):
        made = Ray(*args, **settings)
        monkeypatch.setitem(sys.modules, "ray", made)
        return made

    return standing


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (OWN, []),
        (Kind({"handful": "1.0", "torch": "2.1"}, "aa", "Xeon"), ["torch 2.1 instead of 2.0"]),
        (Kind({"torch": "2.0"}, "bb", "Xeon"), ["handful None instead of 1.0"]),
        (Kind(OWN.versions, "bb", "Xeon"), ["other source code of handful under the same version"]),
        (
            Kind({"handful": "0.9", "torch": "1.9"}, "bb", "Opteron"),
            ["handful 0.9 instead of 1.0", "torch 1.9 instead of 2.0", "the processor Opteron instead of Xeon"],
        ),
    ],
)
def test_in_what_nodes_differ_is_told_in_words(other, told):
    assert OWN.differences(other) == told


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.1:6379", "head:1", "ray://head.example:10001"])
def test_addresses_of_clusters(address, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: name == "ray")
    check_address(address)


@pytest.mark.parametrize("address", ["", "head", "head:", "head:123456", "http://head:1", "a b:1", "ray://", "head:1/"])
def test_what_is_none_is_named(address):
    with pytest.raises(ConfigError, match="expected local") as caught:
        check_address(address)
    assert f"ray is {address!r}" in str(caught.value)


def test_without_ray_its_extra_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"handful\[ray\]"):
        check_address("local")


@pytest.mark.parametrize("address", ["local", "auto"])
def test_a_cluster_is_opened_without_telling_anybody_and_closed_again(ray, monkeypatch, address):
    there = ray(1)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.setattr(cluster, "find_spec", lambda name: name == "ray")
    monkeypatch.setattr(cluster, "_alike", lambda found: found)
    with cluster.opened(address, threads=3) as found:
        assert found is there
        assert there.was_opened
    asked, settings, statistics = there.told
    assert (asked, statistics, there.was_opened) == (address, "0", False)
    assert (settings["log_to_driver"], settings["logging_level"]) == (False, "FATAL")
    assert there._private.worker._worker_logs_enabled is False
    own = {name: settings[name] for name in ("num_cpus", "include_dashboard") if name in settings}
    assert own == ({"num_cpus": 3, "include_dashboard": False} if address == "local" else {})


def test_a_program_that_has_opened_ray_keeps_it(ray, monkeypatch):
    there = ray(1)
    there.was_opened = True
    monkeypatch.setattr(cluster, "find_spec", lambda name: name == "ray")
    monkeypatch.setattr(cluster, "_alike", lambda found: found)
    with cluster.opened("local", threads=3):
        pass
    assert (there.was_opened, there.told) == (True, [])


def test_where_nothing_answers_the_address_is_named(ray, monkeypatch):
    there = ray(1)
    monkeypatch.setattr(cluster, "find_spec", lambda name: name == "ray")
    monkeypatch.setattr(cluster.socket, "create_connection", lambda address, timeout: SimpleNamespace(close=list))
    with pytest.raises(HandfulError) as caught, cluster.opened("10.0.0.1:1", threads=3):
        pass
    assert str(caught.value).startswith("Ray cannot be opened at '10.0.0.1:1': nobody there. Begin one there with ")
    assert not there.was_opened


@pytest.mark.parametrize(("cores", "cores_of_one", "most"), [(4, 1, 4 * AHEAD), (4, 2, 2 * AHEAD), (1, 8, AHEAD)])
def test_a_bounded_number_is_handed_in_and_everything_comes_back_once(ray, cores, cores_of_one, most):
    there = ray(cores, at_once=3)
    came = list(done(there.begin, iter(range(1, 30)), cores=cores_of_one, lost=lambda _: LOST))
    assert came == [(piece, -piece) for piece in range(1, 30)]
    assert there.most == most


def test_work_is_taken_only_as_cores_become_free(ray):
    there, taken = ray(2), []

    def work():
        for piece in range(1, 20):
            taken.append(piece)
            yield piece

    ending = done(there.begin, work(), cores=1, lost=lambda _: LOST)
    next(ending)
    assert taken == [1, 2, 3, 4]
    next(ending)
    assert taken == [1, 2, 3, 4, 5]


def test_a_cluster_that_grows_is_given_more(ray, monkeypatch):
    there, clock = ray(1), count(1000)
    monkeypatch.setattr(cluster, "monotonic", lambda: next(clock))
    ending = done(there.begin, range(1, 40), cores=1, lost=lambda _: LOST)
    next(ending)
    there.cores = 5
    next(ending)
    assert len(there.flying) == 5 * AHEAD - 1


def test_nothing_to_do_asks_no_task(ray):
    assert list(done(ray(2).begin, [], cores=1, lost=lambda _: LOST)) == []


def deaths_of(ray, *pieces, times=1):
    """Makes the tasks of some pieces end as lost ones, the first times."""
    left = dict.fromkeys(pieces, times)

    def hand_in(piece):
        if not left.get(piece):
            return ray.begin(piece)
        left[piece] -= 1
        return ray.begin(LostError(f"worker of {piece} died"))

    return hand_in


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_lost_is_done_after_all_others(ray, times):
    came = list(done(deaths_of(ray(2), 1, 3, times=times), range(1, 9), cores=1, lost=lambda _: LOST))
    assert came == [(piece, -piece) for piece in (2, 4, 5, 6, 7, 8, 1, 3)]


def test_what_ends_its_workers_every_time_keeps_nothing_else_from_being_done(ray):
    ending = done(deaths_of(ray(2), 4, times=99), range(1, 9), cores=1, lost=lambda piece: Lost(f"{piece} was", ""))
    came = []
    with pytest.raises(HandfulError, match=r"4 was lost 21 times"):
        came.extend(ending)
    assert came == [(piece, -piece) for piece in range(1, 9) if piece != 4]


def test_where_nothing_ends_any_more_the_rest_is_not_tried(ray):
    there = ray(1)
    with pytest.raises(HandfulError, match=r"3 was lost 21 times"):
        list(done(deaths_of(there, *range(1, 99)), range(1, 99), cores=1, lost=lambda piece: Lost(f"{piece} was", "")))
    assert there.most == AHEAD


def test_what_a_task_raised_is_raised_and_what_was_lost_is_told(ray):
    ray(1)
    assert got(3, LOST) == -3
    with pytest.raises(ZeroDivisionError):
        got(TaskError(ZeroDivisionError()), LOST)
    with pytest.raises(HandfulError) as caught:
        got(LostError("the node died.\nmore"), LOST)
    assert str(caught.value) == (
        f"a training was lost {TRIES + 1} times with the node or process that had it (LostError: the node died). "
        "The others are kept."
    )


def test_a_node_of_another_kind_is_refused_by_its_name(monkeypatch):
    monkeypatch.setattr(cluster, "_own_kind", lambda: OWN)
    monkeypatch.setattr(cluster, "node_name", lambda: "here (127.0.0.1)")
    cluster.require(OWN)
    with pytest.raises(
        HandfulError, match=r"the node here \(127\.0\.0\.1\) has the processor Xeon instead of Opteron\. "
    ):
        cluster.require(Kind(OWN.versions, OWN.code, "Opteron"))
