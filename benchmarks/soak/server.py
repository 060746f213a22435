"""The server under pressure: endless requests, ten times its clients, bad pictures, new models, the end.

python -m benchmarks.soak.server [PART ...]

Draws JPEG pictures of 500 x 375, trains two models on them, and starts `handful serve` for each part, with nothing else
than a run and a port, so that the limits are those that a user gets. All traffic stays on this machine. The part
`document` needs the extra `soak`.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import handful
from benchmarks.asking import Client, asked, handful_server
from benchmarks.engines import draw
from benchmarks.pressure import (
    ENDED,
    answers_per_second,
    drip,
    push,
    raw,
    seconds_alone,
    seed_pictures,
    spoilt,
    together,
    watched,
)
from benchmarks.record import record
from handful import export
from handful.core.progress import Silent
from handful.serve.opened import KEY_DIGITS

N_PICTURES, OVERLOAD_SECONDS, N_TOO_MANY = 60, 60.0, 640
N_IDLE, N_DRIPPING, N_FUZZED = 1000, 40, 1000
N_RELOADS, BAD_RELOADS, N_ASKED, N_CLIENTS = 20, (4, 11, 18), 10_000, 32
DOCUMENT_SECONDS = 300
LONGEST_HEALTH_MS, LARGEST_GROWTH_MB, LEAST_SHARE, LONGEST_RECOVERY_S = 200.0, 2 * 10 + 100.0, 0.8, 5.0
LARGEST_DIFFERENCE = 1e-5
REFUSED = {400, 408, 413, 431, ENDED}

CLAIM = (
    "serve: bodies, headers and connections beyond the limits are refused in bounded memory while /health answers; of "
    "10 times too many clients the surplus is told when to come again; bad pictures and models harm nobody; "
    "SIGTERM loses nothing"
)


@dataclass(slots=True)
class Found:
    """What a part measured, and what did not hold."""

    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def holds(self, promise: str, kept: bool) -> None:
        """Notes a promise that was not kept."""
        if not kept:
            self.broken.append(promise)


@dataclass(frozen=True, slots=True)
class Given:
    """What the parts share.

    Attributes:
        runs: two run folders with the same classes.
        files: pictures, JPEG.
        place: a folder for what a part makes.
    """

    runs: tuple[Path, Path]
    files: Sequence[bytes]
    place: Path


def main() -> None:
    """Runs the parts named, or all of them, and writes the figures down."""
    parts: dict[str, Callable[[Given], Found]] = {
        "limits": limits, "overload": overload, "pictures": pictures, "document": document, "reloads": reloads,
        "agreement": agreement, "end": end,
    }  # fmt: skip
    figures: dict[str, Any] = {}
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        given = _made(Path(place))
        for name in sys.argv[1:] or parts:
            start = time.monotonic()
            found = parts[name](given)
            figures[name] = {**found.figures, "seconds": round(time.monotonic() - start)}
            broken += [f"{name}: {promise}" for promise in found.broken]
            print(f"{name}: {json.dumps(figures[name])} {found.broken}", flush=True)
    claim = f"{CLAIM}; only {', '.join(sys.argv[1:])}" if sys.argv[1:] else CLAIM
    record(claim, figures={**figures, "broken": broken, "niceness": os.nice(0)}, holds=not broken)


def _made(place: Path) -> Given:
    draw(place / "photos", n_images=N_PICTURES)
    first, second = (
        handful.train(place / "photos", place / name, seed=seed, progress=Silent()).folder
        for name, seed in (("first", 0), ("second", 5))
    )
    return Given((first, second), [path.read_bytes() for path in sorted((place / "photos").rglob("*.jpg"))], place)


def limits(given: Given) -> Found:
    """Requests that are too large, too many, broken or endless, a thousand idle connections, and /health meanwhile."""
    found = Found()
    head = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    large = 10_000_001
    chunks = b"6\r\nabcdef\r\n" * (large // 6 + 1)
    hostile = {
        "length": f"{head}Content-Length: {large}\r\n\r\n".encode() + b"x" * large,
        "far more": f"{head}Content-Length: {10**12}\r\n\r\n".encode() + b"x" * (5 * large),
        "chunks of 6": f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n",
        "negative length": f"{head}Content-Length: -5\r\n\r\nhello".encode(),
        "two lengths": f"{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello".encode(),
        "100 000 headers": (head + "".join(f"X-{n}: y\r\n" for n in range(100_000)) + "\r\n").encode(),
        "header of 1 MB": f"{head}X: {'y' * 10**6}\r\n\r\n".encode(),
    }
    with handful_server(given.runs[0]) as server, ExitStack() as open_ones:
        Client(server.port)(asked("POST", "/predict", given.files[0]))
        before = server.megabytes
        with watched(server.port) as health:
            for _ in range(N_IDLE):
                open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            with_idle = server.megabytes
            told = {name: sorted({raw(server.port, request) for _ in range(2)}) for name, request in hostile.items()}
            growth = max(with_idle, server.megabytes) - before
            ended = drip(server.port, N_DRIPPING, seconds=90)
    found.figures = {
        "statuses": told,
        "dripping": dict(Counter(ended)),
        "health_p99_ms": health.p99_ms,
        "n_health": len(health.times),
        "n_idle": N_IDLE,
        "growth_mb": round(growth),
    }
    found.holds("a refusal", all(set(each) <= REFUSED for each in told.values()))
    found.holds("requests that drip are given up", len(ended) == N_DRIPPING and set(ended) <= REFUSED)
    found.holds(f"/health within {LONGEST_HEALTH_MS:g} ms", health.p99_ms <= LONGEST_HEALTH_MS)
    found.holds(f"growth within {LARGEST_GROWTH_MB:g} MB", growth <= LARGEST_GROWTH_MB)
    return found


def overload(given: Given) -> Found:
    """Ten times as many clients as there are places, for a minute, each asking again at once."""
    found = Found()
    requests = _requests(given)
    with handful_server(given.runs[0]) as server:
        answers_per_second(server.port, requests, seconds=3.0, n_clients=16)
        before = answers_per_second(server.port, requests, seconds=10.0, n_clients=16)
        alone = statistics.median(seconds_alone(server.port, requests[0]) for _ in range(20))
        start = time.monotonic()
        statuses, times, n_in_time = push(server.port, requests, seconds=OVERLOAD_SECONDS, n_clients=N_TOO_MANY)
        while seconds_alone(server.port, requests[0]) > 2 * alone and time.monotonic() - start < 3 * OVERLOAD_SECONDS:
            pass
        recovery = time.monotonic() - start - OVERLOAD_SECONDS
        after = answers_per_second(server.port, requests, seconds=10.0, n_clients=16)
    capacity = (before + after) / 2
    share, p99 = n_in_time / OVERLOAD_SECONDS / capacity, float(np.percentile(times, 99))
    found.figures = {
        "capacity_per_second": [round(before, 1), round(after, 1)],
        "clients": N_TOO_MANY,
        "answered_share": round(share, 3),
        "statuses": dict(statuses),
        "answered_p99_s": round(p99, 2),
        "recovery_s": round(recovery, 2),
    }
    found.holds("only 200, and 503 with Retry-After", set(statuses) == {200, 503})
    found.holds("answers within 30 s", p99 <= 30.0)
    found.holds(f"{LEAST_SHARE:.0%} of the capacity", share >= LEAST_SHARE)
    found.holds(f"as before within {LONGEST_RECOVERY_S:g} s", recovery <= LONGEST_RECOVERY_S)
    return found


def pictures(given: Given) -> Found:
    """A thousand spoilt pictures of every format: a status and a sentence, which says nothing of this machine."""
    found = Found()
    statuses: Counter[int] = Counter()
    versions = [version(name).encode() for name in ("pillow", "handful", "uvicorn")]
    telling = [b"Traceback", b".py", b"site-packages", bytes(given.place), bytes(Path.home()), *versions]
    rng, seeds = np.random.default_rng(0), seed_pictures()
    with handful_server(given.runs[0]) as server:
        client = Client(server.port)
        for number in range(N_FUZZED):
            status, body = client(asked("POST", "/predict", spoilt(seeds[number % len(seeds)], rng)))
            statuses[status] += 1
            found.holds(f"nothing of this machine: {body[:200]!r}", not any(word in body for word in telling))
    found.figures = {"statuses": dict(statuses), "n_seeds": len(seeds)}
    found.holds("only 200, 400, 413, 415 and 422", set(statuses) <= {200, 400, 413, 415, 422})
    return found


def document(given: Given) -> Found:
    """Schemathesis asks everything that the OpenAPI document allows, and what it does not."""
    found = Found()
    program = Path(sys.executable).with_name("schemathesis")
    tool = str(program) if program.exists() else shutil.which("schemathesis")
    if tool is None:
        found.holds("schemathesis is installed: pip install 'handful[soak]'", False)
        return found
    with handful_server(given.runs[0], "--corrections", str(given.place / "corrections")) as server:
        address = f"http://127.0.0.1:{server.port}/openapi.json"
        # left out: that a body which the document allows is taken; it cannot say that bytes have to be a picture
        without = ("--exclude-checks", "positive_data_acceptance")
        command = [tool, "run", address, "--max-time", str(DOCUMENT_SECONDS), "--seed", "1", *without]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=given.place)
    lines = [line.strip() for line in ended.stdout.splitlines()]
    found.figures = {"cases": next((line for line in lines if "generated, " in line), ""), "exit": ended.returncode}
    found.holds(ended.stdout[-3000:], ended.returncode == 0)
    return found


def reloads(given: Given) -> Found:
    """Twenty models take each other's place, three of them damaged, while 32 clients ask: none is lost or mixed."""
    found = Found()
    run = given.place / "served"
    shutil.copytree(given.runs[0], run)
    expected, requests = _expected(given, *given.runs), _requests(given)
    answers: list[tuple[int, int, bytes]] = []
    numbers, reloading = itertools.count(), threading.Event()
    statuses, n_shown = [], 0

    def ask() -> None:
        client = Client(server.port)
        while (number := next(numbers)) < N_ASKED or not reloading.is_set():
            row = number % len(requests)
            answers.append((row, *client(requests[row])))

    with handful_server(run) as server:
        answers_per_second(server.port, requests, seconds=3.0, n_clients=N_CLIENTS)
        before = server.megabytes
        asking = threading.Thread(target=together, args=(ask, N_CLIENTS))
        asking.start()
        client = Client(server.port)
        for number in range(N_RELOADS):
            _replace(run, given.runs[(number + 1) % 2], damaged=number in BAD_RELOADS)
            statuses.append(client(asked("POST", "/reload"))[0])
            n_shown += json.loads(client(asked("GET", "/health"))[1])["reload_failed"]
        reloading.set()
        asking.join()
        after = server.megabytes
    differences = [_difference(body, expected, row) for row, status, body in answers if status == 200]
    found.figures = {
        "reloads": dict(Counter(statuses)),
        "shown_in_health": n_shown,
        "answers": dict(Counter(status for _, status, _ in answers)),
        "largest_difference": max(differences),
        "models": dict(Counter(json.loads(body)["model_id"] for _, status, body in answers if status == 200)),
        "memory_times": round(after / before, 3),
        "memory_mb": [round(before), round(after)],
    }
    found.holds("every answer is 200", {status for _, status, _ in answers} == {200} and len(answers) >= N_ASKED)
    found.holds("damaged models are refused and shown", statuses.count(409) == n_shown == len(BAD_RELOADS))
    found.holds("each answer is that of the model that it names", max(differences) <= LARGEST_DIFFERENCE)
    found.holds("memory at most 1.2 times", after <= 1.2 * before)
    return found


