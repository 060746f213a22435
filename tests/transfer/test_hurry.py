"""What a first probe leaves out where the time is short, by hand."""

from types import SimpleNamespace

import pytest

from handful.backbones import find
from handful.core.config import TrainConfig
from handful.transfer.hurry import AFTERWARDS, FirstProbe, scaled

SPEC = find("efficientnet-lite0")
SMALL = [SimpleNamespace(width=64, height=80)] * 100
FACTS = {"n_test": 50, "n_known": 0, "can_try": True, "seconds_each": 1.0}

WAYS = [
    ({}, 2 * 150 + 100 + 40),
    ({"interpolation": SPEC.interpolation}, 2 * 150 + 40),
    ({"views": "plain"}, 150 + 40),
    ({"head": "ridge"}, 150),
    ({"size": 160}, 150 * (160 / 224) ** 1.5),
    ({"size": 128}, 150 * (128 / 224) ** 1.5),
    ({"size": 96}, 150 * (96 / 224) ** 1.5),
]
"""What is left out besides, and the seconds that are then needed: views of pictures, trials, output layers."""


def together(n_steps):
    return {name: value for options, _ in WAYS[: n_steps + 1] for name, value in options.items()}


@pytest.mark.parametrize("n_steps", range(len(WAYS)))
def test_as_little_is_left_out_as_the_time_asks_for(n_steps):
    config, needed = TrainConfig.of({}), WAYS[n_steps][1]
    options = together(n_steps)
    assert FirstProbe(config, SPEC, SMALL, **FACTS).seconds(options) == pytest.approx(needed)
    assert FirstProbe(config, SPEC, SMALL, **FACTS).options(needed + AFTERWARDS + 1e-6) == options
    lighter = FirstProbe(config, SPEC, SMALL, **FACTS).options(needed + AFTERWARDS - 1e-6)
    assert lighter == together(min(n_steps + 1, len(WAYS) - 1))


def test_pictures_that_need_no_trial_cost_none():
    large = [SimpleNamespace(width=300, height=300)] * 100
    assert FirstProbe(TrainConfig.of({}), SPEC, large, **FACTS).seconds({}) == pytest.approx(2 * 150 + 40)


def test_pictures_of_which_none_can_be_held_out_cost_no_trial():
    facts = {**FACTS, "can_try": False}
    assert FirstProbe(TrainConfig.of({}), SPEC, SMALL, **facts).seconds({}) == pytest.approx(2 * 150 + 40)


def test_features_that_are_known_take_no_time_at_the_size_that_they_have():
    facts = {**FACTS, "n_known": 100}
    assert FirstProbe(TrainConfig.of({}), SPEC, SMALL, **facts).seconds({}) == pytest.approx(2 * 50 + 40)
    smaller = together(len(WAYS) - 1)
    assert FirstProbe(TrainConfig.of({}), SPEC, SMALL, **facts).seconds(smaller) == pytest.approx(WAYS[-1][1])
    assert FirstProbe(TrainConfig.of({}), SPEC, SMALL, **facts).options(AFTERWARDS + 60) == {
        "views": "plain",
        "head": "ridge",
    }


def test_what_saves_nothing_is_not_left_out():
    many = [SimpleNamespace(width=300, height=300)] * 5000  # no trial of resizing, and one view
    options = FirstProbe(TrainConfig.of({}), SPEC, many, **FACTS).options(0.0)
    assert options == {"head": "ridge", "size": 96}


def test_what_the_user_gave_stays():
    config = TrainConfig.of({"views": "crops", "size": 224, "head": "logistic"})
    assert FirstProbe(config, SPEC, SMALL, **FACTS).options(0.0) == {"interpolation": SPEC.interpolation}
    assert FirstProbe(config, SPEC, SMALL, **FACTS).seconds({}) == pytest.approx(6 * 150 + 100 + 40)


def test_a_square_of_half_the_side_takes_more_than_a_quarter_of_the_time():
    assert 0.25 < scaled(112, of=224) == pytest.approx(0.5**1.5)
