"""200 downloads of which most go wrong: cut off, changed, swapped, doubled, killed, without room on the disk.

python -m benchmarks.soak.downloads [N]

The server is a process of this machine. Whatever happens, the file's name stands for the published bytes or nothing.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.record import record
from handful.backbones import received
from handful.backbones.download import download
from handful.backbones.received import Policy
from handful.core.errors import HandfulError
from handful.core.progress import Silent

N_RUNS = 200
CONTENT = random.Random(0).randbytes(4_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PIECE = 1 << 16
LOCAL = Policy(hosts=("127.0.0.1",), schemes=("http",), private=True)
KINDS = (
    "good", "cut", "cut always", "short", "longer", "one bit", "swapped after a break", "forgetful", "error", "killed",
    "stopped", "two at once", "two, one killed", "no room",
)  # fmt: skip


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT in its way: the path says what goes wrong, and the number that decides where."""

    broken: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        """Answers; the same path behaves better when it is asked again, where the kind says so."""
        _, kind, number = self.path.replace("%20", " ").replace("%2C", ",").split("/")
        draws = random.Random(f"{kind} {number}")
        again = self.path in self.broken
        self.broken.add(self.path)
        if kind == "error":
            self.send_error(draws.choice((403, 404, 500, 503)))
            return
        body = CONTENT
        if kind == "short":
            body = body[: draws.randrange(len(body))]
        elif kind == "longer":
            body += b"x" * draws.randrange(1, 100_000)
        elif kind == "one bit":
            at = draws.randrange(len(body))
            body = body[:at] + bytes([body[at] ^ (1 << draws.randrange(8))]) + body[at + 1 :]
        elif kind == "swapped after a break" and again:
            body = body[::-1]
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and kind != "forgetful" else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        breaks = kind == "cut always" or (kind in ("cut", "swapped after a break", "forgetful") and not again)
        end = draws.randrange(start, len(body)) if breaks else len(body)
        for at in range(start, end, PIECE):
            self.wfile.write(body[at : min(end, at + PIECE)])
            time.sleep(0.001)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def serve(line: Connection) -> None:
    """Serves until it is ended; tells its port first."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    line.send(server.server_port)
    server.serve_forever()


def fetch(url: str, path: Path, *, room: int | None) -> None:
    """Downloads, in a process of its own; ends with 1 where that was refused."""
    received.PAUSE = 0.0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        download(url, path, sha256=SHA256, max_bytes=len(CONTENT), policy=LOCAL, progress=Silent())
    except HandfulError:
        os._exit(1)
    except KeyboardInterrupt:
        os._exit(2)
    os._exit(0)


def state(path: Path) -> str:
    """Returns what stands under a name: "nothing", "whole" or "bad"."""
    if not path.exists():
        return "nothing"
    return "whole" if hashlib.sha256(path.read_bytes()).hexdigest() == SHA256 else "bad"


def run(kind: str, number: int, path: Path, *, port: int) -> None:
    """Lets one or two processes download a file, and ends one of them where the kind says so."""
    draws = random.Random(number)
    fork = multiprocessing.get_context("fork")
    room = draws.randrange(len(CONTENT)) if kind == "no room" else None
    url = f"http://127.0.0.1:{port}/{kind.replace(' ', '%20').replace(',', '%2C')}/{number}"
    count = 2 if kind.startswith("two") else 1
    started = [fork.Process(target=fetch, args=(url, path), kwargs={"room": room}) for _ in range(count)]
    for process in started:
        process.start()
    if kind.endswith(("killed", "stopped")):
        time.sleep(draws.uniform(0.0, 0.15))
        os.kill(int(started[0].pid or 0), signal.SIGKILL if kind.endswith("killed") else signal.SIGINT)
    for process in started:
        process.join()


def attack(n_runs: int) -> dict[str, Any]:
    """Returns how often the name stood for the whole file, for nothing, or, which must not be, for anything else."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    server = fork.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    outcomes: Counter[str] = Counter()
    last = Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        for number in range(n_runs):
            kind = KINDS[number % len(KINDS)]
            path = Path(place) / f"{number}" / "weights.pth"
            run(kind, number, path, port=port)
            outcomes[f"{kind}: {state(path)}"] += 1
            run("good", number, path, port=port)
            last[state(path)] += 1
            left = [other.name for other in path.parent.iterdir() if other != path]
            outcomes["left over by killed ones"] += len(left)
            outcomes["left over by others"] += len(left) if "killed" not in kind else 0
    server.terminate()
    bad = sum(count for name, count in outcomes.items() if name.endswith(": bad")) + last["bad"]
    return {"runs": n_runs, "bad": bad, "whole_when_tried_again": last["whole"], "outcomes": dict(outcomes)}


def main() -> None:
    """Downloads so many times, and writes down what came of it."""
    n_runs = int(sys.argv[1]) if sys.argv[1:] else N_RUNS
    figures = attack(n_runs)
    outcomes = figures["outcomes"]
    record(
        f"{n_runs} downloads gone wrong: never a bad file under the final name, and the next try is whole",
        figures=figures,
        holds=figures["bad"] == 0
        and figures["whole_when_tried_again"] == n_runs
        and outcomes.get("left over by others", 0) == 0,
    )


if __name__ == "__main__":
    main()
