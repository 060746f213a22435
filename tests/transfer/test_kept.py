"""Trainings that a run goes on with: which are found again, and that nothing else changes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

import handful
from handful.core.config import TrainConfig
from handful.core.files import cache_folder, sha256_file
from handful.core.progress import Silent
from handful.finetune import kept as kept_module
from handful.finetune import kept_trainings, work_seconds
from handful.images import read
from handful.split import split
from handful.transfer import Time, locate_weights
from handful.transfer.best import train_best
from handful.transfer.layers import N_PARTS, train_layers

pytestmark = pytest.mark.usefixtures("every_epoch")

QUICK = {"backbone": "toy", "batch": 8, "epochs": 3, "lr": 0.003, "interpolation": "bilinear", "size": 32, "threads": 1}
UPPER = {**QUICK, "strategy": "freeze"}
FINISHED = "A training that was finished before is taken as it is."


class Stopping(Silent):
    """Raises KeyboardInterrupt after so many updates of trainings, and remembers what was said of them."""

    def __init__(self, after=10**9):
        self.left, self.said = after, []

    @contextmanager
    def stage(self, label, total):
        def advance(n_done, note=""):
            self.left -= label == "Training"
            if self.left < 0:
                raise KeyboardInterrupt

        yield advance

    def say(self, message):
        if re.match("(A|The) training", message):
            self.said.append(message)


@pytest.fixture
def data(photos, toy):
    table = read(photos, TrainConfig.of(QUICK).reading, threads=1, progress=Silent())
    return table, split(table, TrainConfig.of(QUICK).split, seed=0)


@pytest.mark.parametrize(
    "options",
    [{**QUICK, "head": "8d0.2-C"}, {**UPPER, "refit": True}, {**QUICK, "strategy": "scratch", "epochs": 4}],
    ids=["new layers", "upper layers, then on all pictures", "all layers"],
)
def test_a_run_that_was_stopped_makes_the_same_model(photos, toy, tmp_path, monkeypatch, options):
    monkeypatch.setattr("handful.api.training.write_run", lambda *run, **options: None)
    runs = [handful.train(photos, tmp_path / "whole", **options).run]
    for after in (5, 11):
        with pytest.raises(KeyboardInterrupt) as stop:
            handful.train(photos, tmp_path / "run", progress=Stopping(after), **options)
        assert "the same command goes on from there" in stop.value.__notes__[0]
    heard = Stopping()
    runs.append(handful.train(photos, tmp_path / "run", progress=heard, **options).run)
    assert heard.said[0].startswith("The training goes on from epoch") or heard.said[0] == FINISHED
    whole, made = (
        {path.name: sha256_file(path) for path in (tmp_path / name / "model").iterdir()} for name in ("whole", "run")
    )
    assert made == whole
    first, again = (replace(run.training[0], seconds=0.0) for run in runs)
    assert again == first
    np.testing.assert_array_equal(runs[1].test_proba, runs[0].test_proba)
    assert not list(cache_folder("trainings").iterdir())


def test_a_search_that_was_stopped_does_not_train_again_what_was_finished(data):
    config = TrainConfig.of({**QUICK, "strategy": "best"})

    def search(progress):
        with kept_trainings():
            return train_best(
                *data, config, backbones=locate_weights(config), time=Time.given(config), threads=1, progress=progress
            )

    whole = search(counted := Stopping(1000))
    of_each = (1000 - counted.left) / N_PARTS
    with pytest.raises(KeyboardInterrupt) as stop:
        search(Stopping(int(2.5 * of_each)))
    assert stop.value.__notes__[0].count("up to epoch 3 of 3") == 2
    heard = Stopping()
    again = search(heard)
    assert heard.said == [FINISHED, FINISHED, "The training goes on from epoch 2 of 3."]
    np.testing.assert_array_equal(again.held_out_proba, whole.held_out_proba)
    assert [each.accuracy for each in again.search.attempts] == [each.accuracy for each in whole.search.attempts]


def test_what_a_kept_training_took_counts_as_spent(data, monkeypatch):
    config = TrainConfig.of(UPPER)

    def train():
        train_layers(*data, config, backbone=locate_weights(config)[0], threads=1, progress=Silent())

    def stopped():
        with kept_trainings():
            train()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    monkeypatch.setattr(kept_module, "perf_counter", lambda: 100.0)
    with kept_trainings() as run:
        time = Time(600.0, work_seconds())
        train()
        assert 0.0 < run.seconds == pytest.approx(time.spent)
    assert work_seconds() == 100.0


def test_a_training_is_found_again_only_where_nothing_that_decides_it_differs(data):
    def folders(**options):
        config = TrainConfig.of({**UPPER, "epochs": 1, **options})
        with pytest.raises(KeyboardInterrupt), kept_trainings() as run:
            train_layers(*data, config, backbone=locate_weights(config)[0], threads=1, progress=Stopping(0))
        return {place.folder for place in run.places}

    first = folders()
    assert folders() == first
    others = [{"lr": 0.004}, {"seed": 1}, {"epochs": 2}, {"freeze": "2"}, {"fit": "squash"}, {"augmentation": "none"}]
    named = [folders(**options) for options in others]
    assert len(set.union(first, *named)) == 1 + len(others)


def test_estimates_and_studies_keep_nothing(data):
    from handful.transfer.estimate import training_seconds
    from handful.transfer.layers import Work

    config = TrainConfig.of(UPPER)
    with kept_trainings() as run:
        training_seconds(Work(*data, config, *locate_weights(config)[0], 1, Silent()))
    assert not run.places
