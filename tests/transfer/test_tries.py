"""The advised way and its neighbours, trained on the toy network and judged on validation pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from PIL import Image

import handful.testing.backbone as toys
from handful.core.advice import TransferPlan
from handful.core.config import SplitConfig, TrainConfig
from handful.core.errors import ConfigError, TrainingError
from handful.core.progress import Silent
from handful.images import read
from handful.split import split
from handful.testing.backbone import install_toy_backbone
from handful.transfer import bench, locate_weights
from handful.transfer.bench import Candidate
from handful.transfer.tries import is_shown, paired, try_ways

QUICK = {"backbone": "toy", "batch": 8, "epochs": 3, "lr": 0.003, "interpolation": "bilinear"}
DIVERGES = {"optimizer": "sgd", "lr": 1000.0, "epochs": 30}


def candidate(strategy, **options):
    own = {"freeze": "1"} if strategy == "freeze" else {}
    return Candidate(
        TransferPlan(strategy, "toy", "auto"), TrainConfig.of({**QUICK, "strategy": strategy, **own, **options})
    )


@pytest.fixture
def data(photos, toy):
    table = read(photos, TrainConfig().reading, threads=1, progress=Silent())
    return table, split(table, SplitConfig(), seed=0)


def tried(data, *candidates, **options):
    (backbone,) = locate_weights(candidates[0].config)
    return try_ways(candidates, *data, backbone=backbone, threads=1, progress=Silent(), **options)


class Clock:
    """Goes on by a fixed time whenever it is looked at."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def limits(monkeypatch):
    """The option `time` of every training of layers that was started, by strategy."""
    seen = {}

    def watched(table, split, config, **options):
        seen[config.transfer.strategy] = config.finetune.time
        return train_layers(table, split, config, **options)

    train_layers = bench.train_layers
    monkeypatch.setattr(bench, "train_layers", watched)
    return seen


def test_the_difference_is_paired_by_picture():
    rng = np.random.default_rng(0)
    right, base = rng.random(200) < 0.8, rng.random(200) < 0.7
    each = right.astype(int) - base.astype(int)
    difference, standard_error = paired(right, base)
    assert difference == pytest.approx(each.mean())
    assert standard_error == pytest.approx(math.sqrt((each**2).mean() / 200))
    assert paired(right, right) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("gained", "lost", "shown"),
    [
        (0, 0, False),
        (2, 0, False),
        (3, 0, True),
        (4, 1, False),
        (5, 1, True),
        (9, 5, False),
        (10, 5, True),
        (0, 9, False),
    ],
)
def test_a_gain_counts_when_it_is_more_than_chance(gained, lost, shown):
    right, base = np.repeat([True, False, True], [gained, lost, 30]), np.repeat([False, True, True], [gained, lost, 30])
    assert is_shown(*paired(right, base), len(right)) == shown


def test_the_rule_changes_for_nothing_about_once_in_six():
    # McNemar's exact test, one-sided: what chance gives the difference from which the rule speaks of a gain.
    chances = []
    for n_differing in range(3, 200):
        gained = next(
            b
            for b in range(n_differing + 1)
            if is_shown((2 * b - n_differing) / 500, math.sqrt(n_differing) / 500, 500)
        )
        chances.append(scipy.stats.binomtest(gained, n_differing, alternative="greater").pvalue)
    assert 0.1 < np.mean(chances) < 1 / 6
    assert max(chances) < 0.17


