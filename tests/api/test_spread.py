"""Pictures answered by a Ray cluster: the table that one process makes, whatever is lost meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import handful
from handful.api import bulk, spread
from handful.api.unfinished import Listed, Unfinished
from handful.core import cluster as core_cluster
from handful.core.cluster import opened
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


def spread_once(portions, places):
    with opened("auto", threads=1) as cluster:
        return list(
            spread.spread(cluster, handful.load("run").model, portions, places, top=None, advance=lambda n_done: None)
        )


def test_a_node_that_does_not_reach_the_pictures_is_named(cluster, at_work):
    here = open_place(at_work / "new")
    elsewhere = LocalPlace(Path("/elsewhere/new"), here.source, here.root)
    said = r"on the node .* there is no /elsewhere/new.* Pictures have to lie where every node reaches them"
    with pytest.raises(handful.HandfulError, match=said):
        spread_once([[Listed(1, "new/1.png", 0, "1.png", "")]], [elsewhere])


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
