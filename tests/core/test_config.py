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


@pytest.mark.parametrize("head", ["5", "C", "75-5", "500d0.5-75-C", "ridge"])
def test_a_head_is_a_word_or_a_stack_of_layers(head):
    assert TrainConfig.of({"head": head}).heads.head == head


@pytest.mark.parametrize("head", ["0", "75--5", "C-5", "75d1-5", "75d2-5", "5d0.5", "75.5-5", "-5", "900000-5", ""])
def test_a_head_that_is_neither_is_refused(head):
    with pytest.raises(ConfigError, match=r"head is .*[eE]xpected"):
        TrainConfig.of({"head": head})


def test_faults_in_notations_are_listed_with_the_others():
    wrong = {"weight_factor": "head:10", "bias_factor": "head=-1", "time": "5", "lr": 0.0, "head": "75-x", "seed": -1}
    with pytest.raises(ConfigError) as caught:
        TrainConfig.of(wrong)
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == list(wrong)


@pytest.mark.parametrize("rate", [0.0, -0.1, math.nan, math.inf])
def test_a_learning_rate_that_cannot_work_is_refused(rate):
    with pytest.raises(ConfigError, match=r"lr is .*expected a number from 1e-12 to 1000"):
        TrainConfig.of({"lr": rate})


def test_a_learning_rate_outside_the_usual_range_is_taken():
    assert TrainConfig.of({"lr": 2.0}).finetune.lr == 2.0


def test_options_of_transfer_and_training_reach_their_rooms():
    config = TrainConfig.of({"strategy": "freeze", "freeze": "conv3", "optimizer": "sgd", "stop_at": 0.995})
    assert (config.transfer.strategy, config.transfer.freeze) == ("freeze", "conv3")
    assert (config.finetune.optimizer, config.finetune.stop_at) == ("sgd", 0.995)
