"""What a server has to bear: clients that ask much, clients that never end, and pictures that are none."""

from __future__ import annotations

import io
import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from benchmarks.asking import Client, asked

ENDED = 0
"""Stands for the status where a connection was ended without one."""

PAUSE = 0.02
"""Seconds between two questions whether the server is well."""


@dataclass(slots=True)
class Health:
    """How long /health took, each time on a new connection.

    Attributes:
        times: of each answer, seconds.
    """

    times: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return round(1000.0 * float(np.percentile(self.times, 99)), 1)


@contextmanager
def watched(port: int) -> Iterator[Health]:
    """Asks for /health again and again while the context is open."""
    health, over = Health(), threading.Event()

    def ask() -> None:
        while not over.wait(PAUSE):
            start = time.perf_counter()
            client = Client(port)
            assert client(asked("GET", "/health"))[0] == 200
            client.close()
            health.times.append(time.perf_counter() - start)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield health
    finally:
        over.set()
        thread.join()


def raw(port: int, request: bytes) -> int:
    """Sends bytes as they are and returns the status that comes back, `ENDED` where none does."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while len(answer) < 12 and (part := connection.recv(65536)):
                answer += part
    return int(answer.split(b" ", 2)[1]) if answer else ENDED


def drip(port: int, n_connections: int, *, seconds: float) -> list[int]:
    """Sends a byte a second over each connection and returns how the server ended them, within so many seconds.

    A quarter each are slow with their first headers, with their second ones, with a picture, and with a body that
    nobody reads.
    """
    body = b"Host: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
    begun = {
        0: b"GET /health HTTP/1.1\r\nX: ",
        1: asked("GET", "/health") + b"GET /health HTTP/1.1\r\nX: ",
        2: b"POST /predict HTTP/1.1\r\n" + body,
        3: b"POST /nothing HTTP/1.1\r\n" + body,
    }
    first = {1: b"HTTP/1.1 200", 3: b"HTTP/1.1 404"}
    kinds: dict[socket.socket, int] = {}
    for number in range(n_connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.sendall(begun[number % 4])
        if number % 4 in first:
            answer = connection.recv(65536)
            assert answer.startswith(first[number % 4]), answer
        connection.setblocking(False)
        kinds[connection] = number % 4
    ended: list[int] = []
    start = time.monotonic()
    while kinds and time.monotonic() - start < seconds:
        for connection in list(kinds):
            answer, over = b"", False
            try:
                with suppress(BlockingIOError):
                    answer = connection.recv(65536)
                    over = not answer
                connection.sendall(b"y")
            except ConnectionError:
                over = True
            if over or answer.startswith(b"HTTP/1.1 408"):
                ended.append(int(answer.split(b" ", 2)[1]) if answer else ENDED)
                connection.close()
                del kinds[connection]
        time.sleep(1.0)
    for connection in kinds:
        connection.close()
    return ended


def together(work: Callable[[], None], n_threads: int) -> None:
    """Calls a function in so many threads and waits for all of them."""
    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def answers_per_second(port: int, requests: Sequence[bytes], *, seconds: float, n_clients: int) -> float:
    """Returns how many requests are answered by 200 in a second where each client waits for its answer."""
    numbers, n_answered = itertools.count(), Counter[int]()
    start = time.perf_counter()

    def ask() -> None:
        client = Client(port)
        while time.perf_counter() - start < seconds:
            n_answered[client(requests[next(numbers) % len(requests)])[0]] += 1
        client.close()

    together(ask, n_clients)
    return n_answered[200] / (time.perf_counter() - start)


def seconds_alone(port: int, request: bytes) -> float:
    """Returns how long one request takes on a connection of its own."""
    start = time.perf_counter()
    client = Client(port)
    client(request)
    client.close()
    return time.perf_counter() - start


def push(
    port: int, requests: Sequence[bytes], *, seconds: float, n_clients: int
) -> tuple[Counter[int], list[float], int]:
    """Lets so many clients ask, each again as soon as it is answered or refused, whatever it is told.

    Returns:
        The statuses, the seconds that each 200 took, and how many of these came within the time; what was asked then
        is waited for. `ENDED` counts connections that were lost and refusals that do not say when to come again.
    """
    numbers, statuses, times, in_time = itertools.count(), Counter[int](), list[float](), itertools.count()
    start = time.perf_counter()

    def send() -> None:
        client = Client(port)
        while (begun := time.perf_counter()) - start < seconds:
            try:
                status, _ = client(requests[next(numbers) % len(requests)])
            except ConnectionError:
                status, client = ENDED, Client(port)
            if status == 503 and b"retry-after: " not in client.head:
                status = ENDED
            statuses[status] += 1
            if status == 200:
                ended = time.perf_counter()
                times.append(ended - begun)
                if ended - start <= seconds:
                    next(in_time)
        client.close()

    together(send, n_clients)
    return statuses, times, next(in_time)


def seed_pictures() -> list[bytes]:
    """Returns small files of every format that is read, from which mutations begin."""
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).resize((120, 80))
    grey = colours.convert("L")
    made = [(colours, kind, {}) for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")]
    made += [(colours, "JPEG", {"progressive": True}), (colours.convert("CMYK"), "JPEG", {}), (grey, "TIFF", {})]
    made += [(colours.convert("RGBA"), "PNG", {}), (grey.convert("I;16"), "PNG", {}), (colours.convert("P"), "PNG", {})]
    files = []
    for picture, kind, options in made:
        stream = io.BytesIO()
        picture.save(stream, format=kind, **options)
        files.append(stream.getvalue())
    return files


def spoilt(data: bytes, rng: np.random.Generator) -> bytes:
    """Returns a file in which bytes were changed, most of them near its head; half of them are cut as well."""
    values = np.frombuffer(data, dtype=np.uint8).copy()
    n_changed = int(rng.integers(1, 40))
    places = np.minimum(rng.exponential(len(values) / 6, n_changed).astype(int), len(values) - 1)
    values[places] = rng.integers(0, 256, n_changed)
    return values[: rng.integers(1, len(values) + 1)].tobytes() if rng.integers(2) else values.tobytes()
