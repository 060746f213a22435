"""Studies on a cluster of nodes on this machine: the files of a study in one process, whatever is lost meanwhile."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from types import MappingProxyType

import pytest

from handful.core import cluster as clusters
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, HandfulError
from handful.core.machine import versions
from handful.core.progress import Silent
from handful.images import read
from handful.split import split
from handful.study.conduct import Asked, conduct
from tests.clusters import another_node, processes

BASE = {"backbone": "toy", "epochs": 3, "batch": 8, "augmentation": "none", "optimizer": "sgd"}
GROUPS = ("lr=1e-4..1e-1:log6", "nonlinearity=tanh,sigmoid")


class Watched(Silent):
    """Calls something once so many trials are done."""

    def __init__(self, n_trials, call):
        self.left, self.call = n_trials, call

    def stage(self, label, total):
        return nullcontext(self.advance if label == "Trials" else lambda *_: None)

    def advance(self, n_done, note=""):
        before, self.left = self.left, self.left - n_done
        if before > 0 >= self.left:
            self.call()


@pytest.fixture
def study(photos, toy, tmp_path):
    """Runs a study of drawn pictures and returns its record and its trials' files."""
    table = read(photos, TrainConfig().reading, threads=1)
    parts = split(table, TrainConfig().split, seed=0)

    def made(*vary, out, threads=1, base=MappingProxyType({}), progress=None, **asked):
        fixed = {name: value for name, value in BASE.items() if not any(text.startswith(name) for text in vary)}
        config = TrainConfig.of({**fixed, **base})
        watch = progress or Silent()
        conduct(table, parts, config, Asked(vary, **asked), folder=tmp_path / out, command="", threads=threads,
                progress=watch)  # fmt: skip
        return {path.name: path.read_bytes() for path in (tmp_path / out).glob("trials/*.json")}

    return made


def test_groups_give_the_same_files_on_a_cluster_that_loses_half_its_cores_as_in_this_process(study, cluster):
    options = {"seeds": 3, "base": {"head": "5-C"}}
    here = study(*GROUPS, out="here", **options)
    assert len(here) == 36
    assert study(*GROUPS, out="two", ray="auto", **options) == here
    with another_node(cluster, num_cpus=2) as node:
        watch = Watched(6, lambda: cluster.remove_node(node, allow_graceful=False))
        assert study(*GROUPS, out="four", ray="auto", progress=watch, **options) == here
        assert node not in cluster.worker_nodes


def test_trials_of_every_kind_and_ones_that_fail_end_as_in_this_process(study, cluster):
    for number, (axis, base) in enumerate(
        [
            ("strategy=features,freeze,full,scratch", {}),
            ("head=ridge,kernel,C", {}),
            ("lr=1e-3,1e3", {"strategy": "full", "optimizer": "sgd"}),
        ]
    ):
        here = study(axis, out=f"here-{number}", seeds=1, base=base)
        assert study(axis, out=f"there-{number}", seeds=1, base=base, ray="auto") == here
    assert b'"failed"' in b"".join(here.values())


def test_what_is_given_up_is_the_same_and_an_actor_that_is_lost_comes_to_where_it_was(study, cluster, monkeypatch):
    axes = "lr=1e-5..1e-1:log", "l2=0..1e-2"
    options = {"search": "random", "trials": 10, "prune": "halving", "seeds": 2, "base": {"epochs": 7}}
    here = study(*axes, out="here", **options)
    assert b'"pruned"' in b"".join(here.values())
    running, calls = importlib.import_module("handful.study.search"), []
    judge = running._judge

    def kills(batch, names, standing):
        calls.append(standing)
        if len(calls) == 4:
            os.kill(processes("ray::_Leading")[0], signal.SIGKILL)
        return judge(batch, names, standing)

    monkeypatch.setattr(running, "_judge", kills)
    assert study(*axes, out="there", ray="auto", **options) == here


