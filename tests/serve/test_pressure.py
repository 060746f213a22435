"""What a server bears: too much, too slow, broken, and the end; the long form is benchmarks/soak/server.py."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handful.serve import served
from handful.serve.opened import Opened
from tests.quick import quickest
from tests.serve.command import running_command

TOKEN = "0123456789abcdef"


@pytest.fixture
def data(photos):
    return (photos / "circle" / "000.png").read_bytes()


def models_alive():
    gc.collect()
    return sum(type(each) is Opened for each in gc.get_objects())


def slowed(monkeypatch, seconds, *, poison=b"none"):
    """Makes every batch take so long, and end in a fault where a certain picture is in it; returns their sizes."""
    answers, sizes = Opened.answers, []

    def slow(self, files, *, max_pixels):
        sizes.append(len(files))
        time.sleep(seconds)
        if poison in files:
            raise RuntimeError("secret place")
        return answers(self, files, max_pixels=max_pixels)

    monkeypatch.setattr(Opened, "answers", slow)
    return sizes


def test_ten_times_too_many_are_answered_or_told_to_come_again(serve_with, monkeypatch, data):
    slowed(monkeypatch, 0.02)
    with serve_with(queue=4) as client:

        def ask(_):
            status, headers, _ = client("POST", "/predict", data)
            return status, headers.get("retry-after")

        with ThreadPoolExecutor(40) as pool:
            found = Counter(pool.map(ask, range(200)))
        assert set(found) == {(200, None), (503, "1")}
        assert client("POST", "/predict", data)[0] == 200


def test_no_answer_waits_for_its_last_bytes(server):
    """Head and body are two writes; a system that holds the second back until the first was received adds 40 ms."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)

    def ask_ten_times():
        for _ in range(10):
            connection.request("GET", "/health")
            connection.getresponse().read()

    ask_ten_times()
    _, seconds = quickest(ask_ten_times)
    connection.close()
    assert seconds < 0.3


def test_a_fault_is_that_of_its_picture_alone(serve_with, monkeypatch, data, photos):
    poison = (photos / "circle" / "001.png").read_bytes()
    sizes = slowed(monkeypatch, 0.05, poison=poison)
    with serve_with() as client, ThreadPoolExecutor(12) as pool:
        files = [poison if number == 5 else data for number in range(12)]
        found = list(pool.map(lambda each: client("POST", "/predict", each)[0], files))
    assert found == [500 if each is poison else 200 for each in files]
    assert max(sizes) > 1


def test_a_fault_carries_the_headers_of_every_answer(serve_with, monkeypatch, data):
    slowed(monkeypatch, 0.0, poison=data)
    with serve_with() as client:
        status, headers, answer = client("POST", "/predict", data)
        assert (status, headers["x-content-type-options"], headers["x-frame-options"]) == (500, "nosniff", "DENY")
        assert "the terminal" in answer["error"]
        assert 'path="/predict",status="500"} 1' in client("GET", "/metrics")[2]


def test_the_token_is_never_written_down(serve_with, monkeypatch, data, capfd):
    slowed(monkeypatch, 0.0, poison=data)
    with serve_with(token=TOKEN) as client:
        bearer = f"Bearer {TOKEN}"
        assert client("POST", "/predict", data, authorization=bearer)[0] == 500
        assert client("GET", "/model", authorization=f"{bearer}x")[0] == 401
        assert client("GET", f"/nothing?token={TOKEN}", authorization=bearer)[0] == 404
        told = [client("GET", path, authorization=bearer)[2] for path in ("/metrics", "/openapi.json", "/model", "/")]
    written = "".join(capfd.readouterr())
    assert "secret place" in written
    assert TOKEN not in written + json.dumps(told)


def test_reasons_that_nobody_waits_for_are_computed_one_at_a_time(serve_with, monkeypatch, data):
    under_way, most, lock = 0, 0, threading.Lock()

    def slow(*_, **__):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.4)
        with lock:
            under_way -= 1
        return {}

    monkeypatch.setattr(served, "explain", slow)
    with serve_with(timeout=0.1) as client:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: client("POST", "/explain", data)[0], range(8)))
        assert found == [503] * 8
        assert client("GET", "/health")[0] == 200
    assert most == 1


def test_a_connection_on_which_no_request_is_completed_is_closed(serve_with):
    endless = b"Host: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
    begun = {
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /health HTTP/1.1\r\nX: ": b"HTTP/1.1 200",
        b"POST /nothing HTTP/1.1\r\n" + endless: b"HTTP/1.1 404",
    }
    with serve_with(timeout=0.5) as client:
        for request, first in begun.items():
            with socket.create_connection((client.host, client.port), timeout=10) as connection:
                connection.sendall(request)
                assert connection.recv(65536).startswith(first)
                with pytest.raises(ConnectionError):  # noqa: PT012  a byte now and then keeps no connection open
                    for _ in range(100):
                        time.sleep(0.05)
                        connection.sendall(b"y")


def test_what_was_begun_is_answered_when_the_server_is_told_to_stop(serve_with, monkeypatch, data):
    slowed(monkeypatch, 0.5)
    with ThreadPoolExecutor(4) as pool:
        with serve_with() as client:
            asked = [pool.submit(client, "POST", "/predict", data) for _ in range(4)]
            deadline = time.perf_counter() + 10
            while "handful_admitted 4" not in client("GET", "/metrics")[2] and time.perf_counter() < deadline:
                time.sleep(0.01)
        assert [each.result()[0] for each in asked] == [200] * 4
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((client.host, client.port))


def test_one_model_is_in_memory_however_often_another_takes_its_place(serve_with):
    before = models_alive()
    with serve_with() as client:
        for _ in range(3):
            assert client("POST", "/reload")[0] == 200
        assert models_alive() == before + 1
    assert models_alive() == before


def test_the_running_command_has_the_limits_that_are_promised(run):
    with running_command(run) as (client, _):
        if Path("/proc/net/tcp").exists():
            lines = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            assert {line for line in lines if line.endswith(f":{client.port:04X}")} == {f"0100007F:{client.port:04X}"}
        assert "handful_queue_limit 64" in client("GET", "/metrics")[2]
        told = client("GET", "/openapi.json")[2]["info"]["description"]
        assert "10 MB and 64 million pixels each; at most 64 at once; each has 30 seconds" in told
        assert client("POST", "/predict", b"x" * 10_000_000)[0] == 422
        assert client("POST", "/predict", b"x" * 10_000_001)[0] == 413
        assert client("GET", "/model", host="evil.example")[0] == 421
        connection = http.client.HTTPConnection(client.host, client.port, timeout=10)
        connection.request("OPTIONS", "/predict", headers={"Origin": client.address.rstrip("/")})
        assert "access-control-allow-origin" not in connection.getresponse().headers
        connection.close()
