"""Downloads from a server on this machine that misbehaves in every way we know."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from handful.backbones import received
from handful.backbones.download import download
from handful.backbones.received import OFFICIAL, Policy
from handful.core.errors import WeightsError
from handful.core.progress import Silent

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LOCAL = Policy(hosts=("127.0.0.1",), schemes=("http",), private=True)


class Misbehaving(BaseHTTPRequestHandler):
    """Serves CONTENT; the path says what goes wrong."""

    def do_GET(self):
        kind = self.path.strip("/")
        if kind.startswith("redirect"):
            self.send_response(302)
            self.send_header("Location", self.server.redirects[kind])
            self.end_headers()
            return
        if kind == "missing":
            self.send_error(404)
            return
        body = {"wrong": CONTENT[::-1], "longer": CONTENT + b"x", "short": CONTENT[:-7]}.get(kind, CONTENT)
        self.send_response(200)
        if kind != "longer":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if kind == "interrupted" else body)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(received, "PAUSE", 0.0)


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving) as running:
        address = f"http://127.0.0.1:{running.server_port}"
        running.redirects = {
            "redirect-home": f"{address}/good",
            "redirect-relative": "/good",
            "redirect-away": f"http://localhost:{running.server_port}/good",
            "redirect-file": "file:///etc/hostname",
            "redirect-loop": f"{address}/redirect-loop",
        }
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield address
        running.shutdown()
        thread.join()


def fetch(url, path, *, sha256=SHA256, policy=LOCAL, progress=None):
    download(url, path, sha256=sha256, max_bytes=len(CONTENT), policy=policy, progress=progress or Silent())


@pytest.mark.parametrize("kind", ["good", "redirect-home", "redirect-relative"])
def test_a_good_file_takes_its_name(server, tmp_path, kind):
    fetch(f"{server}/{kind}", tmp_path / "deep" / "file")
    assert (tmp_path / "deep" / "file").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("wrong", "with SHA-256 .* the published file has"),
        ("short", "cut short, changed on the way or replaced"),
        ("longer", "more than the 1,048,576 bytes"),
        ("interrupted", "could not download"),
        ("missing", "answers 404"),
        ("redirect-away", "host 'localhost'; weights come from 127.0.0.1 only"),
        ("redirect-file", "by http only, not from file:"),
        ("redirect-loop", "more than 3 redirects"),
    ],
)
def test_a_bad_transfer_leaves_nothing_behind_and_says_why(server, tmp_path, kind, message):
    with pytest.raises(WeightsError, match=message):
        fetch(f"{server}/{kind}", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_bad_transfer_leaves_the_old_file_alone(server, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(WeightsError, match="was not kept"):
        fetch(f"{server}/wrong", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_server_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(WeightsError, match="ConnectionRefusedError"):
        fetch("http://127.0.0.1:9/file", tmp_path / "file")


def test_a_user_who_stops_it_leaves_nothing_behind(server, tmp_path):
    class Stopping(Silent):
        def stage(self, label, total):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(f"{server}/good", tmp_path / "file", progress=Stopping())
    assert list(tmp_path.iterdir()) == []


def test_several_downloads_of_one_file_do_not_disturb_each_other(server, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fetch(f"{server}/good", tmp_path / "file"), range(8)))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_goes_after_a_day(server, tmp_path):
    old, new = tmp_path / ".file.1.tmp", tmp_path / ".file.2.tmp"
    for path in (old, new):
        path.write_bytes(b"part")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    fetch(f"{server}/good", tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".file.2.tmp", "file"]


@pytest.mark.parametrize(
    "url",
    [
        "http://download.pytorch.org/models/x.pth",
        "file:///etc/passwd",
        "ftp://download.pytorch.org/x",
        "data:text/plain,x",
        "https://download.pytorch.org.example.org/x",
        "https://download.pytorch.org@example.org/x",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
        "//download.pytorch.org/x",
        "download.pytorch.org/x",
        "https:///x",
        "",
    ],
)
def test_official_weights_come_from_nowhere_else(tmp_path, url):
    with pytest.raises(WeightsError, match=r"by https only|weights come from download\.pytorch\.org only"):
        fetch(url, tmp_path / "file", policy=OFFICIAL)


def test_passwords_in_addresses_are_not_shown(tmp_path):
    with pytest.raises(WeightsError, match=r"http://127\.0\.0\.1:9/file") as caught:
        fetch("http://user:secret@127.0.0.1:9/file?token=secret", tmp_path / "file")
    assert "secret" not in str(caught.value)
