"""The Hugging Face hub's own client, against a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import safetensors.torch
import torch

from handful.backbones import find, get, load
from handful.backbones.facts import Source
from handful.core.errors import WeightsError
from handful.testing.library import install_fake_library, lent_state

pytest.importorskip("huggingface_hub", reason="the hub's client is not installed")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = ("model.safetensors", "pytorch_model.bin")


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does, as far as its client asks: a repository's facts, and its files at one commit."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        server, path = self.server, self.path.partition("?")[0]
        server.asked.append(f"{self.command} {path}")
        if server.refusal:
            status, code = server.refusal
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path.startswith("/api/models/owner/lent"):
            self.give(json.dumps(self.facts()).encode(), {"Content-Type": "application/json"}, body=body)
        elif path.startswith(f"/owner/lent/resolve/{COMMIT}/"):
            data = server.files[path.rpartition("/")[2]]
            etag = hashlib.sha256(data).hexdigest()
            sent = server.sent.get(path.rpartition("/")[2], data)
            self.give(sent, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, body=body)
        else:
            self.send_error(404)

    def facts(self):
        siblings = [
            {"rfilename": name, "size": len(data)} | ({"lfs": lfs(data)} if name in LARGE else {})
            for name, data in self.server.files.items()
        ]
        return {"id": "owner/lent", "sha": COMMIT, "siblings": siblings, "cardData": self.server.card}

    def give(self, data, headers, *, body):
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_):
        pass


def lfs(data):
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}


@pytest.fixture
def hub(monkeypatch):
    library = install_fake_library(monkeypatch)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.files = {
            "config.json": b'{"width": 16}',
            "model.safetensors": safetensors.torch.save(lent_state(width=16)),
        }
        server.sent, server.card, server.asked, server.refusal = {}, {"license": "apache-2.0"}, [], None
        server.address = f"http://127.0.0.1:{server.server_port}"
        server.library = library
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


NAME = "hf:owner/lent"


def test_a_network_of_the_hub_comes_at_one_commit_with_the_hash_and_the_licence_that_the_hub_gives(hub):
    located = get(NAME, endpoint=hub.address)
    assert located.sha256 == hashlib.sha256(hub.files["model.safetensors"]).hexdigest()
    assert located.origin == "Hugging Face hub, owner/lent at 0123456789ab, in the cache"
    spec = find(NAME)
    assert (spec.licence, dict(spec.settings)["width"]) == ("Apache-2.0", 16)
    assert load(spec, located).features(torch.zeros(1, 3, 32, 32)).shape == (1, 12)
    n_asked = len(hub.asked)
    assert get(NAME, endpoint=hub.address) == located
    assert len(hub.asked) == n_asked


def test_timms_networks_come_from_the_repository_that_timm_names(hub):
    hub.library.source = Source(repo="owner/lent", files=("absent.safetensors", "model.safetensors"))
    hub.files["model.safetensors"] = safetensors.torch.save(lent_state())
    hub.card = {"license": "other", "license_name": "dinov3-license"}
    located = get("timm:lent", endpoint=hub.address)
    assert load(find("timm:lent"), located).features(torch.zeros(1, 3, 32, 32)).shape == (1, 12)
    assert find("timm:lent").licence == "dinov3-license"
    assert not any("config.json" in asked for asked in hub.asked)


@pytest.mark.parametrize(("card", "licence"), [({}, "MIT"), (None, "MIT"), ({"license": "other"}, "MIT")])
def test_where_the_hub_names_no_licence_the_librarys_stands(hub, card, licence):
    hub.card = card
    get(NAME, endpoint=hub.address)
    assert find(NAME).licence == licence


def test_other_bytes_than_the_hub_announced_are_not_kept(hub):
    hub.sent["model.safetensors"] = hub.files["model.safetensors"][:-1] + b"x"
    with pytest.raises(WeightsError, match=r"came with SHA-256 .*; the hub announced"):
        get(NAME, endpoint=hub.address)
    with pytest.raises(WeightsError, match="nothing is known about"):
        find(NAME)


def test_a_repository_without_weights_says_so(hub):
    del hub.files["model.safetensors"]
    with pytest.raises(WeightsError, match=r"has none of the files model\.safetensors, pytorch_model\.bin"):
        get(NAME, endpoint=hub.address)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ((403, "GatedRepo"), r"behind a form.*Accept its licence at https://huggingface\.co/owner/lent"),
        ((401, "RepoNotFound"), "has no network owner/lent, or it is private"),
        ((500, "x"), "could not get owner/lent from the Hugging Face hub"),
    ],
)
def test_a_hub_that_refuses_is_one_clear_error(hub, refusal, message):
    hub.refusal = refusal
    with pytest.raises(WeightsError, match=message):
        get(NAME, endpoint=hub.address)


def test_a_hub_that_does_not_answer_is_one_clear_error(monkeypatch):
    install_fake_library(monkeypatch)
    with pytest.raises(WeightsError, match=r"could not get owner/lent .*Check the network"):
        get(NAME, endpoint="http://127.0.0.1:9")
