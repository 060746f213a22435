"""From files and tensors to networks; what does not fit is refused with the reason."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from handful.backbones import catalog, find, from_state, load, locate, random_weights, state_of, untrained
from handful.backbones.spec import UserOrigin, WeightsFile
from handful.backbones.store import LocatedWeights
from handful.core.errors import WeightsError
from handful.core.files import sha256_file
from handful.testing.backbone import random_network, toy_network, toy_spec


def located(path, spec, *, file_format):
    sha256 = sha256_file(path)
    file = WeightsFile(path.name, sha256, path.stat().st_size, UserOrigin(), spec.groups, file_format)
    return LocatedWeights(path, file, sha256, "a test")


def flax_tree(network):
    tree = {}
    convolutions = [layer for layer in network.body.modules() if isinstance(layer, torch.nn.Conv2d)]
    for index, layer in enumerate(convolutions):
        kernel = layer.weight.detach().numpy().transpose(2, 3, 1, 0)
        tree[f"Conv_{index}"] = {"kernel": np.ascontiguousarray(kernel), "bias": layer.bias.detach().numpy()}
    return {"NetLinLayer_0": {"Conv_0": {"kernel": np.ones((1, 1, 4, 1), np.float32)}}, "AlexNet_0": tree}


def test_the_toy_is_found_located_and_loaded_like_any_network(toy):
    network = load(find("toy"), locate(find("toy")), with_classifier=True)
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(network(pixels), toy_network()(pixels), rtol=0, atol=0)
    assert network.features(pixels).shape == (2, 16)


def test_without_its_classifier_a_network_ends_below_it(toy):
    network = load(toy, locate(toy))
    assert [name for name, _ in network.groups()] == ["stem", "stage1", "head"]
    assert not any(isinstance(layer, torch.nn.Linear) for layer in network.body.modules())


@pytest.mark.parametrize("file_format", ["torch", "safetensors"])
def test_a_file_of_the_users_loads_in_either_format(tmp_path, file_format):
    path = tmp_path / "mine"
    state = toy_network(seed=3).body.state_dict()
    torch.save(state, path) if file_format == "torch" else save_file(state, path)
    network = load(toy_spec(), located(path, toy_spec(), file_format=file_format))
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(network.features(pixels), toy_network(seed=3).features(pixels), rtol=0, atol=0)


def test_flax_arrays_become_torchvisions_convolutions(tmp_path):
    whole = random_network(find("alexnet"))
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(pickle.dumps(flax_tree(whole), protocol=4))
    network = load(find("alexnet"), located(path, find("alexnet"), file_format="flax"))
    assert [name for name, _ in network.groups()] == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    pixels = torch.randn(2, 3, 63, 63)
    torch.testing.assert_close(network.features(pixels), whole.features(pixels), rtol=0, atol=0)
    assert sum(parameter.numel() for parameter in network.body.parameters()) == 2_469_696
    with pytest.raises(WeightsError, match=r"only conv1 to conv5.*--get alexnet --full"):
        load(find("alexnet"), located(path, find("alexnet"), file_format="flax"), with_classifier=True)


def test_flax_arrays_of_another_network_are_refused(tmp_path):
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(pickle.dumps({"AlexNet_0": {"Conv_0": [1]}}, protocol=4))
    with pytest.raises(WeightsError, match="does not hold the arrays of AlexNet"):
        load(find("alexnet"), located(path, find("alexnet"), file_format="flax"))


def test_a_byte_that_flips_after_the_file_was_found_is_noticed(toy):
    found = locate(toy)
    data = bytearray(found.path.read_bytes())
    data[-1] ^= 1
    found.path.write_bytes(data)
    with pytest.raises(WeightsError, match="changed after it was found"):
        load(toy, found)


def test_a_truncated_safetensors_file_of_the_users_is_refused(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file(toy_network().body.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load(toy_spec(), located(path, toy_spec(), file_format="safetensors"))


def test_what_features_need_is_what_is_saved():
    network = toy_network()
    state = state_of(network)
    assert {name.split(".")[0] for name in state} == {"stem", "stage1", "head"}
    assert {name.split(".")[0] for name in state_of(network, network.spec.taps[1])} == {"stem", "stage1"}
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(
        from_state(network.spec, state).features(pixels), network.features(pixels), rtol=0, atol=0
    )


def test_counters_of_batches_need_not_be_in_the_weights():
    state = {name: value for name, value in state_of(toy_network()).items() if "num_batches" not in name}
    network = from_state(toy_spec(), state)
    assert not any(tensor.is_meta for tensor in network.body.state_dict().values())


@pytest.mark.parametrize("spec", [*catalog.SPECS, toy_spec()], ids=lambda spec: spec.name)
def test_a_network_without_weights_reaches_up_to_its_default_tap_and_is_all_zeros(spec):
    network = untrained(spec)
    assert [name for name, _ in network.groups()][-1] == spec.default_tap.group
    tensors = state_of(network)
    assert not any(tensor.is_meta or tensor.any() for tensor in tensors.values())


def test_random_weights_need_no_file_and_say_what_they_are():
    weights = random_weights(find("alexnet-grouped"), seed=3)
    assert weights.origin == "none: drawn at random (seed 3)"
    with pytest.raises(WeightsError, match="none"):
        load(find("alexnet-grouped"), weights)


def broken(change):
    state = state_of(toy_network())
    change(state)
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("stage1.0.weight"), r"lack 1 of its tensors, among them 'stage1\.0\.weight'"),
        (lambda state: state.clear(), "lack .* of its tensors"),
        (lambda state: state.update(extra=torch.zeros(1)), "hold 'extra', which Toy does not have"),
        (lambda state: state.update({"head.0.weight": torch.zeros(16, 12, 3, 3)}), "has shape"),
        (lambda state: state["head.0.weight"].fill_(torch.nan), "not finite numbers"),
        (lambda state: state.update({"head.0.weight": torch.zeros(16, 12, 1, 1, dtype=torch.int64)}), "right kind"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change, message):
    with pytest.raises(WeightsError, match=message):
        from_state(toy_spec(), broken(change))