def test_a_driver_that_is_killed_is_gone_on_from_by_the_same_command(study, cluster, photos, tmp_path):
    vary = ("lr=1e-4..1e-1:log8", "batch=4,8,16")
    options = [word for name, value in BASE.items() if name != "batch" for word in (f"--{name}", str(value))]
    command = [
        *(sys.executable, "-m", "handful.testing.command", str(tmp_path / "toy"), "study", str(photos), *options),
        *(
            "--vary",
            vary[0],
            "--vary",
            vary[1],
            "--seeds",
            "2",
            "--ray",
            cluster.address,
            "--out",
            str(tmp_path / "made"),
        ),
    ]
    killed = subprocess.Popen(command)
    trials = tmp_path / "made" / "trials"
    while killed.poll() is None and len(list(trials.glob("*.json"))) < 8:
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    before = {path.name: path.read_bytes() for path in trials.glob("*.json")}
    assert 8 <= len(before) < 48
    after = study(*vary, out="made", seeds=2, ray="auto", resume=True)
    assert len(after) == 48
    assert before.items() <= after.items()


def test_a_node_with_other_versions_is_refused_by_name_before_anything_is_trained(study, cluster, tmp_path):
    other = tmp_path / "site" / "scipy-0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.1\n")
    paths = os.pathsep.join([str(other.parent), *sys.path])
    refusal = pytest.raises(HandfulError, match=rf"the node .* has scipy 0\.1 instead of {versions()['scipy']}")
    with another_node(cluster, num_cpus=1, env_vars={"PYTHONPATH": paths}), refusal:
        study("lr=1e-3,1e-2", out="refused", ray="auto")
    assert not (tmp_path / "refused" / "trials").exists()


def test_a_node_of_another_kind_that_joins_later_ends_the_study_by_its_name(study, cluster, monkeypatch):
    original = clusters._alike

    def as_it_was(ray):
        found = original(ray)
        return replace(found, kind=replace(found.kind, processor="another one"))

    monkeypatch.setattr(clusters, "_alike", as_it_was)
    with pytest.raises(HandfulError, match=r"the node .* has the processor .* instead of another one"):
        study("lr=1e-3,1e-2", out="refused", ray="auto")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            lambda: importlib.import_module("handfull"),
            "the node .* cannot run handful: .*named 'handfull'. Install handful",
        ),
        (lambda: os._exit(1), r"what the node .* says of itself was lost 2 times .* its memory does not suffice"),
    ],
)
def test_a_node_whose_processes_cannot_say_what_it_is_is_named(study, cluster, monkeypatch, asked, said):
    monkeypatch.setattr(clusters, "TRIES", 1)
    monkeypatch.setattr(clusters, "_named_kind", asked)
    with pytest.raises(HandfulError, match=said):
        study("lr=1e-3,1e-2", out="refused", ray="auto")


def test_a_training_of_more_threads_than_a_node_has_cores_is_refused(study, cluster):
    with pytest.raises(ConfigError, match=r"threads is 64, and no node has more than \d cores"):
        study("lr=1e-3,1e-2", out="refused", ray="auto", threads=64, base={"strategy": "full"})


def test_no_training_is_begun_after_the_time(study, cluster, monkeypatch):
    nodes = importlib.import_module("handful.study.ray")
    monkeypatch.setattr(nodes, "time", lambda: 0.0)  # so that it is over on the nodes, and not here
    for strategy in ("features", "full"):
        assert study("lr=1e-3,1e-2", out=strategy, ray="auto", time="1h", base={"strategy": strategy}) == {}


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1", "http://127.0.0.1:6379", "127.0.0.1:x"])
def test_what_is_no_address_is_refused_before_any_work(study, address):
    pytest.importorskip("ray", reason="needs the extra ray")
    with pytest.raises(ConfigError, match=r"expected local .* HOST:PORT or ray://HOST:PORT"):
        study("lr=1e-3,1e-2", out="refused", ray=address)
