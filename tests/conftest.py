"""What every test stands on: caches of its own, and no network."""

from __future__ import annotations

import io
import math
import socket
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from PIL import Image

from handful.backbones import BackboneSpec
from handful.export import onnx_folder
from handful.export.golden import golden_pictures
from handful.features.engines import choose
from handful.finetune import kept, precision
from handful.report import figures
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder
from tests.clusters import cluster as cluster


def blank_png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (1, 1)).save(stream, format="PNG")
    return stream.getvalue()


hypothesis.settings.register_profile("suite", deadline=None)  # what is slow on a busy machine is not wrong
hypothesis.settings.load_profile("suite")

GAIN = cache(precision.bfloat16_gain)
GOLDEN = cache(lambda: tuple(golden_pictures()))
BLANK = {"png": blank_png(), "svg": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'}


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HANDFUL_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves `auto` one engine, so that no test times any: which is quickest is for tests/features/test_engines.py."""
    monkeypatch.setattr(choose, "OTHERS", ())


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measures the machine and draws the golden pictures once for all tests of a process."""
    monkeypatch.setattr(precision, "bfloat16_gain", GAIN)
    monkeypatch.setattr(onnx_folder, "golden_pictures", GOLDEN)


@pytest.fixture(autouse=True)
def unpainted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Composes figures but does not paint them, which is half of a small run's time; marked tests do."""
    if not any(map(request.node.get_closest_marker, ("painted", "real"))):
        monkeypatch.setattr(figures, "_saved", lambda _, kind: BLANK[kind])


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test opened a connection to {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every epoch worth a checkpoint, however quick."""
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    monkeypatch.setattr(kept, "SHARE", math.inf)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    """The toy network, installed like a real one."""
    return install_toy_backbone(monkeypatch, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of drawn pictures; read only."""
    return draw_folder(tmp_path_factory.mktemp("photos") / "shapes", per_class=16)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of the cluster first: they are neighbours then, in one process, with one cluster."""
    items.sort(key=lambda item: "cluster" not in getattr(item, "fixturenames", ()))
