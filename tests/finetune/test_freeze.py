import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from handful.backbones import find
from handful.backbones.pooling import replace_pooling
from handful.core.errors import ConfigError
from handful.finetune import parse_head
from handful.finetune.freeze import draw_weights, split_network
from handful.finetune.stack import build_head
from handful.testing.backbone import check_backbone, random_network

PIXELS = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def cut_and_model(network, frozen, *, own_statistics=False, **options):
    cut = split_network(network, frozen, **options)
    head = build_head(parse_head("C", 3), cut.tap.n_features, nonlinearity="rectifier", init_scale=1.0, seed=0)
    return cut, cut.with_head(head, own_statistics=own_statistics)


@pytest.mark.parametrize("frozen", [0, 1, 2, 3, "stage1"])
def test_lower_and_upper_groups_together_are_the_network(network, frozen):
    cut, model = cut_and_model(network, frozen)
    with torch.no_grad():
        features = model.eval().features(cut.lower(PIXELS))
        torch.testing.assert_close(features, network.features(PIXELS), rtol=1e-4, atol=1e-5)
    assert len(cut.upper) == {"stage1": 1}.get(frozen, 3 - frozen if isinstance(frozen, int) else 0)


@pytest.mark.parametrize("tap", [1, 2])
def test_a_tap_decides_where_the_network_ends_and_how_it_is_pooled(network, tap):
    tap = network.spec.taps[tap]
    cut, model = cut_and_model(network, 1, tap=tap)
    with torch.no_grad():
        features = model.eval().features(cut.lower(PIXELS))
        torch.testing.assert_close(features, network.features(PIXELS, tap), rtol=1e-4, atol=1e-5)


def test_with_every_group_frozen_the_cut_lies_behind_the_pooling(network):
    assert split_network(network, 3).lower(PIXELS).shape == (4, 16)


def test_a_k_larger_than_n_and_an_unknown_name_are_refused(network):
    with pytest.raises(ConfigError, match="this network has 3 layer groups"):
        split_network(network, 4)
    with pytest.raises(ConfigError, match="Did you mean 'stage1'"):
        split_network(network, "stage2")


def test_frozen_layers_stay_in_evaluation_mode_and_without_gradients(network):
    cut, model = cut_and_model(network, 2)
    around = nn.ModuleList([cut.lower, model]).train()
    assert not any(module.training for module in cut.lower.modules())
    assert all(module.training for module in model.modules() if not isinstance(module, nn.BatchNorm2d))
    assert not any(parameter.requires_grad for parameter in cut.lower.parameters())
    assert around.training


