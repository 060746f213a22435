"""The best setting is chosen by validation, among those of the paper's network."""

from __future__ import annotations

from handful.core.progress import Silent
from handful.reproduce.best import choose_best, measure_on_test
from handful.reproduce.experiments import DEFAULT
from handful.reproduce.pictures import draw_parts, read_pictures
from tests.reproduce.made import Truth, setting

BASE = {**DEFAULT, "backbone": "alexnet", "strategy": "features"}


def test_the_highest_validation_accuracy_wins():
    tried = [setting(BASE, Truth(0.8, 0.9)), setting({**BASE, "lr": 1e-3}, Truth(0.85, 0.9))]
    assert choose_best(tried, backbone="alexnet") is tried[1]


def test_fewer_pictures_another_network_and_random_weights_are_no_candidates():
    tried = [
        setting(BASE, Truth(0.7, 0.9)),
        setting({**BASE, "images": 100}, Truth(0.9, 0.9)),
        setting({**BASE, "backbone": "efficientnet-lite0"}, Truth(0.9, 0.9)),
        setting({**BASE, "strategy": "scratch"}, Truth(0.9, 0.9)),
        setting({**BASE, "lr": 0.1}, Truth(0.0, 0.0, fails=True)),
    ]
    assert choose_best(tried, backbone="alexnet") is tried[0]
    assert choose_best(tried[4:], backbone="alexnet") is None


def test_the_test_part_is_answered_by_a_training_on_all_learning_pictures(shapes, toy):
    table = read_pictures(shapes, (), threads=1, progress=Silent())
    split = draw_parts(table)
    options = {**DEFAULT, "backbone": "toy", "strategy": "features", "batch": 8, "epochs": 2}
    found = measure_on_test(table, split, options, threads=1, progress=Silent())
    assert found.n_test == len(split.test)
    again = measure_on_test(table, split, options, threads=1, progress=Silent())
    assert (found.accuracy, found.log_loss) == (again.accuracy, again.log_loss)
