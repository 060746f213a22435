"""torchvision's own networks, with random weights."""

from __future__ import annotations

import pytest
import torch

from handful.backbones import find, load, locate
from handful.core.errors import ConfigError, WeightsError
from handful.testing.backbone import check_backbone
from tests.backbones.adapters import library

torchvision = library("torchvision")


def published(name, path, **options):
    """Writes a whole network's weights, as torchvision publishes them, and returns it."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None, **options).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # as after a training, so that signals stay in their range
            layer.running_mean.normal_(0.0, 0.1)
    torch.save(network.state_dict(), path)
    return network


def below_classifier(network, pixels, classifier):
    found = []
    with classifier.register_forward_pre_hook(lambda _, given: found.append(given[0])), torch.inference_mode():
        network(pixels)
    return found[0]


@pytest.mark.parametrize(
    ("name", "groups", "last"),
    [
        ("resnet18", ("stem", "stage1", "stage2", "stage3", "stage4"), "fc"),
        ("mobilenet_v2", ("stage1", "stage2", "stage3", "stage4"), "classifier"),
        ("convnext_tiny", None, "classifier"),
        ("swin_t", ("network",), "head"),
    ],
)
def test_features_are_what_the_classifier_sees(tmp_path, name, groups, last):
    path = tmp_path / f"{name}.pth"
    network = published(name, path)
    spec = find(f"torchvision:{name}")
    assert groups is None or spec.groups == groups
    ours = load(spec, locate(spec, folder=path))
    classifier = getattr(network, last)
    classifier = classifier[-1] if isinstance(classifier, torch.nn.Sequential) else classifier
    pixels = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(
            ours.features(pixels), below_classifier(network, pixels, classifier), rtol=1e-4, atol=1e-5
        )


def test_a_residual_network_keeps_the_contract(tmp_path):
    path = tmp_path / "resnet18.pth"
    published("resnet18", path)
    spec = find("torchvision:resnet18")
    check_backbone(load(spec, locate(spec, folder=path)), size=64)


def test_googlenet_gets_tensorflows_pixel_values_at_once_and_computes_the_same(tmp_path):
    path = tmp_path / "googlenet.pth"
    network = published("googlenet", path, transform_input=True, init_weights=False)
    spec = find("googlenet")
    assert (spec.name, spec.mean, spec.std) == ("torchvision:googlenet", (127.5,) * 3, (127.5,) * 3)
    assert "network.aux1.conv.conv.weight" not in spec.build().state_dict()
    ours = load(spec, locate(spec, folder=path))
    values = torch.rand(2, 3, 96, 96) * 255.0
    mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) * 255.0 for numbers in (MEAN, STD))
    wanted = below_classifier(network, (values - mean) / std, network.fc)
    with torch.inference_mode():
        torch.testing.assert_close(ours.features((values - 127.5) / 127.5), wanted, rtol=1e-3, atol=1e-4)


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""torchvision's normalisation, from which GoogLeNet turns back."""


def test_weights_are_named_after_the_dot_and_are_otherwise_torchvisions_default():
    first, default = find("resnet50"), find("torchvision:resnet50")
    assert (first.imagenet_top1, default.imagenet_top1) == (pytest.approx(0.76130), pytest.approx(0.80858))
    assert (first.crop_fraction, default.crop_fraction) == (224 / 256, 224 / 232)
    assert first.licence == default.licence == "BSD-3-Clause"


def test_weights_that_forbid_commercial_use_say_so():
    assert "SWAG" in find("torchvision:vit_b_16.IMAGENET1K_SWAG_LINEAR_V1").licence


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet51", r"no network 'resnet51' that classifies pictures\. Near: resnet"),
        ("fasterrcnn_resnet50_fpn", "that classifies pictures"),
        ("resnet50.IMAGENET2K", r"no weights 'resnet50\.IMAGENET2K'\. Those of resnet50: IMAGENET1K_V1"),
        ("squeezenet1_0", "does not end in a fully connected layer"),
    ],
)
def test_what_is_no_network_of_its_own_is_an_error(name, message):
    with pytest.raises(ConfigError, match=message):
        find(f"torchvision:{name}")


def test_a_file_of_another_network_is_refused(tmp_path):
    published("resnet18", tmp_path / "resnet18.pth")
    spec = find("torchvision:mobilenet_v2")
    with pytest.raises(WeightsError, match=r"lack .* of its tensors"):
        load(spec, locate(spec, folder=tmp_path / "resnet18.pth"))