def agreement(given: Given) -> Found:
    """A picture alone, among others and under load gets what the library says of it."""
    found = Found()
    expected, requests = _expected(given, given.runs[0]), _requests(given)
    differences: list[float] = []
    with handful_server(given.runs[0]) as server:
        for n_clients in (1, 4, N_CLIENTS):
            rows = iter([*range(len(requests))] * 4)

            def ask(rows: Iterator[int] = rows) -> None:
                client = Client(server.port)
                for row in rows:
                    differences.append(_difference(client(requests[row])[1], expected, row))

            together(ask, n_clients)
    found.figures = {"answers": len(differences), "largest_difference": max(differences)}
    found.holds("differences within 1e-5, and the same class", max(differences) <= LARGEST_DIFFERENCE)
    return found


def end(given: Given) -> Found:
    """SIGTERM: what was begun is answered, nothing new is taken, and the exit code is 0."""
    found = Found()
    request = asked("POST", "/predict", given.files[0])
    statuses: list[int] = []
    with handful_server(given.runs[0]) as server:
        clients = [Client(server.port) for _ in range(N_CLIENTS)]
        for client in clients:
            client.connection.sendall(request)
        while _begun(server.port) < N_CLIENTS:
            time.sleep(0.01)
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for client in clients:
            answer = b""
            while part := client.connection.recv(65536):
                answer += part
            statuses.append(int(answer.split(b" ", 2)[1]) if answer else 0)
        code = server.process.wait(30)
        seconds = time.monotonic() - start
    refused = False
    try:
        Client(server.port)
    except ConnectionRefusedError:
        refused = True
    found.figures = {"begun": dict(Counter(statuses)), "exit": code, "seconds_to_end": round(seconds, 1)}
    found.holds("everything that was begun is answered", set(statuses) == {200})
    found.holds("exit code 0, and nobody listens", code == 0 and refused)
    return found


