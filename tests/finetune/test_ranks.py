"""Two processes that train one model together: to the bits of one process."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from handful.core.config import FinetuneConfig, ReadingConfig
from handful.features import Preprocessing
from handful.finetune import parse_head, resolve
from handful.finetune.activations import Activations
from handful.finetune.batches import ActivationBatches, PictureBatches
from handful.finetune.freeze import split_network
from handful.finetune.loop import fit
from handful.finetune.pictures import Shown
from handful.finetune.ranks import RankLostError, joined, open_store
from handful.finetune.shares import own_rows, shares
from handful.finetune.stack import build_head
from handful.images import read
from handful.testing.backbone import toy_network
from handful.testing.pictures import draw_folder

OPTIONS = {"epochs": 3, "lr": 0.01, "batch": 40}
CASES = {
    "portions that do not divide": (1, 40, {}),  # three, of two ranks
    "a rank without a portion": (1, 33, {"batch": 17, "optimizer": "sgd"}),  # mini-batches of 17 and 16
    "averages, mixed": (2, 64, {"batch": 64, "ema": 0.9, "mixup": 0.4, "sparsity": 0.1}),
    "all layers, decoded anew": (0, 30, {"label_smoothing": 0.1, "patience": 1}),
    "all layers, mixed": (0, 30, {"mixup": 0.4, "keep": "last"}),
    "until its time is up": (1, 40, {"epochs": 1000, "time": "0.5s"}),
}
LOST = "a partner that is gone"


@given(n_images=st.integers(1, 300), n_ranks=st.integers(1, 9), whole=st.booleans())
def test_shares_are_the_portions_of_one_process_in_their_order(n_images, n_ranks, whole):
    found = shares(n_images, n_ranks, whole=whole)
    rows = torch.arange(n_images)
    taken = [rows[part] for own in found for part in own]
    assert torch.equal(torch.cat(taken), rows)
    assert len(found) == n_ranks
    if not whole:
        assert [len(part) for part in taken] == [len(part) for part in rows.tensor_split(-(-n_images // 16))]
    for rank, own in enumerate(found):
        assert own_rows(n_images, rank, n_ranks) == (slice(own[0].start, own[-1].stop) if own else slice(0, 0))


def test_two_processes_train_to_the_bits_of_one(tmp_path):
    store = open_store("127.0.0.1", 2)
    spawning = multiprocessing.get_context("spawn")
    draw_folder(tmp_path / "shapes", per_class=10)
    ranks = [spawning.Process(target=be_rank, args=(rank, store.port, tmp_path)) for rank in range(2)]
    for rank in ranks:
        rank.start()
    alone = {name: trained(name, tmp_path) for name in CASES if not name.startswith("until")}
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0, 0]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    lost = first.pop(LOST)
    assert first == second
    steps = first.pop("until its time is up")["iterations"]
    assert "the time of 0.5s was up" in second["until its time is up"]["stopped"]
    assert len(steps) < 1000
    assert first == alone
    assert lost == "RankLostError"


def be_rank(rank, port, folder):
    torch.set_num_threads(1)
    with joined(rank, 2, meeting=("127.0.0.1", port), address="127.0.0.1", each=1, gpu=False) as ranks:
        found = {name: trained(name, folder, ranks) for name in CASES}
        if rank == 0:
            try:
                ranks.gathered([0])  # which the other does not join, but ends
            except RankLostError as error:
                found[LOST] = type(error).__name__
    (folder / f"{rank}.json").write_text(json.dumps(found))


def trained(name, folder, ranks=None):
    """Returns the hash of all weights and the record of a training."""
    frozen, n_pictures, options = CASES[name]
    cut = split_network(toy_network(), frozen)
    model = cut.with_head(build_head(parse_head("C", 3), 16, nonlinearity="rectifier", init_scale=1.0, seed=0))
    config = resolve(FinetuneConfig(**{**OPTIONS, **options}))[0]
    targets = np.arange(n_pictures) % 3
    if frozen:
        shape = cut.lower(torch.zeros(1, 3, 32, 32)).permute(0, 2, 3, 1).shape[1:]
        values = np.random.default_rng(0).normal(size=(n_pictures, 2, *shape)).astype(np.float32)
        batches = ActivationBatches(Activations(values), targets, config.batch)
    else:
        table = read(folder / "shapes", ReadingConfig(), threads=1)
        spec = cut.network.spec
        preprocessing = Preprocessing(spec.input_size, "crop", "bilinear", spec.mean, spec.std)
        shown = Shown(table, table.pictures, preprocessing, "ksh", seed=0, threads=1)
        batches = PictureBatches(cut.lower, shown, table.labels, config.batch)
    validation, sharing = replace(batches, batch=8), {}
    if ranks:
        share = ranks.rank, ranks.n_ranks
        validation = validation.carried().shared(*share, threads=1)
        batches = batches.carried() if config.mixup else batches.carried().shared(*share, threads=1)
        sharing = {"ranks": ranks, "clock": ranks.clock}
    made = fit(model, batches, validation, config, seed=3, **sharing)
    held = hashlib.sha256()
    for key, tensor in model.state_dict().items():
        held.update(key.encode() + tensor.contiguous().numpy().tobytes())
    iterations = [[each.loss, each.accuracy, each.validation_loss] for each in made.iterations]
    return {"weights": held.hexdigest(), "stopped": made.stopped, "best": made.best_step, "iterations": iterations}