@pytest.mark.parametrize("frozen", [0, 1, 2])
@pytest.mark.parametrize("own_statistics", [False, True])
def test_statistics_change_only_in_trained_layers_that_learn_their_own(network, frozen, own_statistics):
    network.body.train()
    cut, model = cut_and_model(network, frozen, own_statistics=own_statistics)
    before = {name: tensor.clone() for name, tensor in cut.network.body.state_dict().items() if "running" in name}
    alone = cut.lower(PIXELS[:1])
    nn.ModuleList([cut.lower, model]).train()
    for _ in range(3):
        model(cut.lower(PIXELS)).sum().backward()
    after = cut.network.body.state_dict()
    names = [name for name, _ in cut.network.groups()]
    trained = set(names[frozen:3]) if own_statistics else set()
    changed = {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed == trained
    torch.testing.assert_close(cut.lower(PIXELS)[:1], alone, rtol=1e-4, atol=1e-5)


def test_with_stored_statistics_a_picture_does_not_depend_on_its_mini_batch_and_the_scales_learn(network):
    _, model = cut_and_model(network, 0)
    values = model.train()(PIXELS)
    torch.testing.assert_close(values[:1], model(PIXELS[:1]), rtol=1e-4, atol=1e-5)
    values.sum().backward()
    for layer in model.groups.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert float(layer.weight.grad.abs().max()) > 0.0
            assert float(layer.bias.grad.abs().max()) > 0.0
    _, of_its_own = cut_and_model(network, 0, own_statistics=True)
    values = of_its_own.train()(PIXELS)
    assert not torch.allclose(values[:1], of_its_own(PIXELS[:1]), rtol=1e-2, atol=1e-3)


def test_training_reaches_the_cuts_network_and_never_the_one_that_was_given(network):
    given = copy.deepcopy(network.body.state_dict())
    cut, model = cut_and_model(network, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
        trained = model.eval().features(cut.lower(PIXELS))
        torch.testing.assert_close(cut.network.features(PIXELS), trained, rtol=1e-4, atol=1e-4)
    for name, tensor in network.body.state_dict().items():
        assert torch.equal(tensor, given[name])
    assert not torch.equal(cut.network.body.state_dict()["stage1.0.weight"], given["stage1.0.weight"])
    assert torch.equal(cut.network.body.state_dict()["stem.0.weight"], given["stem.0.weight"])


def test_layers_have_the_names_of_their_factors(network):
    _, model = cut_and_model(network, 1)
    assert list(model.layers()) == ["stage1", "body.head", "head.0"]


def test_random_weights_have_the_stated_spread_and_fresh_statistics(network):
    cut, _ = cut_and_model(network, 0)
    draw_weights(cut.upper, init_scale=0.5, seed=1)
    stage = dict(cut.upper)["stage1"]
    assert float(stage[0].weight.detach().std()) == pytest.approx(0.5 * math.sqrt(2 / 72), rel=0.1)  # 864 draws
    assert torch.equal(stage[1].running_mean, torch.zeros(12))
    assert torch.equal(stage[1].running_var, torch.ones(12))
    assert torch.equal(stage[1].weight, torch.ones(12))


def test_fresh_statistics_are_those_of_the_pictures_after_a_few_dozen_mini_batches(network):
    for _, group in network.groups():
        for layer in group.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.01  # as EfficientNet has it
    cut, model = cut_and_model(network, 0, own_statistics=True)
    draw_weights(cut.upper, init_scale=1.0, seed=1)
    with torch.no_grad():
        for _ in range(44):  # 0.9 ** 44 is a hundredth
            model.train()(PIXELS)
        first, normalisation = dict(cut.upper)["stem"][:2]
        expected = first(PIXELS).mean(dim=(0, 2, 3))
    torch.testing.assert_close(normalisation.running_mean, expected, rtol=0.02, atol=0.0)


def test_the_seed_decides_the_random_weights(network):
    def drawn(seed):
        cut, _ = cut_and_model(network, 0)
        draw_weights(cut.upper, init_scale=1.0, seed=seed)
        return cut.network.body.state_dict()["stem.0.weight"].clone()

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    assert not torch.equal(drawn(1), network.body.state_dict()["stem.0.weight"])


def test_l2_pooling_is_the_root_of_the_sum_of_squares_even_where_groups_are_made_anew():
    network = random_network(find("alexnet-grouped"))
    cut = split_network(network, 2, pool="l2")
    pixels = torch.randn(2, 3, 127, 127, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = dict(network.groups())["conv1"]
        below = nn.Sequential(*list(first)[:-1])(pixels)
        windows = below.unfold(2, 3, 2).unfold(3, 3, 2)
        expected = windows.square().sum(dim=(-1, -2)).sqrt()
        torch.testing.assert_close(dict(cut.network.groups())["conv1"](pixels), expected, rtol=1e-4, atol=1e-4)
        assert cut.lower(pixels).shape == nn.Sequential(*[g for _, g in network.groups()[:2]])(pixels).shape
        features = cut.network.features(pixels)
        through = Through(cut)(pixels)
    torch.testing.assert_close(through, features, rtol=1e-3, atol=1e-3 * float(features.abs().max()))


class Through:
    """All groups and the pooling of a cut network, without new layers."""

    def __init__(self, cut):
        self.cut = cut

    def __call__(self, pixels):
        values = self.cut.lower(pixels)
        for _, group in self.cut.upper:
            values = group(values)
        return values.flatten(1)


def test_l2_pooling_of_nothing_has_a_gradient_of_zero():
    group = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2))
    assert replace_pooling(group) == 1
    nothing = torch.zeros(1, 1, 5, 5, requires_grad=True)
    group(nothing).sum().backward()
    np.testing.assert_array_equal(nothing.grad.numpy(), 0.0)


def test_a_network_without_max_pooling_has_none_to_replace(network):
    with pytest.raises(ConfigError, match="Toy has no max pooling"):
        split_network(network, 0, pool="l2")


def test_the_cut_network_is_still_a_network(network):
    check_backbone(split_network(network, 1).network)
