"""Pictures answered by a Ray cluster: the table that one process makes, whatever is lost meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import handful
from handful.api import bulk, spread
from handful.api.portions import Wanted
from handful.api.unfinished import Listed, Unfinished
from handful.core import cluster as core_cluster
from handful.core.cluster import opened
from handful.features import find_engine
from handful.images import open_place
from handful.images.unlabelled import LocalPlace
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder
from tests.clusters import another_node

N_NEW = 60

KILLED = """
import sys
from pathlib import Path
import ray
import handful
from handful.api import bulk
from handful.testing.command import prepare

address, toy = sys.argv[1], Path(sys.argv[2])
prepare(toy)
ray.init(address, logging_level="FATAL", log_to_driver=False,
         runtime_env={"worker_process_setup_hook": lambda: prepare(toy)})
save, bulk.PORTION = bulk.Unfinished.save, 4

def told(*given):
    save(*given)
    print("saved", flush=True)
    sys.stdin.readline()

bulk.Unfinished.save = told
handful.load("run").predict_into("there.csv", "new", ray="auto")
"""


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    """A run, a folder of new pictures of which two cannot be read, and the table that one process makes of them."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDFUL_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        patch.setattr(bulk, "PORTION", 4)
        install_toy_backbone(patch, tmp_path_factory.mktemp("packages"))
        handful.train(photos, "run", backbone="toy")
        draw_folder(folder / "new", classes=("circle", "square/deep"), per_class=N_NEW // 2, size=32, seed=5)
        (folder / "new" / "circle" / "003.png").write_bytes(b"no picture")
        (folder / "new" / "zz.jpg").write_bytes(b"")
        handful.load("run").predict_into("here.csv", "new")
    return folder


@pytest.fixture
def at_work(made, toy, monkeypatch):
    """The same, as the folder in which one works."""
    monkeypatch.chdir(made)
    monkeypatch.setattr(bulk, "PORTION", 4)
    yield made
    for path in made.glob("there.csv*"):
        path.unlink()


def test_a_cluster_makes_the_table_that_one_process_makes(cluster, at_work):
    written = handful.load("run").predict_into("there.csv", "new", ray="auto")
    assert (at_work / "there.csv").read_bytes() == (at_work / "here.csv").read_bytes()
    assert (written.n_pictures, written.n_skipped) == (N_NEW + 1, 2)


@pytest.mark.parametrize("ray", ["auto", None])
def test_pictures_at_an_address_have_the_answers_of_the_same_files_in_a_folder(cluster, at_work, ray):
    address = f"file://{at_work}/new"
    written = handful.load("run").predict_into("there.csv", address, ray=ray)
    table = (at_work / "there.csv").read_text()
    assert table.count(address) == written.n_pictures
    assert table.replace(address, "new") == (at_work / "here.csv").read_text()


def test_a_cluster_writes_the_features_of_pictures_in_a_table_that_one_process_writes(cluster, at_work):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [path.read_bytes() for path in sorted((at_work / "new" / "circle").iterdir())]
    parquet.write_table(pyarrow.table({"image": rows}), at_work / "new.parquet", row_group_size=6)
    for name, ray in (("there.csv.1.parquet", "auto"), ("there.csv.2.parquet", None)):
        handful.load("run").predict_into(name, "new.parquet", features=True, ray=ray)
    assert (at_work / "there.csv.1.parquet").read_bytes() == (at_work / "there.csv.2.parquet").read_bytes()


def test_a_lost_node_loses_no_picture_and_none_is_there_twice(cluster, at_work, monkeypatch):
    saved, save = [], Unfinished.save

    def losing(self, records):
        save(self, records)
        saved.extend(number for number, _ in records)
        if len(saved) >= 12 and node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)

    monkeypatch.setattr(Unfinished, "save", losing)
    with another_node(cluster, num_cpus=2) as node:
        handful.load("run").predict_into("there.csv", "new", ray="auto")
        assert node not in cluster.worker_nodes
    assert sorted(saved) == list(range(1, N_NEW + 2))
    assert (at_work / "there.csv").read_bytes() == (at_work / "here.csv").read_bytes()


