"""The facts about networks agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from handful.backbones import find, names
from handful.backbones.catalog import SPECS
from handful.backbones.spec import PackageOrigin, UrlOrigin
from handful.core.errors import ConfigError

every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def test_the_six_networks_are_there():
    assert set(names()) == {
        "alexnet", "alexnet-grouped", "vgg16", "efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "name"),
    [("lite0", "efficientnet-lite0"), ("Lite2", "efficientnet-lite2"), (" VGG ", "vgg16"), ("alexnet", "alexnet")],
)
def test_a_network_is_found_by_name_and_alias_in_any_case(wanted, name):
    assert find(wanted).name == name


def test_an_unknown_network_names_the_nearest():
    with pytest.raises(ConfigError, match=r"no network 'alexnt'\. Did you mean 'alexnet'"):
        find("alexnt")
    with pytest.raises(ConfigError, match="The networks are: efficientnet-lite0"):
        find("zzzzzzzz")


def test_a_tap_after_the_name_becomes_the_default_and_asks_for_weights_that_reach_it():
    spec = find("AlexNet:fc7")
    assert (spec.name, spec.default_tap.name, spec.default_tap.n_features) == ("alexnet", "fc7", 4096)
    assert set(spec.taps) == set(find("alexnet").taps)
    assert [file.groups[-1] for file in spec.weights] == ["classifier"]
    assert find("alexnet:pool5").taps == find("alexnet").taps
    assert (spec.full_name, find("alexnet").full_name) == ("alexnet:fc7", "alexnet")


def test_several_taps_are_offered_only_where_none_was_asked_for():
    assert find("lite0").several.beside == ("stage4", "stage5", "stage6")
    assert find("lite0:head").several is None
    assert find("lite0:several").several is None
    assert find("alexnet").several is None


def test_an_unknown_tap_names_those_there_are():
    with pytest.raises(ConfigError, match=r"alexnet has no tap 'fc9'\. Its taps are: pool5, pool5-average, fc6, fc7"):
        find("alexnet:fc9")


def test_no_two_networks_share_a_name():
    known = [name for spec in SPECS for name in (spec.name, *spec.aliases)]
    assert len(set(known)) == len(known)


@every_spec
def test_facts_are_complete_and_in_range(spec):
    assert spec.min_size <= spec.input_size
    assert 0.5 < spec.imagenet_top1 < 0.8
    assert 0 < spec.crop_fraction <= 1
    assert all(0 < mean < 255 for mean in spec.mean)
    assert all(0 < std <= 128 for std in spec.std)
    assert spec.groups[-1] == "classifier"
    assert {tap.group for tap in spec.taps} <= set(spec.groups[:-1])
    assert len({tap.name for tap in spec.taps}) == len(spec.taps)
    assert spec.licence
    assert spec.paper.year >= 2012


@every_spec
def test_weights_are_pinned_and_cover_the_default_tap(spec):
    for file in spec.weights:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.n_bytes > 1e6
        assert file.groups == spec.groups[: len(file.groups)]
        assert spec.default_tap.group in file.groups
        if isinstance(file.origin, UrlOrigin):
            assert file.origin.url.startswith("https://download.pytorch.org/models/")
            assert file.sha256.startswith(file.name.split("-")[-1].removesuffix(".pth"))
        else:
            assert isinstance(file.origin, PackageOrigin)


def test_asking_about_networks_does_not_import_pytorch():
    code = (
        "import sys, handful.backbones as b; b.availability(); [b.find(n) for n in b.names()]; b.keep_memory();"
        "sys.exit('torch' in sys.modules or 'unearth' in sys.modules or 'requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
