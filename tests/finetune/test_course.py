"""A training that is stopped after any epoch and gone on with ends at the same bits."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace

import pytest

from handful.core import files as core_files
from handful.core.config import FinetuneConfig
from handful.core.files import cache_folder
from handful.core.progress import Silent
from handful.finetune import kept as kept_module
from handful.finetune import kept_trainings, parse_head, place_of, resolve
from handful.finetune.batches import ActivationBatches, PictureBatches
from handful.finetune.freeze import split_network
from handful.finetune.loop import fit
from handful.finetune.optimiser import Optimiser
from handful.finetune.stack import build_head
from handful.testing.backbone import toy_network
from tests.finetune.conftest import activations_at

EPOCHS = 5
FACTS = {"name": "a training"}
OPTIONS = {"epochs": EPOCHS, "batch": 8, "lr": 0.01}
TRAININGS = {
    "new layers": (3, "8d0.3-C", {"mixup": 0.4, "schedule": "one-cycle"}),
    "new layers, paper": (3, "C", {"optimizer": "sgd", "schedule": "paper", "every": 2}),
    "upper layers": (1, "C", {"ema": 0.9, "mixup": 0.2}),
    "upper layers, last": (2, "8d0.3-C", {"optimizer": "sgd", "keep": "last"}),
    "all layers, decoded anew": (0, "C", {"patience": 5}),
}


class Heard(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


pytestmark = pytest.mark.usefixtures("every_epoch")


@pytest.fixture
def train(shown, table):
    """Trains one of `TRAININGS` from its first weights, as a new process would; stops after some epochs."""

    seen = {}

    def run(name, *, stop_after=None, keeps=True, progress=None):
        frozen, head, options = TRAININGS[name]
        cut = split_network(toy_network(), frozen)
        stack = build_head(parse_head(head, 3), 16, nonlinearity="rectifier", init_scale=1.0, seed=0)
        model = cut.with_head(stack, own_statistics=not frozen)
        if frozen:
            if frozen not in seen:
                seen[frozen] = activations_at(cut.lower, shown, n_views=2)
            training = ActivationBatches(seen[frozen], table.labels, 8)
        else:
            training = PictureBatches(cut.lower, replace(shown, augmentation="ksh"), table.labels, 8)
        validation = replace(training, targets=table.labels)
        config = resolve(FinetuneConfig(**{**OPTIONS, **options}))[0]

        def watch(done):
            # the first update after the checkpoint is made and lost, as when a process is killed
            if stop_after is not None and done.step == stop_after * training.n_batches + 1:
                raise KeyboardInterrupt

        made = fit(
            model,
            training,
            validation,
            config,
            seed=3,
            watch=watch,
            progress=progress,
            kept=place_of(FACTS) if keeps else None,
        )
        return digest(model), replace(made, seconds=0.0)

    return run


def digest(model):
    held = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        held.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return held.hexdigest()


def stopped_run(train, name, epochs):
    with pytest.raises(KeyboardInterrupt), kept_trainings():
        train(name, stop_after=epochs)


@pytest.mark.parametrize("name", TRAININGS)
def test_stopped_after_any_epoch_it_ends_at_the_same_bits(train, name):
    whole = train(name, keeps=False)
    assert len({iteration.epoch for iteration in whole[1].iterations}) == EPOCHS
    for epochs in range(1, EPOCHS):
        stopped_run(train, name, epochs)
        heard = Heard()
        with kept_trainings() as run:
            assert train(name, progress=heard) == whole
        assert heard.said[0] == f"The training goes on from epoch {epochs + 1} of {EPOCHS}."
        assert run.seconds > 0.0


def test_stopped_after_every_epoch_in_turn_it_ends_at_the_same_bits(train):
    name = "upper layers"
    for epochs in range(1, EPOCHS):
        stopped_run(train, name, epochs)
    with kept_trainings():
        assert train(name) == train(name, keeps=False)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_and_that_is_said(train):
    name = "new layers"
    whole = train(name, keeps=False)
    stopped_run(train, name, 4)
    last = files()[-1]
    data = bytearray(last.read_bytes())
    data[len(data) // 2] ^= 1
    last.write_bytes(data)
    heard = Heard()
    with kept_trainings():
        assert train(name, progress=heard) == whole
    assert heard.said[:2] == [
        "The last checkpoint of the training was damaged, and is not used.",
        f"The training goes on from epoch 4 of {EPOCHS}.",
    ]


def test_a_training_begins_again_where_every_checkpoint_was_damaged(train):
    name = "new layers"
    stopped_run(train, name, 4)
    for path in files():
        path.write_bytes(path.read_bytes()[:-1])
    with kept_trainings():
        assert train(name) == train(name, keeps=False)


def test_two_checkpoints_stay_while_it_runs_and_none_when_the_run_is_done(train):
    stopped_run(train, "new layers", 4)
    assert [path.name[:6] for path in files()] == ["000003", "000004"]
    with kept_trainings():
        train("new layers")
    assert not list(cache_folder("trainings").iterdir())


def test_a_finished_training_of_a_run_that_was_stopped_is_taken_as_it_is(train, monkeypatch):
    name = "upper layers, last"
    whole = []

    def until_terminated():
        with kept_trainings():
            whole.append(train(name))
            sys.exit(143)

    with pytest.raises(SystemExit) as stop:
        until_terminated()
    assert f"up to epoch {EPOCHS} of {EPOCHS}" in stop.value.__notes__[0]
    monkeypatch.delattr(Optimiser, "update")
    heard = Heard()
    with kept_trainings():
        assert train(name, progress=heard) == whole[0]
    assert heard.said[0] == "A training that was finished before is taken as it is."


def test_a_stop_at_the_moment_when_a_checkpoint_gets_its_name_is_told_of_it(train, monkeypatch):
    flush = core_files.flush_folder

    def stop(folder):
        flush(folder)
        if list(folder.glob("*.safetensors")):
            sys.exit(143)

    monkeypatch.setattr(core_files, "flush_folder", stop)
    with pytest.raises(SystemExit) as stopped, kept_trainings():
        train("new layers")
    assert f"up to epoch 1 of {EPOCHS}" in stopped.value.__notes__[0]


def test_quick_trainings_leave_nothing(train, monkeypatch):
    monkeypatch.setattr(kept_module, "SECONDS", 60.0)
    stopped_run(train, "new layers", 4)
    assert not files()


def test_nothing_is_kept_outside_of_a_run():
    assert place_of(FACTS) is None


def test_a_training_goes_on_where_its_checkpoints_cannot_be_written(train, monkeypatch):
    whole = train("new layers", keeps=False)
    cache_folder("").mkdir(parents=True, exist_ok=True)
    cache_folder("trainings").write_text("no folder")
    heard = Heard()
    with kept_trainings():
        assert train("new layers", progress=heard) == whole
    assert "could not be written" in heard.said[0]


def files():
    return sorted(cache_folder("trainings").glob("*/*.safetensors"))


def test_trainings_that_nobody_went_on_with_are_removed_after_some_time(train):
    stopped_run(train, "new layers", 2)
    (folder,) = cache_folder("trainings").iterdir()
    with kept_trainings():
        assert folder.exists()
    os.utime(folder, (0, 0))
    with kept_trainings():
        assert not folder.exists()
