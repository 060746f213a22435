"""Training of layers on a cluster of nodes on this machine: the run of one process, whatever is lost meanwhile."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

import handful
from handful.core.errors import ConfigError, HandfulError
from handful.core.progress import Silent
from handful.finetune import loop
from handful.finetune.kept import Kept, Place, Written
from handful.finetune.layout import places, shape_on
from handful.testing.pictures import draw_folder
from tests.clusters import another_node

OPTIONS = {"backbone": "toy", "strategy": "full", "epochs": 40, "batch": 48, "threads": 2}


class Heard(Silent):
    """Keeps what is said, and calls something after the second update."""

    def __init__(self, call):
        self.said, self.n_updates, self.call = [], 0, call

    def say(self, message):
        self.said.append(message)

    @contextmanager
    def stage(self, label, total):
        yield self.advance if label == "Training" else lambda n_done, note="": None

    def advance(self, n_done, note=""):
        self.n_updates += n_done
        if self.n_updates == 2:
            self.call()


@pytest.fixture
def there(cluster):
    """The module, which imports Ray: that reads some settings then, which the cluster of the tests has."""
    return importlib.import_module("handful.finetune.ray")


@pytest.mark.usefixtures("every_epoch", "toy")
def test_a_run_on_a_cluster_that_loses_a_node_is_that_of_one_process_bit_by_bit(cluster, tmp_path, monkeypatch):
    photos = draw_folder(tmp_path / "shapes", per_class=24)  # mini-batches of 48: three portions, each on one thread
    handful.train(photos, tmp_path / "here", **OPTIONS)
    monkeypatch.setattr(loop, "fit", None)  # nothing is trained in this process any more
    heard = Heard(lambda: cluster.remove_node(node, allow_graceful=False))
    with another_node(cluster, num_cpus=2) as node:
        made = handful.train(photos, tmp_path / "there", ray="local", progress=heard, **OPTIONS)
    first, *lost, last = (said for said in heard.said if "trained" in said or "goes on" in said)
    assert first == "Layers are trained by 2 processes of the cluster, with 2 cores for each."
    assert lost[0].startswith("A process that trained layers was lost.")
    assert lost[-1].endswith("They are trained on by 1 process of the cluster, with 2 cores for each.")
    assert last.startswith("The training goes on from epoch")
    for name in ("predictions.csv", "model/heads.safetensors", "model/trunk-0.safetensors"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert made.run.command.startswith(f"handful train {photos} --ray local")


def nodes(*cores, cards=()):
    cards = [*cards, *[0] * (len(cores) - len(cards))]
    return [{"CPU": float(cpu), **({"GPU": float(gpu)} if gpu else {})} for cpu, gpu in zip(cores, cards, strict=True)]


def pictures(n):
    return SimpleNamespace(n_pictures=n, n_batches=1)


@pytest.mark.parametrize(
    ("having", "n_pictures", "expected"),
    [
        (nodes(1), 128, (1, 1, 1, False)),
        (nodes(8), 32, (1, 8, 4, False)),  # as one process of 8 threads
        (nodes(2, 2), 32, (2, 2, 2, False)),
        (nodes(16, 16, 16), 32, (2, 16, 16, False)),  # two portions are work for two
        (nodes(16, 16, 1), 128, (2, 16, 4, False)),  # the small node is left alone
        (nodes(2, 1), 64, (3, 1, 1, False)),
        (nodes(16, 16, cards=(2, 2)), 256, (4, 8, 1, True)),
        (nodes(16, 16, cards=(2, 2)), 40, (3, 8, 1, True)),
        (nodes(16, 4, cards=(8,)), 256, (8, 2, 1, True)),
        (nodes(2, cards=(4,)), 256, (2, 1, 1, True)),  # cards without a core beside them are left alone
    ],
)
def test_a_rank_is_a_card_or_a_node_and_has_a_portion_at_least(having, n_pictures, expected):
    shape = shape_on(having, pictures(n_pictures), engine="auto")
    assert (shape.n_ranks, shape.cores, shape.each, shape.gpu) == expected


def test_those_that_take_the_place_of_lost_ranks_compute_portions_as_they_did():
    before = shape_on(nodes(16, 16), pictures(32), engine="auto")
    after = shape_on(nodes(16), pictures(32), engine="auto", before=before)
    assert (after.n_ranks, after.each) == (1, before.each)
    with pytest.raises(HandfulError, match="no node is left"):
        shape_on(nodes(8, 8), pictures(32), engine="auto", before=before)
    cards = shape_on(nodes(16, cards=(2,)), pictures(32), engine="auto")
    with pytest.raises(HandfulError, match="no node is left"):
        shape_on(nodes(16, 16), pictures(32), engine="auto", before=cards)


def test_cards_are_used_as_the_engine_says():
    having = nodes(16, cards=(2,))
    assert not shape_on(having, pictures(32), engine="eager").gpu
    with pytest.raises(ConfigError, match="no node of the cluster has a GPU"):
        shape_on(nodes(16), pictures(32), engine="cuda")


def test_a_place_on_cards_is_one_that_has_them():
    shape = shape_on(nodes(16, 16, cards=(2,)), pictures(64), engine="auto")
    assert [places(node, shape) for node in nodes(16, 16, cards=(2,))] == [2, 0]


def test_what_was_kept_on_more_nodes_is_gone_on_with_as_they_computed_it(there, tmp_path, monkeypatch):
    kept, heard, laid_out = Place(tmp_path, Kept()), Heard(None), []
    kept.write(Written(1, {"weights": np.zeros(2)}, {there.EACH: 2}, "1 epoch"), progress=heard)

    @contextmanager
    def placed(shape, progress):
        laid_out.append(shape)
        yield []

    monkeypatch.setattr(there, "_placed", placed)
    monkeypatch.setattr(there, "_led", lambda *_, **__: ("trained", {}))
    monkeypatch.setattr(there, "node_resources", lambda: nodes(2))
    monkeypatch.setattr(there.ray, "put", lambda job: job)
    batches = SimpleNamespace(n_pictures=32, n_batches=1, carried=lambda: None)
    alone = shape_on(nodes(2), batches, engine="auto")
    assert (alone.n_ranks, alone.each) == (1, 1)
    model = SimpleNamespace(load_state_dict=dict, eval=list)
    options = {"seed": 0, "precision": "float32", "engine": "auto", "progress": heard, "kept": kept}
    trained = there.fit_on(SimpleNamespace(kind=None), alone, model, batches, None, None, **options)
    assert (trained, [shape.each for shape in laid_out]) == ("trained", [2])


def test_a_checkpoint_tells_its_facts_and_one_that_cannot_be_read_none(tmp_path):
    kept = Place(tmp_path, Kept())
    assert kept.fact("each") is None
    for epoch in (1, 2):
        kept.write(Written(epoch, {"weights": np.zeros(2)}, {"each": epoch}, ""), progress=Silent())
    assert (kept.fact("each"), kept.fact("other")) == (2, None)
    (latest,) = tmp_path.glob("000002-*")
    latest.write_bytes(b"\xff" * 20)
    assert kept.fact("each") == 1
