"""The notation of `--vary`."""

from __future__ import annotations

import pytest

from handful.core.choices import NOT_STUDIED
from handful.core.errors import ConfigError
from handful.core.study import Axis
from handful.study.axes import read_axes, read_axis, show_value, varied_fields, written


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lr=1e-5..1e-1:log5", (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
        ("--weight-factor=head=1,head=10", ("head=1", "head=10")),
        ('bias_factor="head=1,conv5=2",head=3', ("head=1,conv5=2", "head=3")),
        ("momentum = 0.5..0.9:lin3", (0.5, 0.7, 0.9)),
        ("batch=8..128:log5", (8, 16, 32, 64, 128)),
        ("epochs=1..3:lin9", (1, 2, 3)),
        ("l2=0,1e-4,5e-4", (0.0, 1e-4, 5e-4)),
        ("stop_at=none,0.995", (None, 0.995)),
        ("decay-biases=no,yes", (False, True)),
        ("head=C,75-C,500d0.5-75-C", ("C", "75-C", "500d0.5-75-C")),
        ("images=100,250", (100, 250)),
    ],
)
def test_lists_and_ranges_are_read(text, values):
    axis = read_axis(text)
    assert axis.values == pytest.approx(values) if isinstance(values[0], float) else axis.values == values
    assert (axis.low, axis.high) == (None, None)
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("lr=1e-5..1e-1:log", Axis("lr", low=1e-5, high=1e-1, log=True)),
        ("momentum=0..0.9", Axis("momentum", low=0.0, high=0.9)),
        ("batch=8..64", Axis("batch", low=8, high=64)),
    ],
)
def test_open_ranges_are_for_searches(text, axis):
    assert read_axis(text) == axis
    assert read_axes([text], searched=True) == (axis,)
    with pytest.raises(ConfigError, match=rf"can only be searched. Write {axis.option}=.*:(log|lin)5"):
        read_axes([text], searched=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr", r"vary is 'lr'; expected an option and its values"),
        ("lr=", r"expected an option and its values"),
        ("rl=1,2", r"vary names 'rl', which a study cannot vary. .*lr"),
        ("patience=1,2", r"vary names 'patience', which a study cannot vary"),
        ("seed=1,2", r"vary names 'seed'"),
        ("lr=1e-1..1e-5:log5", r"expected a lower end below the upper one"),
        ("l2=0..1:log5", r"above 0 where distances are by the logarithm"),
        ("lr=1e-3..1e-1:log1", r"expected at least 2 values"),
        ("lr=0.1,high", r"'high' is no float"),
        ("batch=8,1.5", r"'1.5' is no int"),
        ("decay_biases=no,perhaps", r"'perhaps' is neither yes nor no"),
        ("head=1..3:lin3", r"head is no number"),
        ("lr=0.1,0.1", r"a value stands there twice"),
        ("lr=0,0.1", r"lr is 0.0; expected a number from 1e-12"),
        ("lr=nan,0.1", r"lr is nan"),
        ("optimizer=sgd,adam", r"optimizer is 'adam'; expected one of sgd, adamw. Did you mean 'adamw'"),
    ],
)
def test_what_cannot_be_varied_is_said(text, message):
    with pytest.raises(ConfigError, match=message):
        read_axis(text)


def test_all_faults_are_said_at_once():
    with pytest.raises(ConfigError, match=r"'rl'.*\n.*epochs is 0.*\n.*'lr' twice") as caught:
        read_axes(["rl=1,2", "epochs=0,1", "lr=1,2", "lr=3,4"], searched=False)
    assert len(str(caught.value).splitlines()) == 3


def test_every_option_of_training_can_be_varied_but_those_that_stop_it():
    names = set(varied_fields())
    assert names & NOT_STUDIED == set()
    asked = {"lr", "schedule", "batch", "epochs", "momentum", "l2", "l1", "weight_factor", "bias_factor", "head"}
    asked |= {"nonlinearity", "init_scale", "images", "freeze", "augmentation", "size", "backbone", "strategy"}
    assert asked <= names


def test_options_are_written_briefly():
    assert (
        written({"lr": 0.0001, "batch": 32, "stop_at": None, "head": "C"})
        == "lr 0.0001, batch 32, stop_at none, head C"
    )
    assert [show_value(value) for value in (1e-5, 0.1, 12345.678, True)] == ["0.00001", "0.1", "12350", "True"]
