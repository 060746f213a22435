"""A trained run of the toy network, and a server on a free port that ends with the test."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

import handful
from handful.core.progress import Silent
from handful.serve import Settings, serve
from handful.testing.backbone import install_toy_backbone


@pytest.fixture(scope="session")
def made(photos, tmp_path_factory):
    """A run on drawn shapes."""
    place = tmp_path_factory.mktemp("made")
    before = os.environ.get("HANDFUL_CACHE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDFUL_CACHE", str(place / "cache"))
        install_toy_backbone(patch, tmp_path_factory.mktemp("weights"))
        folder = handful.train(photos, place / "shapes", threads=1).folder
    assert os.environ.get("HANDFUL_CACHE") == before
    return folder


@pytest.fixture
def run(made, toy, tmp_path):
    """A copy of the run that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "shapes"))


class Client:
    """Asks a server over connections of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
        self.port = int(port)

    def __call__(self, method, path, body=None, **headers):
        """Returns status, headers and the body, from JSON where it is such."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            data = response.read()
            kind = response.headers.get("content-type", "")
            return response.status, response.headers, json.loads(data) if "json" in kind else data.decode()
        finally:
            connection.close()


@contextmanager
def serving(run, folder, monkeypatch, **settings):
    """Opens a server in a thread and yields a client."""
    servers, ready = [], threading.Event()
    found: dict[str, str] = {}
    import uvicorn

    class Known(uvicorn.Server):
        def __init__(self, config):
            super().__init__(config)
            servers.append(self)

    monkeypatch.setattr(uvicorn, "Server", Known)

    def announce(address):
        found["address"] = address
        ready.set()

    faults: list[BaseException] = []

    def work():
        try:
            given = Settings(corrections=folder / "corrections", port=0, **settings)
            serve(run, given, progress=Silent(), announce=announce)
        except BaseException as error:
            faults.append(error)
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(60)
    if faults:
        thread.join()
        raise faults[0]
    try:
        yield Client(found["address"])
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
        assert faults == []


@pytest.fixture
def server(run, tmp_path, monkeypatch):
    """A server with default limits."""
    with serving(run, tmp_path, monkeypatch) as client:
        yield client


@pytest.fixture
def serve_with(run, tmp_path, monkeypatch):
    """Opens servers with settings of their own."""
    return lambda **settings: serving(run, tmp_path, monkeypatch, **settings)
