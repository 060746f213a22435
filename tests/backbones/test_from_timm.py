"""timm's own networks, with random weights; timm has tiny ones for tests."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch

from handful.backbones import find, from_state, load, locate, state_of
from handful.core.errors import ConfigError, WeightsError
from handful.testing.backbone import check_backbone
from tests.backbones.adapters import library

timm = library("timm")


def published(name, path, **options):
    """Writes a network's weights, as timm publishes them, and returns it."""
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, **options).eval()
    safetensors.torch.save_file(network.state_dict(), path)
    return network


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("test_vit", {"stem", "stage1", "head"}),
        ("test_convnext", {"stem", "stage1", "head"}),
        ("test_resnet", {"stage1", "stage5"}),
        ("test_efficientnet", {"stem", "stage1", "head"}),
    ],
)
def test_features_are_timms_own_before_its_classifier_and_the_contract_is_kept(tmp_path, name, groups):
    path = tmp_path / "weights.safetensors"
    network = published(name, path)
    spec = find(f"timm:{name}")
    assert groups <= set(spec.groups)
    assert spec.default_tap.n_features == network.num_features
    ours = load(spec, locate(spec, folder=path))
    pixels = torch.randn(2, 3, spec.input_size, spec.input_size)
    with torch.inference_mode():
        wanted = network.forward_head(network.forward_features(pixels), pre_logits=True)
        torch.testing.assert_close(ours.features(pixels), wanted, rtol=1e-5, atol=1e-5)
    check_backbone(ours)
    again = from_state(spec, state_of(ours))
    torch.testing.assert_close(again.features(pixels), ours.features(pixels), rtol=0, atol=0)


def test_a_file_with_another_classifier_than_timms_is_taken(tmp_path):
    path = tmp_path / "mine.safetensors"
    published("test_vit", path, num_classes=3)
    load(find("timm:test_vit"), locate(find("timm:test_vit"), folder=path))


@pytest.mark.parametrize("other", ["test_resnet", "test_vit2"])
def test_a_file_of_another_network_is_refused(tmp_path, other):
    published(other, tmp_path / "other.safetensors")
    spec = find("timm:test_vit")
    with pytest.raises(WeightsError, match=r"cannot load these weights|belong to another"):
        load(spec, locate(spec, folder=tmp_path / "other.safetensors"))


def test_a_vision_transformer_takes_other_sizes_by_whole_patches(tmp_path):
    path = tmp_path / "weights.safetensors"
    published("test_vit", path)
    ours = load(find("timm:test_vit"), locate(find("timm:test_vit"), folder=path))
    assert ours.features(torch.randn(1, 3, 96, 96)).shape == (1, 64)
    with pytest.raises(ConfigError, match=r"cannot take pictures of 100 pixels.*Its own size is 160"):
        ours.features(torch.randn(1, 3, 100, 100))


def test_facts_are_timms_own():
    spec = find("timm:convnextv2_atto.fcmae_ft_in1k")
    assert (spec.licence, spec.input_size, spec.crop_fraction) == ("CC-BY-NC-4.0", 224, 0.875)
    assert spec.mean == pytest.approx((123.675, 116.28, 103.53))
    assert spec.interpolation == "bicubic"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", r"no network 'resnet19'\. Near: resnet"),
        ("resnet18.nobody", r"no weights 'resnet18\.nobody'\. It has"),
    ],
)
def test_what_timm_does_not_have_is_an_error(name, message):
    with pytest.raises(ConfigError, match=message):
        find(f"timm:{name}")
