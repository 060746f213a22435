"""Hugging Face's own vision transformers, tiny and with random weights."""

from __future__ import annotations

import json

import pytest
import torch

from handful.backbones import find, from_record, from_state, load, locate, record, state_of
from handful.backbones.borrowed import describe
from handful.backbones.facts import Stated
from handful.core.errors import ConfigError, WeightsError
from handful.testing.backbone import check_backbone
from tests.backbones.adapters import library

transformers = library("transformers")

SMALL = {"hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 2, "patch_size": 7, "image_size": 28}
WIDE = {**SMALL, "intermediate_size": 64}
TEXT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 50}
SHOWN = {
    "do_center_crop": True, "crop_size": {"height": 28, "width": 28}, "size": {"shortest_edge": 32},
    "do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.25], "resample": 3,
}  # fmt: skip


def made(kind):
    """Returns a whole network and the part of it that makes features."""
    torch.manual_seed(0)
    if kind == "dinov2":
        network = transformers.Dinov2Model(transformers.Dinov2Config(**SMALL))
        return network, network
    if kind == "dinov2_with_registers":
        network = transformers.Dinov2WithRegistersModel(transformers.Dinov2WithRegistersConfig(**SMALL))
        return network, network
    if kind == "dinov3_vit":
        network = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**WIDE, num_register_tokens=4))
        return network, network
    if kind == "clip":
        network = transformers.CLIPModel(transformers.CLIPConfig(vision_config=WIDE, text_config=TEXT))
        return network, network.vision_model
    network = transformers.ViTForImageClassification(transformers.ViTConfig(**WIDE))
    return network, network.vit


def published(kind, folder):
    """Writes a network as it lies on the hub, and returns the part of it that makes features."""
    network, tower = made(kind)
    network.eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(SHOWN))
    return tower


def wanted(tower, pixels):
    with torch.inference_mode():
        found = tower(pixels)
        return found.last_hidden_state[:, 0] if found.pooler_output is None else found.pooler_output


KINDS = ("dinov2", "dinov2_with_registers", "dinov3_vit", "clip", "vit")


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_from_the_hub_becomes_a_network_with_the_librarys_own_features(tmp_path, kind):
    tower = published(kind, tmp_path)
    spec = find(f"hf:owner/{kind}", folder=tmp_path)
    assert spec.groups == ("stem", "stage1", "stage2", "stage3", "stage4", "head")
    assert (spec.input_size, spec.crop_fraction, spec.interpolation) == (28, 28 / 32, "bicubic")
    assert spec.mean == pytest.approx((127.5, 102.0, 76.5))
    network = load(spec, locate(spec, folder=tmp_path))
    pixels = torch.randn(3, 3, 28, 28)
    torch.testing.assert_close(network.features(pixels), wanted(tower, pixels), rtol=1e-5, atol=1e-5)
    check_backbone(network)
    assert network.features(torch.randn(1, 3, 42, 42)).shape == (1, 32)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_bundle_holds_makes_the_network_again(tmp_path, kind):
    published(kind, tmp_path)
    spec = find(f"hf:owner/{kind}", folder=tmp_path)
    network = load(spec, locate(spec, folder=tmp_path))
    again = from_state(from_record(json.loads(json.dumps(record(spec)))), state_of(network))
    pixels = torch.randn(2, 3, 28, 28)
    torch.testing.assert_close(again.features(pixels), network.features(pixels), rtol=0, atol=0)


def test_a_file_that_lacks_a_tensor_is_refused_where_the_library_would_draw_one(tmp_path):
    from safetensors.torch import load_file, save_file

    published("dinov2", tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["layernorm.weight"]
    save_file(state, tmp_path / "model.safetensors")
    spec = find("hf:owner/dinov2", folder=tmp_path)
    with pytest.raises(WeightsError, match=r"lack 1 tensors of owner/dinov2.*layernorm\.weight"):
        load(spec, locate(spec, folder=tmp_path))


@pytest.mark.parametrize(
    ("config", "shown", "error", "message"),
    [
        ({"model_type": "bert"}, SHOWN, ConfigError, r"of kind 'bert'.*not know as a network for pictures.*timm:NAME"),
        ({}, SHOWN, ConfigError, "names no model_type"),
        ({"model_type": "dinov2", **SMALL, "hidden_act": ["x"]}, SHOWN, ConfigError, "configuration holds hidden_act"),
        ({"model_type": "dinov2", **SMALL}, {}, WeightsError, r"preprocessor_config\.json is missing"),
        ({"model_type": "dinov2", **SMALL}, {**SHOWN, "do_rescale": False}, WeightsError, "pixel values from 0 to 255"),
        (
            {"model_type": "dinov2", **SMALL}, {"image_mean": [0] * 3, "image_std": [1] * 3}, WeightsError,
            "names no picture size",
        ),
    ],
)  # fmt: skip
def test_what_is_no_network_for_pictures_is_an_error_that_says_so(config, shown, error, message):
    with pytest.raises(error, match=message):
        describe("hf:owner/other", Stated(config=config, preprocessor=shown))


def test_entries_of_a_configuration_that_could_name_code_are_not_read():
    config = {
        "model_type": "dinov2",
        **SMALL,
        "auto_map": {"AutoModel": "evil.py"},
        "_attn_implementation": "evil/kernel",
    }
    spec = describe("hf:owner/other", Stated(config=config, preprocessor=SHOWN))
    assert {name for name, _ in spec.settings} == {*SMALL, "model_type", "arrangement"}
