import sys

import pytest

from handful.core.config import FinetuneConfig
from handful.core.errors import ConfigError, MissingExtraError
from handful.finetune import cautions, check_extras, check_recipe, count_frozen, groups_below, resolve
from handful.finetune.recipe import layer_factors
from handful.testing.backbone import toy_spec

ALEXNET = ("conv1", "conv2", "conv3", "conv4", "conv5")


def check(config=None, *, head="75-C", freeze=2, groups=ALEXNET, n_classes=5):
    check_recipe(config or FinetuneConfig(), head=head, freeze=freeze, groups=groups, n_classes=n_classes)


def test_groups_below_a_tap_leave_the_classifier_out():
    spec = toy_spec()
    assert groups_below(spec.default_tap, spec.groups) == ("stem", "stage1", "head")
    assert groups_below(spec.taps[1], spec.groups) == ("stem", "stage1")


@pytest.mark.parametrize(("freeze", "k"), [("", 0), ("0", 0), (0, 0), ("3", 3), (5, 5), ("conv1", 1), (" conv5 ", 5)])
def test_frozen_groups_are_counted_or_named(freeze, k):
    assert count_frozen(freeze, ALEXNET) == k


def test_an_unknown_group_shows_the_nearest():
    with pytest.raises(ConfigError, match=r"'conv6'.*Did you mean 'conv\d'.*conv1, conv2, conv3"):
        count_frozen("conv6", ALEXNET)


@pytest.mark.parametrize("freeze", [6, "6", -1, "-1"])
def test_more_frozen_groups_than_there_are_is_refused(freeze):
    with pytest.raises(ConfigError, match="this network has 5 layer groups"):
        count_frozen(freeze, ALEXNET)


def test_factors_are_one_unless_given_and_the_exact_name_wins():
    factors = layer_factors("head=10,head.0=2,conv5=0.5", option="weight_factor", groups=ALEXNET, n_new=3)
    assert factors["conv5"] == 0.5
    assert [factors[f"head.{index}"] for index in range(3)] == [2.0, 10.0, 10.0]
    assert all(factors[name] == 1.0 for name in ALEXNET[:4])


def test_a_networks_own_group_called_head_is_told_from_the_new_layers():
    groups = ("stem", "head")
    factors = layer_factors("head=10,body.head=3", option="weight_factor", groups=groups, n_new=1)
    assert factors == {"stem": 1.0, "body.head": 3.0, "head.0": 10.0}


@pytest.mark.parametrize(("name", "near"), [("conv6", "conv"), ("hed", "head"), ("head.3", "head")])
def test_a_factor_for_a_layer_that_does_not_exist_shows_the_nearest(name, near):
    with pytest.raises(ConfigError, match=rf"bias_factor names the layer '{name}'.*Did you mean '{near}"):
        layer_factors(f"{name}=2", option="bias_factor", groups=ALEXNET, n_new=2)


def test_every_fault_is_listed_at_once():
    wrong = FinetuneConfig(weight_factor="conv9=2", bias_factor="hed=2", momentum=1.0)
    with pytest.raises(ConfigError) as caught:
        check(wrong, head="75-4", freeze=9)
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    for line, start in zip(lines, ("freeze", "head", "weight_factor", "bias_factor", "momentum"), strict=True):
        assert line.startswith(start)


def test_a_sound_recipe_passes():
    check()
    check(head="ridge", freeze="conv5")


@pytest.mark.parametrize(("form", "momentum"), [("paper", 0.0), ("common", 1.0)])
def test_momentum_that_cannot_work_in_its_form_is_refused(form, momentum):
    with pytest.raises(ConfigError, match=f"momentum is {momentum:g} in the {form}|momentum is 0 in the paper's form"):
        check(FinetuneConfig(momentum=momentum, momentum_form=form))
    check(FinetuneConfig(momentum=1.0 - momentum, momentum_form=form))


def test_rate_and_decay_are_filled_in_by_the_optimiser():
    config, options = resolve(FinetuneConfig(optimizer="sgd"))
    assert (config.lr, config.l2) == (1e-3, 5e-4)
    assert "customary for sgd" in options["lr"].reason
    config, options = resolve(FinetuneConfig(lr=0.5, l2=0.0))
    assert (config.lr, config.l2) == (0.5, 0.0)
    assert options["l2"].reason == "chosen by the user"


@pytest.mark.parametrize("rate", [1e-7, 2.0])
def test_an_unusual_rate_is_a_caution_and_no_error(rate):
    assert f"lr is {rate:g}, outside the usual" in cautions(FinetuneConfig(lr=rate))[0]
    assert cautions(FinetuneConfig(lr=1e-3)) == cautions(FinetuneConfig()) == ()


@pytest.mark.parametrize(
    ("options", "library", "extra"),
    [
        ({"augmentation": "randaugment"}, "kornia", "augment"),
        ({"augmentation": "trivialaugment"}, "kornia", "augment"),
        ({"tensorboard": True}, "tensorboardX", "tensorboard"),
    ],
)
def test_a_library_that_is_missing_is_noticed_before_work_starts(monkeypatch, options, library, extra):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"handful\[{extra}\]"):
        check_extras(FinetuneConfig(**options))
    check_extras(FinetuneConfig())
