"""Networks of other libraries: names, licences, records and weights, with a stand-in for every library."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import socket
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save_file

from handful.backbones import (
    ALIASES,
    availability,
    export,
    find,
    for_inference,
    from_record,
    from_state,
    get,
    libraries,
    licence_words,
    load,
    locate,
    record,
    state_of,
    untrained,
)
from handful.backbones.catalog import SPECS
from handful.backbones.facts import Source
from handful.backbones.libraries import LIBRARIES, parse
from handful.backbones.received import Policy
from handful.backbones.records import record_path
from handful.core.errors import ConfigError, MissingExtraError, WeightsError
from handful.testing.backbone import check_backbone
from handful.testing.library import LENT, install_fake_library, lent_state


@pytest.fixture
def library(monkeypatch):
    return install_fake_library(monkeypatch)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "lent.safetensors"
    save_file(lent_state(), path)
    return path


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("timm:convnext_tiny.fb_in22k", ("timm:convnext_tiny.fb_in22k", "")),
        (" hf:facebook/dinov2-small:stage3 ", ("hf:facebook/dinov2-small", "stage3")),
        ("googlenet", ("torchvision:googlenet", "")),
        ("ResNet50:stage3", ("torchvision:resnet50.IMAGENET1K_V1", "stage3")),
        ("clip-vit-b-32", ("hf:openai/clip-vit-base-patch32", "")),
        ("alexnet:fc7", None),
        ("nothing", None),
    ],
)
def test_a_name_says_its_library_and_plain_names_stand_for_whole_ones(name, parts):
    assert parse(name) == parts


@pytest.mark.parametrize("name", ["timm:", "hf: ", "torchvision"])
def test_a_library_without_a_network_is_an_error_with_an_example(name):
    with pytest.raises(ConfigError, match=r"names no network.*for instance|there is no network"):
        find(name)


def test_plain_names_are_whole_ones_of_known_libraries_and_no_two_networks_share_one():
    plain = [alias.name for alias in ALIASES]
    known = [name for spec in SPECS for name in (spec.name, *spec.aliases)]
    assert len({*plain, *known}) == len(plain) + len(known)
    for alias in ALIASES:
        assert parse(alias.stands_for) == (alias.stands_for, "")
        assert alias.licence


def test_the_plain_names_are_proposed_for_a_misspelt_one():
    with pytest.raises(ConfigError, match=r"no network 'dinov2-smal'\. Did you mean 'dinov2-small'\?.*timm:NAME"):
        find("dinov2-smal")


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("unknown", "unknown; ask its publisher"),
        ("CC-BY-NC-4.0", "which forbids commercial use"),
        ("https://github.com/facebookresearch/SWAG/blob/main/LICENSE", "which forbids commercial use"),
        ("dinov3-license", "Meta's own: read its conditions"),
    ],
)
def test_a_licence_with_strings_attached_is_called_what_it_is(licence, words):
    assert words in licence_words(licence)


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:resnet18", "hf:facebook/dinov2-small"])
def test_an_absent_library_is_an_error_that_says_how_to_install_it(monkeypatch, name):
    monkeypatch.setattr(libraries, "find_spec", lambda module: None)
    extra = LIBRARIES[name.partition(":")[0]].extra
    for ask in (find, get):
        with pytest.raises(MissingExtraError, match=rf"network {name} needs .*pip install 'handful\[{extra}\]'"):
            ask(name)


def test_a_library_that_cannot_be_imported_is_an_error_that_says_why(monkeypatch, tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(ConfigError, match=r"cannot be imported: operator torchvision::nms.*from one index"):
        find("torchvision:resnet18")


def test_asking_about_other_libraries_networks_imports_none_of_them():
    code = (
        "import sys, handful.backbones as b; b.availability();"
        "sys.exit(bool({'timm', 'torchvision', 'transformers', 'huggingface_hub', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_library_is_asked_once_about_a_network_and_again_when_it_is_another_version(library, monkeypatch):
    spec = find(LENT)
    assert (spec.groups, spec.default_tap.n_features, spec.licence) == (("stem", "stage1", "stage2"), 12, "MIT")
    assert find(LENT).default_tap == spec.default_tap
    assert library.n_asked == 1
    monkeypatch.setattr(libraries, "installed", lambda name: "99")
    assert find(LENT).library == "timm 99"
    assert library.n_asked == 2


def test_without_any_licence_it_is_called_unknown(library):
    library.licence = ""
    assert find(LENT).licence == "unknown"


def test_a_record_says_the_same_again_and_comes_through_json(library):
    spec = find(f"{LENT}:stage1")
    again = from_record(json.loads(json.dumps(record(spec))))
    assert record(again) == record(spec)
    assert again.default_tap.name == "stage1"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "alexnet"},
        {"name": "os:system"},
        {"format": 2},
        {"settings": {"arrangement": "anyhow"}},
        {"interpolation": "magic"},
        {"std": [1.0, 0.0, 1.0]},
        {"mean": [1.0]},
        {"input_size": 10**9},
        {"taps": []},
        {"taps": [{"name": "x", "group": "nowhere", "pooling": "average", "n_features": 3}]},
        {"taps": [{"name": "x", "group": "stem", "pooling": "magic", "n_features": 3}]},
        {"weights": [{"name": "../x", "sha256": "0" * 64, "n_bytes": 1, "origin": {"url": ""}, "format": "torch"}]},
        {"weights": [{"name": "x", "sha256": "0" * 64, "n_bytes": 1, "origin": {"url": ""}, "format": "pickle"}]},
    ],
)
def test_a_record_with_values_that_cannot_be_is_refused(library, change):
    with pytest.raises(ValueError, match=r".+"):
        from_record({**record(find(LENT)), **change})


def test_a_damaged_record_is_as_if_there_were_none(library):
    find(LENT)
    record_path(LENT).write_text("{")
    assert find(LENT).groups == ("stem", "stage1", "stage2")
    assert library.n_asked == 2


def test_a_file_of_the_users_gives_the_librarys_network_without_its_classifier(library, weights):
    spec = find(LENT)
    network = load(spec, locate(spec, folder=weights))
    from handful.testing.lent import Lent

    whole = Lent(8, 12).eval()
    whole.load_state_dict({name: tensor for name, tensor in lent_state().items() if not name.startswith("fc.")})
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(network.features(pixels), whole(pixels), rtol=1e-6, atol=1e-6)
    check_backbone(network, size=33)


def test_a_file_of_another_network_is_refused(library, tmp_path):
    save_file({"other.weight": torch.ones(3)}, tmp_path / "other.safetensors")
    spec = find(LENT)
    with pytest.raises(WeightsError, match=r"hold 'network\.other\.weight', which Lent does not have"):
        load(spec, locate(spec, folder=tmp_path / "other.safetensors"))


def test_what_was_saved_loads_again_up_to_a_tap_in_the_middle(library, weights):
    spec = find(f"{LENT}:stage1")
    network = load(spec, locate(spec, folder=weights))
    state = state_of(network)
    assert not any("layer2" in name for name in state)
    pixels = torch.randn(2, 3, 32, 32)
    again = from_state(spec, state).features(pixels)
    torch.testing.assert_close(again, network.features(pixels), rtol=0, atol=0)
    assert again.shape == (2, 8)


def test_a_frozen_copy_is_not_folded_by_guesswork(library, weights):
    spec = find(LENT)
    fast = for_inference(load(spec, locate(spec, folder=weights)))
    assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in fast.body.modules())


def test_from_scratch_it_starts_as_its_library_draws_it_always_the_same(library):
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first, second = (state_of(untrained(find(LENT))) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert float(first["network.bn1.weight"].sum()) > 0


def test_pictures_of_a_size_that_it_cannot_take_are_an_error_that_names_its_own(library, weights):
    network = load(find(LENT), locate(find(LENT), folder=weights))
    with pytest.raises(ConfigError, match=r"Lent cannot take pictures of 0 pixels.*Its own size is 32"):
        network.features(torch.zeros(1, 3, 0, 0))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def publisher(library, tmp_path):
    """A web server with a file that is named as torchvision names its own."""
    folder = tmp_path / "published"
    folder.mkdir()
    torch.save(lent_state(), folder / "lent.pth")
    beginning = hashlib.sha256((folder / "lent.pth").read_bytes()).hexdigest()[:8]
    path = (folder / "lent.pth").rename(folder / f"lent-{beginning}.pth")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        library.source = Source(url=f"http://127.0.0.1:{server.server_port}/{path.name}", n_bytes=1_000_000)
        yield path
        server.shutdown()
        thread.join()


LOCAL = Policy(hosts=("127.0.0.1",), schemes=("http",), private=True)
NAME = "torchvision:lent"


def test_weights_from_an_address_are_pinned_by_their_whole_hash_once_fetched(publisher):
    with pytest.raises(WeightsError, match=r"weights of torchvision:lent are not.*--get torchvision:lent"):
        locate(find(NAME))
    located = get(NAME, policy=LOCAL)
    assert located.sha256 == hashlib.sha256(publisher.read_bytes()).hexdigest()
    assert located.path.name == "torchvision-lent.pth"
    publisher.unlink()
    assert get(NAME, offline=True) == located
    by_name = {entry.spec.name: entry for entry in availability()}
    assert by_name[NAME].at_hand
    located.path.write_bytes(located.path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is damaged"):
        locate(find(NAME))


def test_an_address_that_sends_other_bytes_than_its_name_says_is_not_kept(publisher):
    publisher.write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"sent 5 bytes with SHA-256 .*; the published file has"):
        get(NAME, policy=LOCAL)
    assert not any(entry.spec.library for entry in availability())


def test_offline_nothing_is_connected_to(publisher, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(WeightsError, match=r"--export DIR on a machine that has them"):
        get(NAME, offline=True, policy=LOCAL)


def test_a_network_of_the_hub_that_is_not_known_yet_says_how_to_get_it(library):
    for ask in (find, partial(get, offline=True)):
        with pytest.raises(WeightsError, match=r"--get hf:owner/lent.*config\.json"):
            ask("hf:owner/lent")


@pytest.mark.parametrize("as_file", [True, False])
def test_a_folder_copied_from_the_hub_says_what_its_network_is(library, tmp_path, as_file):
    folder = tmp_path / "copied"
    folder.mkdir()
    save_file(lent_state(width=16), folder / "model.safetensors")
    (folder / "config.json").write_text('{"width": 16}')
    place = folder / "model.safetensors" if as_file else folder
    spec = find("hf:owner/lent", folder=place)
    assert dict(spec.settings)["width"] == 16
    assert load(spec, locate(spec, folder=place)).features(torch.zeros(1, 3, 32, 32)).shape == (1, 12)
    assert find("hf:owner/lent").groups == spec.groups
    (folder / "config.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"config\.json holds no object"):
        find("hf:owner/lent", folder=place)


def test_networks_of_other_libraries_are_carried_to_a_machine_that_knows_nothing(publisher, tmp_path, monkeypatch):
    get(NAME, policy=LOCAL)
    carried = tmp_path / "carried"
    files = export(carried, names=[NAME])
    assert [path.name for path in files] == ["torchvision-lent.pth", "torchvision-lent.json", "weights.json"]
    monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path / "elsewhere"))
    spec = find(NAME, folder=carried)
    located = locate(spec, folder=carried, offline=True)
    assert located.sha256 == spec.weights[0].sha256
    assert load(spec, located).features(torch.zeros(1, 3, 32, 32)).shape == (1, 12)


def test_an_absent_library_leaves_its_fetched_networks_out_and_says_so(publisher, monkeypatch):
    get(NAME, policy=LOCAL)
    monkeypatch.setattr(libraries, "find_spec", lambda module: None)
    entry = {entry.spec.name: entry for entry in availability()}[NAME]
    assert not entry.at_hand
    assert "handful[torchvision]" in entry.how
    with pytest.raises(MissingExtraError, match="torchvision"):
        locate(dataclasses.replace(entry.spec))
