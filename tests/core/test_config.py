import math

import pytest

from handful.core.config import TrainConfig, option_fields
from handful.core.errors import ConfigError


def test_options_reach_their_room():
    config = TrainConfig.of({"seed": 3, "backbone": "vgg16", "classes": ["a", "b"]})
    assert (config.run.seed, config.features.backbone, config.reading.classes) == (3, "vgg16", ("a", "b"))


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match=r"no option 'bakbone'\. Did you mean 'backbone'\?"):
        TrainConfig.of({"bakbone": "vgg16"})


def test_every_fault_is_listed_at_once():
    with pytest.raises(ConfigError) as caught:
        TrainConfig.of({"seed": -1, "head": "rigde", "test": 9.0, "nonsense": 1})
    assert len(str(caught.value).splitlines()) == 4
    assert "Did you mean 'ridge'?" in str(caught.value)


NUMBERS = [
    (name, declared)
    for name, (_, declared) in option_fields().items()
    if str(declared.type).split(" ")[0] in ("int", "float")
]


@pytest.mark.parametrize(("name", "declared"), NUMBERS, ids=[name for name, _ in NUMBERS])
def test_numbers_outside_their_range_are_refused(name, declared):
    allowed = declared.metadata["option"]
    outside = [bound for bound in (allowed.low - 1, allowed.high + 1) if math.isfinite(bound)]
    assert outside, "every number has a range"
    for value in outside:
        kind = int if str(declared.type).startswith("int") else float
        with pytest.raises(ConfigError, match=f"{name} is .*expected a number from"):
            TrainConfig.of({name: kind(value)})


@pytest.mark.parametrize("value", [float("nan"), "0.2", None, True])
def test_a_value_of_the_wrong_kind_is_refused(value):
    with pytest.raises(ConfigError, match="test is "):
        TrainConfig.of({"test": value})


def test_defaults_pass_their_own_checks():
    flat = {name: value for room in TrainConfig().to_dict().values() for name, value in room.items()}
    assert TrainConfig.of(flat) == TrainConfig()


def test_every_option_has_a_help_text():
    assert all(declared.metadata["option"].help for _, declared in option_fields().values())