@pytest.fixture
def lights(tmp_path):
    """Dark and bright pictures, which anything that learns tells apart."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 70), ("bright", 180)):
        (tmp_path / "lights" / name).mkdir(parents=True)
        for index in range(24):
            pixels = np.clip(rng.normal(level, 30.0, (40, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "lights" / name / f"{index:02d}.png")
    return tmp_path / "lights"


def test_another_way_is_taken_where_it_is_clearly_better(lights, monkeypatch, tmp_path):
    # A network whose uppermost convolution says the same to every picture: on it as it is nothing can be learned.
    numb = toys.toy_network()
    with torch.no_grad():
        numb.body.head[0].weight.zero_()
        numb.body.head[1].bias.fill_(0.5)
    monkeypatch.setattr(toys, "toy_network", lambda: numb)
    install_toy_backbone(monkeypatch, tmp_path / "packages")
    table = read(lights, TrainConfig().reading, threads=1, progress=Silent())
    learns = candidate("freeze", freeze="2", epochs=30, lr=0.01)
    result = tried(
        (table, split(table, SplitConfig(), seed=0)), candidate("features"), candidate("full", lr=1e-12), learns
    )
    advised, idle, better = result.tries
    assert result.taken.plan.strategy == "freeze"
    assert better.accuracy > advised.accuracy + 0.3
    assert is_shown(better.difference, better.standard_error, better.n_validation)
    assert not is_shown(idle.difference, idle.standard_error, idle.n_validation)
    assert "more of 8 validation pictures right than with the advised way, features" in result.verdict
    assert result.trained.training


def test_the_advised_way_stays_where_the_others_differ_by_chance(data):
    result = tried(data, candidate("freeze"), candidate("features"), candidate("full"))
    assert result.taken.plan.strategy == "freeze"
    assert result.verdict == "tried features and full too: no gain that 8 validation pictures can show"
    assert result.tries[0].difference is None
    for other in result.tries[1:]:
        assert other.difference == pytest.approx(other.accuracy - result.tries[0].accuracy)
    assert all(each.n_validation == 8 and each.seconds > 0 and each.loss > 0 for each in result.tries)


def test_what_was_trained_is_kept_where_it_is_whole(data):
    advised = tried(data, candidate("freeze"), candidate("features"))
    assert advised.trained.held_out_proba.shape == (8, 3)
    assert tried(data, candidate("features"), candidate("freeze", epochs=1)).trained is None
    table, parts = data
    own = replace(parts, train=parts.train[::2], validation=parts.train[1::2])
    kept = tried((table, own), candidate("features"), candidate("freeze", epochs=1))
    assert kept.taken.plan.strategy == "features"
    np.testing.assert_array_equal(kept.trained.held_out, own.train)
    assert kept.tries[0].n_validation == len(own.validation)


class Watched:
    """A source that remembers what was read."""

    def __init__(self, source):
        self.source, self.read_names = source, set()

    def names(self):
        return self.source.names()

    def read(self, name):
        self.read_names.add(name)
        return self.source.read(name)


def test_the_test_part_is_not_read(data):
    table, parts = data
    watched = Watched(table.source)
    tried(
        (replace(table, source=watched), parts), candidate("freeze"), candidate("features"), candidate("full", epochs=1)
    )
    assert watched.read_names == {table.pictures[index].path for index in parts.train}


def test_a_way_that_fails_is_listed_and_never_taken(data):
    result = tried(data, candidate("features"), candidate("full", **DIVERGES))
    assert result.taken.plan.strategy == "features"
    assert result.tries[1].reason.startswith("failed: training failed at update")
    assert (result.tries[1].accuracy, result.tries[1].difference) == (None, None)
    assert result.verdict == ""


def test_where_the_advised_way_fails_the_best_of_the_others_is_taken(data):
    result = tried(data, candidate("full", **DIVERGES), candidate("features"), candidate("freeze", lr=1e-12))
    assert result.taken.plan.strategy == "features"
    assert result.verdict.startswith("the advised way, full, failed")
    assert [each.difference for each in result.tries] == [None] * 3


def test_where_every_way_fails_the_advised_ones_error_is_raised(data):
    with pytest.raises(TrainingError, match="The rate was 1000"):
        tried(data, candidate("full", **DIVERGES), candidate("freeze", **{**DIVERGES, "lr": 500.0}))


def test_options_that_cannot_work_in_one_way_are_refused_before_any_work(data, limits):
    with pytest.raises(ConfigError, match="'steem'"):
        tried(data, candidate("full"), candidate("freeze", freeze="steem"))
    assert not limits


def test_what_would_take_too_long_is_not_tried_and_the_time_to_give_is_said(data, limits, monkeypatch):
    monkeypatch.setattr(
        bench, "training_seconds", lambda work: 700.0 if work.config.transfer.strategy == "full" else 100.0
    )
    result = tried(data, candidate("features"), candidate("full"), candidate("freeze"))
    assert limits == {"freeze": None}
    assert result.tries[1].reason == "not tried: it would take about 12 minutes on this machine; --time 15m includes it"
    assert result.tries[1].seconds == 700.0
    assert result.tries[2].accuracy is not None


def test_other_ways_share_one_limit_and_the_advised_one_does_not_count(data, limits, monkeypatch):
    monkeypatch.setattr(bench, "training_seconds", lambda work: 100.0)
    result = tried(
        data, candidate("freeze"), candidate("full"), candidate("features", head="C"), clock=Clock(step=100.0)
    )
    assert limits.keys() == {"freeze", "full"}
    assert result.tries[2].reason == "not tried: it would take about 2 minutes on this machine; --time 7m includes it"


def test_ways_share_the_time_that_was_given(data, limits, monkeypatch):
    monkeypatch.setattr(bench, "training_seconds", lambda work: 1.0)
    ways = [candidate(name, time="2m") for name in ("freeze", "features", "full")]
    tried(data, *ways, clock=Clock(step=50.0))
    assert limits == {"freeze": "2m", "full": "70.000s"}
    limits.clear()
    result = tried(data, *ways, clock=Clock(step=200.0))
    assert limits == {"freeze": "2m"}
    assert result.tries[1].accuracy is not None
    assert result.tries[2].reason == "not tried: nothing was left of 2m"


def test_a_long_advised_way_is_said_beforehand_and_tried(data, monkeypatch):
    said = []

    class Watch(Silent):
        def say(self, message):
            said.append(message)

    monkeypatch.setattr(bench, "training_seconds", lambda work: 7200.0)
    advised = candidate("freeze")
    (backbone,) = locate_weights(advised.config)
    result = try_ways([advised], *data, backbone=backbone, threads=1, progress=Watch())
    assert any("takes up to about 2 hours on this machine" in message for message in said)
    assert result.tries[0].accuracy is not None


def test_where_no_picture_can_be_spared_the_advised_features_stay(data):
    table, parts = data
    together = tuple(replace(picture, group=str(picture.label)) for picture in table.pictures)
    result = tried((replace(table, pictures=together), parts), candidate("features"), candidate("full"))
    assert result.taken.plan.strategy == "features"
    assert (result.trained, result.verdict) == (None, "")
    assert all("can be spared to validate with" in each.reason for each in result.tries)


def test_where_no_picture_can_be_spared_layers_are_not_trained(data):
    table, parts = data
    together = tuple(replace(picture, group=str(picture.label)) for picture in table.pictures)
    result = tried((replace(table, pictures=together), parts), candidate("freeze"), candidate("features"))
    assert (result.taken.plan.strategy, result.trained) == ("features", None)
    assert result.verdict == "the advised way, freeze, needs pictures to validate with, and none can be spared"
