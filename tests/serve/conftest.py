"""A trained run of the toy network, and a server on a free port that ends with the test."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import handful
from handful.core.progress import Silent
from handful.serve import Settings, serve, serve_studio, training
from handful.testing.backbone import install_toy_backbone

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def made(photos, tmp_path_factory):
    """A run on drawn shapes."""
    place = tmp_path_factory.mktemp("made")
    before = os.environ.get("HANDFUL_CACHE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDFUL_CACHE", str(place / "cache"))
        install_toy_backbone(patch, tmp_path_factory.mktemp("weights"))
        folder = handful.train(photos, place / "shapes", backbone="toy", threads=1).folder
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
def running(start, monkeypatch):
    """Calls `start(announce)`, which serves until it is told to stop, in a thread, and yields the announced address."""
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
            start(announce)
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
        yield found["address"]
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(60)
        servers.clear()  # the class that replaces uvicorn's own knows them until the test is over
        assert not thread.is_alive()
        assert faults == []


@contextmanager
def serving(run, folder, monkeypatch, **settings):
    """Opens a server in a thread and yields a client."""
    given = Settings(corrections=folder / "corrections", port=0, **settings)
    with running(lambda announce: serve(run, given, progress=Silent(), announce=announce), monkeypatch) as address:
        yield Client(address)


class StudioClient(Client):
    """Asks the page's server as its page does, with the cookie that came with the address."""

    def __init__(self, entrance: str) -> None:
        address, _, self.token = entrance.partition("?token=")
        super().__init__(address)
        self.entrance = entrance

    def __call__(self, method, path, body=None, **headers):
        """As in `Client`, with the cookie unless a test gives another."""
        return super().__call__(method, path, body, **{"cookie": f"handful-{self.port}={self.token}", **headers})

    def until(self, *states, path="/training"):
        """Returns how the training stands once it is in one of some states."""
        deadline = time.monotonic() + 60
        while (facts := self("GET", path)[2])["state"] not in states:
            assert time.monotonic() < deadline, facts
            time.sleep(0.05)
        return facts


@pytest.fixture
def studio(tmp_path, tmp_path_factory, monkeypatch):
    """The page to train on, in an empty folder; trainings use the toy network."""
    from tests.serve import toy_apart

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv(toy_apart.WEIGHTS, str(tmp_path_factory.mktemp("apart")))
    monkeypatch.setattr(training, "learn", toy_apart.learn_with_toy)
    settings = Settings(corrections=home, port=0, timeout=5.0)
    photos = home / "handful-photos"
    with running(
        lambda announce: serve_studio(photos, settings, progress=Silent(), announce=announce), monkeypatch
    ) as address:
        yield StudioClient(address)


@pytest.fixture
def server(run, tmp_path, monkeypatch):
    """A server with default limits."""
    with serving(run, tmp_path, monkeypatch) as client:
        yield client


@pytest.fixture
def serve_with(run, tmp_path, monkeypatch):
    """Opens servers with settings of their own."""
    return lambda **settings: serving(run, tmp_path, monkeypatch, **settings)


@pytest.fixture(scope="module")
def browser():
    """Chromium, with a camera that is none; the test is skipped where there is no Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )
        yield opened
        opened.close()


@pytest.fixture(params=[390, 1280], ids=["phone", "wide"])
def page(browser, request):
    """A page of a phone's width or a wide one; at the end nothing has gone wrong on it."""
    opened = browser.new_page(viewport={"width": request.param, "height": 800})
    opened.set_default_timeout(120_000)  # a busy machine trains slowly
    said: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("filechooser", lambda _: None)  # from now on, not from when one is waited for: that takes a moment
    opened.said = said
    yield opened
    assert opened.evaluate("document.documentElement.scrollWidth") <= request.param
    opened.close()
