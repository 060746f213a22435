"""The architectures, against their published counts and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.backbones import find, for_inference, from_state, keep_memory
from handful.backbones.alexnet import GroupedAlexNet
from handful.backbones.catalog import SPECS
from handful.backbones.efficientnet_lite import SameConv2d, scaled_width
from handful.core.errors import ConfigError
from handful.testing.backbone import check_backbone, random_network, toy_network

every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("alexnet", 61_100_840),
        ("alexnet-grouped", 60_965_224),
        ("vgg16", 138_357_544),
        ("lite0", 4_652_008),
        ("lite1", 5_416_680),
        ("lite2", 6_092_072),
    ],
)
def test_networks_have_as_many_parameters_as_published(name, n_parameters):
    with torch.device("meta"):
        body = find(name).build()
    assert sum(parameter.numel() for parameter in body.parameters()) == n_parameters
    assert find(name).n_parameters == n_parameters


@every_spec
def test_every_network_keeps_the_contract(spec):
    check_backbone(random_network(spec), size=max(spec.min_size, 33))


def test_the_toy_keeps_the_contract():
    check_backbone(toy_network())


@every_spec
def test_features_have_their_size_at_the_published_input_size(spec):
    """Shapes alone, on tensors without memory."""
    with torch.device("meta"):
        body = spec.build().eval()
        values = torch.zeros(1, 3, spec.input_size, spec.input_size)
    sizes = {}
    for name, group in body.groups().items():
        values = group(values)
        sizes[name] = values.shape
    for tap in spec.taps:
        shape = sizes[tap.group]
        beside = sum(sizes[group][1] for group in tap.beside)
        assert tap.n_features == beside + (shape[1:].numel() if tap.pooling == "flatten" else shape[1])


def test_alexnet_sees_55_places_after_its_first_layer_as_in_the_paper():
    with torch.device("meta"):
        for spec in (find("alexnet"), find("alexnet-grouped")):
            first = next(spec.build().children())
            first = first[0] if isinstance(first, torch.nn.Sequential) else first
            assert first(torch.zeros(1, 3, spec.input_size, spec.input_size)).shape[2:] == (55, 55)


def test_response_normalisation_is_the_papers_with_caffes_constants():
    """Krizhevsky et al. 2012, section 3.3; Caffe divides alpha by the 5 channels and takes k = 1."""
    with torch.device("meta"):
        normalisation = GroupedAlexNet().groups()["conv1"][2]
    values = np.random.default_rng(0).normal(scale=50, size=(2, 9, 3, 3))
    expected = np.empty_like(values)
    for channel in range(9):
        near = values[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = values[:, channel] / (1 + 1e-4 / 5 * (near**2).sum(axis=1)) ** 0.75
    np.testing.assert_allclose(normalisation(torch.from_numpy(values)).numpy(), expected, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 23), kernel=st.sampled_from([1, 3, 5]), stride=st.sampled_from([1, 2]))
def test_same_padding_is_tensorflows(size, kernel, stride):
    """Output i sums the inputs from i * stride - pad_before on; ceil(size / stride) of them."""
    layer = SameConv2d(1, 1, kernel=kernel, stride=stride)
    torch.nn.init.ones_(layer.weight)
    line = torch.arange(1.0, size + 1)
    n_outputs = -(-size // stride)
    before = max((n_outputs - 1) * stride + kernel - size, 0) // 2
    starts = [index * stride - before for index in range(n_outputs)]
    sums = torch.tensor([line[max(0, start) : max(0, start + kernel)].sum() for start in starts])
    found = layer(torch.outer(line, line)[None, None])[0, 0]
    torch.testing.assert_close(found, torch.outer(sums, sums))


@pytest.mark.parametrize(("width", "scaled"), [(16, 16), (24, 24), (40, 48), (80, 88), (112, 120), (192, 208)])
def test_widths_are_rounded_as_published(width, scaled):
    assert scaled_width(width, 1.1) == scaled
    assert scaled_width(width, 1.0) == width


def test_dropout_is_off_in_a_loaded_network_and_follows_the_mode():
    network = random_network(find("alexnet-grouped"))
    pixels = torch.randn(1, 3, 67, 67)
    with torch.inference_mode():
        torch.testing.assert_close(network(pixels), network(pixels), rtol=0, atol=0)
        network.body.train()
        assert not torch.equal(network(pixels), network(pixels))


def test_a_tap_above_the_weights_is_an_error_that_names_the_others():
    network = toy_network()
    convolutions = {name: tensor for name, tensor in network.body.state_dict().items() if name[:4] in ("stem", "stag")}
    short = from_state(network.spec, convolutions)
    with pytest.raises(ConfigError, match=r"reach up to 'stage1'\. Use one of: stage1"):
        short.features(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ConfigError, match="classifier of toy is not loaded"):
        short(torch.zeros(1, 3, 32, 32))


def test_folding_leaves_the_network_itself_alone():
    network = toy_network()
    before = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
    for_inference(network)
    after = network.body.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.requires_grad for parameter in network.body.parameters())


def test_gradients_reach_every_layer_so_that_a_network_can_be_fine_tuned():
    network = toy_network()
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.body.parameters())


def test_keeping_memory_can_be_asked_for_anywhere():
    assert keep_memory() in (True, False)
