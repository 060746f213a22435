"""A server in a process of its own, and a client that costs little, for what is measured of `handful serve`."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """`handful serve` in a process of its own.

    Attributes:
        process: the server's.
        port: where it listens, on 127.0.0.1.
    """

    process: subprocess.Popen[str]
    port: int

    @property
    def megabytes(self) -> float:
        """Memory that the process holds, from Linux's accounts."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


class Client:
    """One connection that sends ready-made requests, as little work as a client can have.

    Attributes:
        head: status line and headers of the latest answer, in small letters.
    """

    def __init__(self, port: int, *, seconds: float = 600.0) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = b""

    def __call__(self, request: bytes) -> tuple[int, bytes]:
        """Sends a request, reads its answer to the end, and returns status and body."""
        self.connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        self.head = head.lower()
        length = int(self.head.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        """Ends the connection."""
        self.connection.close()

    def _more(self) -> bytes:
        part = self.connection.recv(65536)
        if not part:
            raise ConnectionResetError("the server ended the connection")
        return part


def asked(method: str, path: str, data: bytes = b"", *, kind: str = "application/octet-stream") -> bytes:
    """Returns a request, ready to be sent."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


@contextmanager
def handful_server(run: Path, *options: str) -> Iterator[Server]:
    """Starts `handful serve` on a free port, and ends it with SIGTERM; it must then end with 0.

    Args:
        run: the run folder.
        options: of the command.
    """
    command = [sys.executable, "-m", "handful", "serve", str(run), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split(" at ")[1].split()[0]
            yield Server(process, int(address.rstrip("/").rpartition(":")[2]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert process.returncode == 0, process.returncode
