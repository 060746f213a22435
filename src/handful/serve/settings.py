"""What a server may be asked, and by whom: each default written once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handful.core.errors import ConfigError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHORTEST_TOKEN = 16
"""Letters of a token, at least: 16 letters of hexadecimal digits cannot be guessed over a network."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server listens, and its limits.

    Attributes:
        corrections: the folder that takes corrected pictures.
        host: the address to listen on.
        port: 0 for any that is free.
        token: what a request has to bring; "" where none is needed, which only loopback addresses allow.
        cookie: name of a cookie that may bring the token, for pages of this machine alone; "" for none.
        max_mb: of a request's body, million bytes.
        max_megapixels: of a picture, million pixels.
        queue: requests that are read, wait or are worked on at the same time; more are turned away.
        timeout: seconds that a request may take to arrive, and to be answered.
        threads: that run the network.
        own_engine: whether the engine of the training answers; otherwise the quickest, and the first time on a machine
            some seconds go into finding it.
    """

    corrections: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    cookie: str = ""
    max_mb: float = 10.0
    max_megapixels: float = 64.0
    queue: int = 64
    timeout: float = 30.0
    threads: int = 1
    own_engine: bool = False

    @property
    def max_bytes(self) -> int:
        """Bytes of a request's body."""
        return int(self.max_mb * 1e6)


def check_settings(settings: Settings) -> None:
    """Raises ConfigError where a server would be open to others without a token, or with one that is guessed."""
    if settings.host not in LOOPBACK and not settings.token:
        raise ConfigError(
            f"--host is {settings.host!r}, which other machines can reach; that needs a token. Give one in the "
            "variable HANDFUL_TOKEN (or --token, which other users of this machine can see), or leave --host out."
        )
    if settings.token and (len(settings.token) < SHORTEST_TOKEN or not settings.token.isascii()):
        raise ConfigError(
            f"the token has {len(settings.token)} letters; expected at least {SHORTEST_TOKEN}, plain ASCII. "
            "Make one with: python -c 'import secrets; print(secrets.token_hex(16))'"
        )
    if not settings.token.isprintable() or " " in settings.token:
        raise ConfigError("the token holds a space or a character that no header can carry; use letters and digits.")
