"""Who may ask, from where, and how much."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from handful.core.errors import BundleError, ConfigError
from handful.core.progress import Silent
from handful.serve import Settings, serve
from handful.serve.settings import check_settings

TOKEN = "0123456789abcdef"


def raw(client, request, *, wait=20.0):
    """Sends bytes as they are and returns what came back until the connection ended."""
    with socket.create_connection((client.host, client.port), timeout=wait) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def test_the_defaults_are_safe(tmp_path):
    settings = Settings(corrections=tmp_path)
    assert (settings.host, settings.token) == ("127.0.0.1", "")
    assert (settings.max_bytes, settings.max_megapixels, settings.queue, settings.timeout) == (10_000_000, 64, 64, 30)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_other_addresses_than_loopback_need_a_token(tmp_path, host):
    with pytest.raises(ConfigError, match="needs a token"):
        check_settings(Settings(corrections=tmp_path, host=host))
    check_settings(Settings(corrections=tmp_path, host=host, token=TOKEN))


@pytest.mark.parametrize(("token", "fault"), [("short", "5 letters"), ("a b" * 9, "a space"), ("ü" * 20, "ASCII")])
def test_a_token_that_is_guessed_or_cannot_be_sent_is_refused(tmp_path, token, fault):
    with pytest.raises(ConfigError, match=fault):
        check_settings(Settings(corrections=tmp_path, token=token))


def test_a_token_is_asked_for_everywhere_but_on_the_page_and_for_health(serve_with):
    with serve_with(token=TOKEN) as client:
        for method, path in [("POST", "/predict"), ("GET", "/model"), ("GET", "/metrics"), ("GET", "/openapi.json")]:
            status, headers, answer = client(method, path)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert TOKEN not in answer["error"]
            assert client(method, path, authorization=f"Bearer {TOKEN}x")[0] == 401
        assert client("GET", "/model", authorization=f"Bearer {TOKEN}")[0] == 200
        assert [client("GET", path)[0] for path in ("/", "/health")] == [200, 200]
        assert "shapes" not in client("GET", "/")[2]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]:80", ""])
def test_another_host_name_is_turned_away(server, host):
    status, _, answer = server("GET", "/model", host=host)
    assert status == 421
    assert "not this server" in answer["error"]


def test_names_of_this_machine_are_let_in(server):
    for host in ("localhost", f"127.0.0.1:{server.port}", "[::1]:1"):
        assert server("GET", "/model", host=host)[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_another_page_cannot_write_here(server, origin, tmp_path, photos):
    data = (photos / "circle" / "000.png").read_bytes()
    status, headers, _ = server("POST", "/corrections?label=circle", data, origin=origin)
    assert status == 403
    assert "access-control-allow-origin" not in headers
    assert not (tmp_path / "corrections").exists()
    assert server("POST", "/predict", data, origin=server.address.rstrip("/"))[0] == 200


def test_pages_and_answers_carry_their_headers(server):
    _, headers, page = server("GET", "/")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert "http://" not in page.replace("http://www.w3.org", "")
    for path in ("/", "/health", "/nothing"):
        headers = server("GET", path)[1]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert "server" not in headers


def test_a_body_without_a_length_is_counted_as_it_comes(serve_with):
    with serve_with(max_mb=0.01) as client:
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nConnection: close\r\n"
        chunks = b"".join(b"6\r\nabcdef\r\n" for _ in range(3000)) + b"0\r\n\r\n"
        assert raw(client, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks).startswith(b"HTTP/1.1 413")
        for length in ("-5", "5\r\nContent-Length: 6", "x"):
            assert raw(client, f"{head}Content-Length: {length}\r\n\r\nhello".encode()).startswith(b"HTTP/1.1 400")
        many = "".join(f"X-{n}: y\r\n" for n in range(100_000))
        assert b"200 OK" not in raw(client, f"{head}{many}\r\n".encode())
        assert client("GET", "/health")[0] == 200


def test_slow_requests_are_given_up_and_others_do_not_wait(serve_with):
    with serve_with(timeout=0.5) as client:
        idle = [socket.create_connection((client.host, client.port)) for _ in range(200)]
        begin = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nab"
        start = time.perf_counter()
        assert raw(client, begin).startswith(b"HTTP/1.1 408")
        assert time.perf_counter() - start < 10
        assert client("GET", "/health")[0] == 200
        idle[0].settimeout(10)
        assert idle[0].recv(1) == b""  # closed, for it said nothing
        for connection in idle:
            connection.close()


def test_what_is_too_much_is_turned_away_at_once_and_may_come_again(serve_with, photos):
    data = (photos / "circle" / "000.png").read_bytes()
    with serve_with(queue=2, timeout=5.0) as client:
        hold = [socket.create_connection((client.host, client.port)) for _ in range(2)]
        for connection in hold:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nab")
        deadline = time.perf_counter() + 5
        while "handful_admitted 2" not in client("GET", "/metrics")[2] and time.perf_counter() < deadline:
            time.sleep(0.02)
        status, headers, answer = client("POST", "/predict", data)
        assert (status, headers["retry-after"]) == (503, "1")
        assert "Try again" in answer["error"]
        for connection in hold:
            connection.close()
        while client("POST", "/predict", data)[0] == 503 and time.perf_counter() < deadline:
            time.sleep(0.02)
        assert client("POST", "/predict", data)[0] == 200


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}"):
            serve(tmp_path, Settings(corrections=tmp_path, port=port), progress=Silent(), announce=print)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no model"):
        serve(tmp_path, Settings(corrections=tmp_path, port=0), progress=Silent(), announce=print)
    with pytest.raises(BundleError, match="no run folder"):
        serve(tmp_path / "gone", Settings(corrections=tmp_path, port=0), progress=Silent(), announce=print)


def test_no_threads_are_left_behind(serve_with):
    before = threading.active_count()
    with serve_with(threads=3) as client:
        client("GET", "/health")
    assert threading.active_count() <= before + 1


def test_an_answer_that_takes_too_long_is_given_up(serve_with, monkeypatch, photos):
    from handful.serve.opened import Opened

    answers = Opened.answers

    def slow(self, files, *, max_pixels):
        time.sleep(1.0)
        return answers(self, files, max_pixels=max_pixels)

    data = (photos / "circle" / "000.png").read_bytes()
    with serve_with(timeout=0.3) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Opened, "answers", slow)
            status, headers, answer = client("POST", "/predict", data)
        assert (status, headers["retry-after"]) == (503, "1")
        assert "no answer within 0.3 seconds" in answer["error"]


def test_a_fault_is_told_without_its_details_and_the_next_request_is_answered(serve_with, monkeypatch, photos):
    from handful.serve.opened import Opened

    def faulty(self, files, *, max_pixels):
        raise RuntimeError("secret place")

    data = (photos / "circle" / "000.png").read_bytes()
    with serve_with() as client:
        with monkeypatch.context() as patch:
            patch.setattr(Opened, "answers", faulty)
            status, _, answer = client("POST", "/predict", data)
        assert status == 500
        assert "secret" not in answer["error"]
        assert client("POST", "/predict", data)[0] == 200
