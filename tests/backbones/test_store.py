"""Weights are found where they are, and only whole."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time

import pytest

from handful.backbones import availability, catalog, find, locate, names
from handful.backbones.spec import UrlOrigin
from handful.backbones.store import cache_path
from handful.core.errors import WeightsError


@pytest.fixture
def url_toy(toy, monkeypatch):
    """The toy with weights that are published at an address instead of in a package, and are not at hand."""
    file = dataclasses.replace(toy.weights[0], origin=UrlOrigin("https://download.pytorch.org/toy.safetensors"))
    spec = dataclasses.replace(toy, weights=(file,))
    monkeypatch.setattr(catalog, "SPECS", (*catalog.SPECS[:-1], spec))
    return spec


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def append(path):
    path.write_bytes(path.read_bytes() + b"\0")


def test_an_installed_package_is_found_without_being_imported(toy):
    located = locate(toy)
    assert located.path.name == "toy.safetensors"
    assert located.sha256 == toy.weights[0].sha256
    assert located.origin == "pip package handful-toy-weights 1.0"
    assert "handful_toy_weights" not in sys.modules


@pytest.mark.parametrize("damage", [flip, truncate, append])
def test_a_damaged_package_is_an_error_that_says_how_to_install_it_again(toy, damage):
    damage(locate(toy).path)
    with pytest.raises(WeightsError, match=r"toy\.safetensors is damaged.*pip install --force-reinstall"):
        locate(toy)


def test_the_cache_comes_before_the_package_and_the_package_helps_where_the_cache_is_damaged(toy):
    cached = cache_path(toy.weights[0])
    cached.parent.mkdir(parents=True)
    shutil.copy(locate(toy).path, cached)
    assert locate(toy).path == cached
    flip(cached)
    assert locate(toy).origin.startswith("pip package")


@pytest.mark.parametrize("damage", [flip, truncate, append])
def test_a_damaged_file_in_the_cache_is_never_handed_out(url_toy, toy, damage):
    cached = cache_path(url_toy.weights[0])
    cached.parent.mkdir(parents=True)
    shutil.copy(locate(toy).path, cached)
    assert locate(url_toy).path == cached
    damage(cached)
    with pytest.raises(WeightsError, match="is damaged: its SHA-256 is"):
        locate(url_toy)


def test_missing_weights_are_a_quick_error_that_says_what_to_do(url_toy):
    start = time.monotonic()
    with pytest.raises(WeightsError, match=r"weights of toy are not on this machine.*handful backbones --get toy\."):
        locate(url_toy)
    assert time.monotonic() - start < 1.0
    with pytest.raises(WeightsError, match=r"--export DIR.*--weights DIR"):
        locate(url_toy, offline=True)


def test_missing_weights_name_what_is_at_hand(toy):
    with pytest.raises(WeightsError, match=r"At hand here: .*toy"):
        locate(find("vgg16"))


def test_a_network_without_published_weights_asks_for_the_users_file():
    with pytest.raises(WeightsError, match=r"give your own file: --weights alexnet-grouped\.safetensors"):
        locate(find("alexnet-grouped"))


def test_a_folder_of_the_users_comes_first(toy, tmp_path):
    folder = tmp_path / "carried"
    folder.mkdir()
    assert locate(toy, folder=folder).origin.startswith("pip package")
    shutil.copy(locate(toy).path, folder)
    assert locate(toy, folder=folder).path == folder / "toy.safetensors"
    flip(folder / "toy.safetensors")
    with pytest.raises(WeightsError, match="is damaged"):
        locate(toy, folder=folder)


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".pth", "torch"), (".pt", "torch"), (".bin", "torch"), (".safetensors", "safetensors")]
)
def test_a_file_of_the_users_is_taken_and_called_the_users(tmp_path, suffix, kind):
    path = tmp_path / f"alexnet-grouped{suffix}"
    path.write_bytes(b"weights")
    for place in (path, tmp_path):
        located = locate(find("caffe-alexnet"), folder=place)
        assert located.path == path
        assert "file of the user's" in located.origin
        assert located.file.format == kind


def test_the_file_of_another_network_is_named(toy):
    with pytest.raises(WeightsError, match="holds the weights of toy, not of vgg16"):
        locate(find("vgg16"), folder=locate(toy).path)


def test_a_file_with_a_published_name_and_another_content_is_damaged(tmp_path):
    path = tmp_path / "vgg16-397923af.pth"
    path.write_bytes(b"cut short")
    with pytest.raises(WeightsError, match="is damaged"):
        locate(find("vgg16"), folder=path)


@pytest.mark.parametrize(("name", "message"), [("absent", "no folder or file"), ("weights.h5", r"suffix '\.h5'")])
def test_a_place_without_weights_is_an_error(tmp_path, name, message):
    (tmp_path / "weights.h5").write_bytes(b"x")
    with pytest.raises(WeightsError, match=message):
        locate(find("vgg16"), folder=tmp_path / name)


def test_availability_tells_for_every_network_where_it_is_or_how_to_get_it(toy):
    by_name = {one.spec.name: one for one in availability()}
    assert tuple(by_name) == names()
    assert by_name["toy"].at_hand
    assert by_name["toy"].how == "pip package handful-toy-weights 1.0"
    assert not by_name["vgg16"].at_hand
    assert by_name["vgg16"].how == "handful backbones --get vgg16"
    flip(locate(toy).path)
    damaged = {one.spec.name: one for one in availability()}["toy"]
    assert not damaged.at_hand
    assert "is damaged" in damaged.how
