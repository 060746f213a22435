"""Networks compared on held-out training pictures: the order, and what it is made of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import handful
from handful.backbones import catalog
from handful.core.config import SplitConfig, TrainConfig
from handful.core.errors import ConfigError, NothingHeldOutError, WeightsError
from handful.core.progress import Silent
from handful.core.ranking import Ranked
from handful.evaluate import wilson_interval
from handful.features import extract, trunk_from_weights
from handful.heads import fit_head
from handful.images import read
from handful.split import split, units
from handful.transfer import check_ways, locate_all, rank, ranking
from handful.transfer.plan import plan_features
from handful.transfer.ranking import UNDECIDED, Probed, order


@pytest.fixture
def networks(toy, monkeypatch):
    """The toy, the toy less its upper layer, and a network that is not at hand; nothing else."""
    shallow = dataclasses.replace(toy, name="toy-shallow", title="Shallow", taps=(toy.taps[1],))
    monkeypatch.setattr(catalog, "SPECS", (toy, shallow, catalog.find("vgg16")))
    return toy, shallow


@pytest.fixture
def data(photos, networks):
    table = read(photos, TrainConfig().reading, threads=1, progress=Silent())
    return table, split(table, SplitConfig(), seed=0)


def ranked(data, **options):
    config = TrainConfig.of({"backbone": "best", **options})
    return rank(*data, config, backbones=locate_all(config), threads=1, progress=Silent())


def probed(name, right, loss, n_bytes=1):
    right = np.asarray(right, dtype=bool)
    record = Ranked(name, name, float(right.mean()), (0.0, 1.0), loss, 1.0, 1.0, 0, n_bytes, "none")
    return Probed(record, right)


def names(ordered):
    return [each.record.backbone for each in ordered]


def test_the_figures_are_those_of_an_exactly_held_out_ridge_layer(data, networks):
    table, parts = data
    found = {each.backbone: each for each in ranked(data).networks}
    pictures = [table.pictures[index] for index in parts.train]
    for spec, located in locate_all(TrainConfig()):
        plan = plan_features(TrainConfig.of({"views": "plain"}).features, spec, pictures, held_out_loss=None)
        features = extract(
            trunk_from_weights(spec, located, threads=1, progress=Silent()),
            table,
            pictures,
            preprocessing=plan.preprocessing,
            views=plan.views,
            threads=1,
            progress=Silent(),
        ).values[:, 0]
        labels = table.labels[parts.train]
        head, _ = fit_head(features, labels, kind="ridge", n_classes=3, units=units(pictures), seed=0)
        n_right = int((head.held_out_proba.argmax(axis=1) == labels).sum())
        record = found[spec.name]
        assert record.accuracy == n_right / len(labels)
        assert record.accuracy_interval == wilson_interval(n_right, len(labels))
        assert record.loss == pytest.approx(head.held_out_loss)
        assert record.n_bytes == located.path.stat().st_size
    assert found.keys() == {spec.name for spec in networks}


class Watched:
    """A source that remembers what was read."""

    def __init__(self, source):
        self.source, self.read_names = source, []

    def names(self):
        return self.source.names()

    def read(self, name):
        self.read_names.append(name)
        return self.source.read(name)


def test_every_network_looks_once_at_the_training_pictures_and_never_at_the_test_part(data):
    table, parts = data
    watched = Watched(table.source)
    found = ranked((dataclasses.replace(table, source=watched), parts))
    wanted = sorted(table.pictures[index].path for index in parts.train)
    assert sorted(watched.read_names) == sorted(2 * wanted)
    assert [each.n_computed for each in found.networks] == [len(wanted)] * 2
    assert [each.n_computed for each in ranked(data).networks] == [0, 0]


def test_what_is_not_at_hand_is_listed_with_how_to_get_it(data):
    (other,) = ranked(data).others
    assert (other.backbone, other.reason) == ("vgg16", "handful backbones --get vgg16")


def test_a_network_that_fails_is_listed_and_the_others_are_ranked(data, networks, monkeypatch):
    broken = dataclasses.replace(networks[0], name="toy-broken", build=catalog.find("vgg16").build)
    monkeypatch.setattr(catalog, "SPECS", (*networks, broken))
    found = ranked(data)
    assert {each.backbone for each in found.networks} == {"toy", "toy-shallow"}
    assert found.others[0].backbone == "toy-broken"
    assert found.others[0].reason.startswith("failed: the weights hold")


def test_where_nothing_is_at_hand_the_error_says_how_to_get_something(data, monkeypatch):
    monkeypatch.setattr(catalog, "SPECS", (catalog.find("vgg16"),))
    with pytest.raises(WeightsError, match="handful backbones --get"):
        locate_all(TrainConfig())
    with pytest.raises(WeightsError, match="there is no folder or file nowhere"):
        locate_all(TrainConfig.of({"weights": "nowhere"}))


def test_of_networks_that_cannot_be_told_apart_the_one_of_lower_loss_comes_first():
    level = np.repeat([True, False], [80, 20])
    large, small = probed("large", level, 0.50), probed("small", level, 0.51)
    assert names(order([small, large])) == ["large", "small"]
    same = dataclasses.replace(large.record, backbone="smaller", n_bytes=0)
    assert names(order([large, Probed(same, level)])) == ["smaller", "large"]


def test_a_network_that_another_beats_never_comes_before_it_whatever_its_loss():
    good, bad = np.repeat([True, False], [95, 5]), np.repeat([True, False], [80, 20])
    assert names(order([probed("sure", bad, 0.1), probed("right", good, 0.9)])) == ["right", "sure"]


def test_no_network_is_beaten_by_one_further_down():
    rng = np.random.default_rng(0)
    for _ in range(50):
        made = [probed(str(i), rng.random(60) < rng.uniform(0.5, 0.9), rng.random()) for i in range(5)]
        ordered = order(made)
        assert sorted(names(ordered)) == sorted(names(made))
        for place, each in enumerate(ordered):
            assert not any(ranking._beats(below, each) for below in ordered[place + 1 :])


def test_neighbours_say_whether_these_data_tell_them_apart():
    good, level = np.repeat([True, False], [95, 5]), np.repeat([False, True, False], [1, 94, 5])
    bad = np.repeat([False, True], [40, 60])
    first, second, third = ranking._compared(
        order([probed("a", good, 0.2), probed("b", level, 0.3), probed("c", bad, 0.9)])
    )
    assert (first.difference, first.is_worse) == (None, None)
    assert (second.is_worse, third.is_worse) == (False, True)
    assert UNDECIDED in second.sentence
    assert second.difference == pytest.approx(-0.01)
    assert "fewer right than with b, by more than chance" in third.sentence


def test_the_reason_names_who_is_beaten_and_who_is_level():
    good, level = np.repeat([True, False], [95, 5]), np.repeat([False, True, False], [1, 94, 5])
    bad = np.repeat([False, True], [40, 60])
    reason = ranking._reason(order([probed("a", good, 0.2), probed("b", level, 0.3), probed("c", bad, 0.9)]))
    assert "more than with c by more than chance" in reason
    assert f"{UNDECIDED} in accuracy from b (0.3000), whose loss is higher" in reason
    assert "the only network at hand" in ranking._reason([probed("a", good, 0.2)])


def test_many_pictures_are_thinned_with_every_class_kept(data, monkeypatch):
    monkeypatch.setattr(ranking, "MOST_RANKED", 12)
    found = ranked(data)
    assert (found.n_pictures, {each.n_computed for each in found.networks}) == (12, {12})


def test_training_takes_the_first_and_says_why(networks, photos, tmp_path):
    run = handful.train(photos, tmp_path / "run", backbone="best", head="ridge").run
    assert run.weights[0].backbone == run.ranking.best == run.options["backbone"].value
    assert run.options["backbone"].reason == run.ranking.reason
    assert "--backbone best" in run.command
    assert handful.load(tmp_path / "run").predict(photos / "circle").answers


def test_the_ranked_network_is_the_one_that_training_on_its_own_would_make(networks, photos, tmp_path):
    best = handful.train(photos, tmp_path / "best", backbone="best", head="ridge").run
    named = handful.train(photos, tmp_path / "named", backbone=best.ranking.best, head="ridge").run
    np.testing.assert_array_equal(best.test_proba, named.test_proba)
    assert named.ranking is None


def test_layers_of_the_first_network_can_be_trained(networks, photos, tmp_path):
    run = handful.train(photos, tmp_path / "run", backbone="best", head="C", epochs=1).run
    assert run.training
    assert run.weights[0].backbone == run.ranking.best


def test_rank_backbones_is_the_same_comparison(networks, photos):
    found = handful.rank_backbones(photos, seed=0)
    again = handful.rank_backbones(photos, backbone="best")
    assert found.best == again.best
    assert [each.loss for each in found.networks] == [each.loss for each in again.networks]


def test_best_is_refused_where_it_means_nothing(networks, photos, tmp_path):
    with pytest.raises(ConfigError, match="scratch starts from random weights"):
        check_ways(TrainConfig.of({"backbone": "best", "strategy": "scratch"}), ())
    with pytest.raises(ConfigError, match="handful backbones --rank"):
        handful.advise(photos, backbone="best")
    with pytest.raises(ConfigError, match="handful backbones --rank"):
        handful.run_study(photos, tmp_path / "study", vary=["lr=1e-3,1e-2"], backbone="best", head="C")
    with pytest.raises(ConfigError, match="all networks at hand are ranked"):
        handful.rank_backbones(photos, backbone="toy")


def test_a_class_of_one_picture_is_not_counted_against_a_network(data):
    table, parts = data
    of_first = parts.train[table.labels[parts.train] == 0]
    few = dataclasses.replace(parts, train=np.setdiff1d(parts.train, of_first[1:]))
    found = ranked((table, few))
    assert found.n_pictures == len(few.train) - 1
    n_right = found.networks[0].accuracy * found.n_pictures
    assert n_right == pytest.approx(round(n_right), abs=1e-9)


def test_networks_are_not_ranked_by_one_picture_of_a_class(data):
    table, parts = data
    first = [parts.train[table.labels[parts.train] == label][0] for label in range(3)]
    few = dataclasses.replace(parts, train=np.array(first))
    with pytest.raises(NothingHeldOutError, match=r"no class has two .* among the 3 .* name a network"):
        ranked((table, few))


def test_pictures_that_are_drawn_to_rank_by_may_hold_no_two_of_a_class(data, monkeypatch):
    monkeypatch.setattr(ranking, "MOST_RANKED", 3)
    with pytest.raises(NothingHeldOutError, match="among the 3 that were looked at"):
        ranked(data)