def test_a_killed_command_goes_on_with_what_is_not_answered(cluster, at_work, tmp_path_factory):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    folder = str(tmp_path_factory.mktemp("packages"))
    with subprocess.Popen([sys.executable, "-c", KILLED, cluster.address, folder], **pipes) as process:
        for _ in range(3):
            assert process.stdout.readline() == "saved\n"
            process.stdin.write("\n")
            process.stdin.flush()
        process.send_signal(signal.SIGKILL)
    written = handful.load("run").predict_into("there.csv", "new", ray="auto")
    assert written.n_before >= 12
    assert (at_work / "there.csv").read_bytes() == (at_work / "here.csv").read_bytes()


def test_what_a_cluster_began_this_process_ends(cluster, at_work, monkeypatch):
    class Stopped(BaseException):
        pass

    def stopping(self, records):
        save(self, records)
        raise Stopped

    save = Unfinished.save
    with monkeypatch.context() as patch:
        patch.setattr(Unfinished, "save", stopping)
        with pytest.raises(Stopped):
            handful.load("run").predict_into("there.csv", "new", ray="auto")
    assert handful.load("run").predict_into("there.csv", "new").n_before == 4
    assert (at_work / "there.csv").read_bytes() == (at_work / "here.csv").read_bytes()


def spread_once(portions, places, model=None):
    model = model or handful.load("run").model
    with opened("auto", threads=1) as cluster:
        how = {"wanted": Wanted(), "advance": lambda n_done: None}
        return list(spread.spread(cluster, model, portions, places, **how))


def test_a_node_that_does_not_reach_the_pictures_is_named(cluster, at_work):
    here = open_place(at_work / "new")
    elsewhere = LocalPlace(Path("/elsewhere/new"), here.source, here.root)
    said = r"on the node .* there is no /elsewhere/new.* Pictures have to lie where every node reaches them"
    with pytest.raises(handful.HandfulError, match=said):
        spread_once([[Listed(1, "new/1.png", 0, "1.png", "")]], [elsewhere])


def listed_by_node(number, slow):
    """Returns, on the node that is asked for it, a picture whose fault is the node's name: later on a slow node."""
    import ray

    name = ray.get_runtime_context().get_node_id()
    time.sleep(1.0 if name == slow else 0.05)
    return Listed(number, f"new/{number}.png", 0, f"{number}.png", name)


@dataclass
class Lying:
    """A picture in the list that becomes what `listed_by_node` returns where it arrives."""

    number: int
    slow: str
    name = "new/lying.png"

    def __reduce__(self):
        return listed_by_node, (self.number, self.slow)


@pytest.fixture
def by_value(cluster):
    """Lets workers have what this module defines, which they cannot import."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_a_slow_node_gets_what_it_can_do_and_delays_nothing_but_that(cluster, at_work, by_value):
    with another_node(cluster, num_cpus=1) as node:
        slow = node.node_id
        found = spread_once([[Lying(number, slow)] for number in range(60)], [open_place(at_work / "new")])
    nodes = [json.loads(record)["error"] for _, (record,) in found]
    assert sorted(portion[0].number for portion, _ in found) == list(range(60))
    assert 1 <= nodes.count(slow) <= 6
    last_of_others = max(place for place, node in enumerate(nodes) if node != slow)
    assert len(nodes) - 1 - last_of_others <= 1


def test_a_model_of_a_gpu_runs_where_there_is_one_with_the_cores_beside_it(cluster, at_work, by_value, monkeypatch):
    model = handful.load("run").model
    (member,) = model.members
    on_a_gpu = replace(
        model, members=(replace(member, trunk=replace(member.trunk, engine=find_engine("cuda", "fp32"))),)
    )
    with another_node(cluster, num_cpus=2, num_gpus=1) as node:
        found = spread_once([[Lying(number, "")] for number in range(6)], [open_place(at_work / "new")], model=on_a_gpu)
        assert {json.loads(record)["error"] for _, (record,) in found} == {node.node_id}


class Deadly:
    """Ends every worker that it is given to."""

    name = "new/deadly.png"

    def __reduce__(self):
        return os._exit, (1,)


def test_a_picture_that_kills_its_workers_is_named_in_the_end(cluster, at_work, monkeypatch):
    for module in (spread, core_cluster):
        monkeypatch.setattr(module, "TRIES", 1)
    said = r"from new/deadly\.png to new/deadly\.png were lost 2 times with the node or process that had it"
    with pytest.raises(handful.HandfulError, match=said):
        spread_once([[Deadly()]], [open_place(at_work / "new")])