def _requests(given: Given) -> list[bytes]:
    return [asked("POST", "/predict", data) for data in given.files]


def _begun(port: int) -> int:
    """Returns how many requests for an answer the server has begun to work on, or answered."""
    _, text = Client(port)(asked("GET", "/metrics"))
    names = (b"handful_admitted ", b'handful_requests_total{path="/predict"')
    return sum(int(line.rsplit(b" ", 1)[1]) for line in text.splitlines() if line.startswith(names))


def _expected(given: Given, *runs: Path) -> dict[str, Any]:
    """Returns what the library says of every picture, by the model's key."""
    paths = sorted((given.place / "photos").rglob("*.jpg"))
    return {export.manifest_sha256(run)[:KEY_DIGITS]: handful.load(run).predict(paths) for run in runs}


def _difference(body: bytes, expected: dict[str, Any], row: int) -> float:
    """Returns how far an answer's probabilities are from those of the model that it names; 1 for another class."""
    answer = json.loads(body)
    own = expected[answer["model_id"]][row]
    if answer["label"] != own.label:
        return 1.0
    return float(np.abs(own.proba - list(answer["probabilities"].values())).max())


def _replace(run: Path, other: Path, *, damaged: bool) -> None:
    """Puts a copy of another run in a run's place; a damaged one lacks the last byte of its output layers."""
    shutil.rmtree(run)
    shutil.copytree(other, run)
    if damaged:
        weights = run / "model" / "heads.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1])


if __name__ == "__main__":
    main()
