"""Where downloads may come from, and how they go on after a break."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from handful.backbones import received
from handful.backbones.download import download
from handful.backbones.received import OFFICIAL, Policy, is_public
from handful.core.errors import WeightsError
from handful.core.progress import Silent

CONTENT = random.Random(0).randbytes(3_000_000)
LOCAL = Policy(hosts=("127.0.0.1",), schemes=("http",), private=True)
ANYWHERE = Policy(hosts=None)


class Breaking(BaseHTTPRequestHandler):
    """Serves CONTENT, and breaks off so many times; the path says what else goes wrong."""

    def do_GET(self):
        server, kind = self.server, self.path.strip("/")
        asked = self.headers.get("Range")
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and kind != "forgetful" else 0
        content = CONTENT[::-1] if kind == "swapped" and asked else CONTENT
        self.send_response(206 if start else 200)
        if start:
            told = 7 if kind == "confused" else start
            self.send_header("Content-Range", f"bytes {told}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if len(server.asked) <= server.breaks:
            piece = 10_000 if kind == "slow" else 900_000
            end = piece * len(server.asked) if kind == "forgetful" else start + piece
        self.wfile.write(content[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(received, "PAUSE", 0.0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as running:
        running.asked, running.breaks = [], 2
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(url, path, *, policy):
    download(
        url,
        path,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        max_bytes=len(CONTENT),
        policy=policy,
        progress=Silent(),
    )


@pytest.mark.parametrize("kind", ["good", "forgetful"])
def test_a_transfer_that_breaks_off_goes_on_from_there_and_the_whole_is_hashed(server, tmp_path, kind):
    fetch(f"http://127.0.0.1:{server.server_port}/{kind}", tmp_path / "file", policy=LOCAL)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked[0] is None
    assert [int(asked.split("=")[1].rstrip("-")) for asked in server.asked[1:]] == [900_000, 1_800_000]


@pytest.mark.parametrize(
    ("kind", "breaks", "message"),
    [("swapped", 1, "was not kept"), ("confused", 1, "answers 206"), ("slow", 99, "could not download")],
)
def test_a_transfer_that_goes_on_wrongly_leaves_nothing_behind(server, tmp_path, kind, breaks, message):
    server.breaks = breaks
    with pytest.raises(WeightsError, match=message):
        fetch(f"http://127.0.0.1:{server.server_port}/{kind}", tmp_path / "file", policy=LOCAL)
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) <= received.MOST_BREAKS + 1


NAMES = {
    "home.example": "127.0.0.1",
    "office.example": "10.0.0.1",
    "cloud.example": "169.254.169.254",
    "a.example": "::1",
}
"""Names on the internet whose owners say that they are at private addresses."""

FORBIDDEN = [
    "http://download.pytorch.org/models/x.pth",
    "file:///etc/passwd",
    "ftp://download.pytorch.org/x",
    "data:text/plain,x",
    "gopher://download.pytorch.org/x",
    "jar:https://download.pytorch.org/x",
    "//download.pytorch.org/x",
    "download.pytorch.org/x",
    "https:///x",
    "https://@/x",
    "",
    "https://localhost/x",
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://127.255.255.254:8443/x",
    "https://2130706433/x",
    "https://0x7f000001/x",
    "https://0x7f.1/x",
    "https://0177.0.0.1/x",
    "https://017700000001/x",
    "https://0/x",
    "https://0.0.0.0/x",
    "https://10.0.0.1/x",
    "https://10.255.255.255/x",
    "https://172.16.0.1/x",
    "https://172.31.255.255/x",
    "https://192.168.0.1/x",
    "https://100.64.0.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://2852039166/latest/meta-data",
    "https://224.0.0.1/x",
    "https://255.255.255.255/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:a9fe:a9fe]/latest/meta-data",
    "https://[64:ff9b::7f00:1]/x",
    "https://[2002:7f00:1::]/x",
    "https://[fe80::1]/x",
    "https://[fd00:ec2::254]/latest/meta-data",
    "https://user:password@127.0.0.1/x",
    *(f"https://{name}/x" for name in NAMES),
]


@pytest.fixture
def lookups(monkeypatch):
    """Answers for NAMES, and notes every look-up and every attempt to connect."""
    found, tried = [], []
    real = socket.getaddrinfo

    def look_up(host, port, *args, **options):
        found.append(host)
        address = NAMES.get(host, host)
        return real(address, port, *args, **{**options, "flags": 0})

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", lambda self, where: tried.append(where))
    return found, tried


@pytest.mark.parametrize("url", FORBIDDEN)
@pytest.mark.parametrize("policy", [OFFICIAL, ANYWHERE], ids=["official", "any host"])
def test_published_files_come_from_no_private_address_in_whatever_form(tmp_path, lookups, url, policy):
    expected = r"by https only|weights come from|on this machine or in a network around it"
    with pytest.raises(WeightsError, match=expected):
        fetch(url, tmp_path / "file", policy=policy)
    assert lookups[1] == []
    assert list(tmp_path.iterdir()) == []


def test_at_least_forty_forms_are_tried():
    assert len(FORBIDDEN) >= 40


@pytest.mark.parametrize(
    "away", ["http://169.254.169.254/x", "http://10.0.0.1/x", "http://[::1]/x", "https://2130706434/"]
)
def test_every_redirect_is_checked_again(server, tmp_path, monkeypatch, away):
    class Sending(Breaking):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", away)
            self.end_headers()

    server.RequestHandlerClass = Sending
    monkeypatch.setattr(received, "is_public", lambda address: address == "127.0.0.1")
    policy = Policy(hosts=None, schemes=("http", "https"))
    with pytest.raises(WeightsError, match="on this machine or in a network around it"):
        fetch(f"http://127.0.0.1:{server.server_port}/x", tmp_path / "file", policy=policy)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_connected_to(tmp_path, monkeypatch):
    answers = iter(["93.184.215.14", "127.0.0.1"])
    tried = []

    def look_up(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(self, where):
        tried.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(WeightsError, match="could not download"):
        fetch("https://rebinding.example/x", tmp_path / "file", policy=ANYWHERE)
    assert tried == [("93.184.215.14", 443)]


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_addresses_on_the_internet_are_public(address):
    assert is_public(address)
