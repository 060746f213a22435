"""Listening: the socket, the signals, and the end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from handful.core.errors import ConfigError, MissingExtraError
from handful.core.machine import limit_threads
from handful.core.progress import Progress
from handful.serve.settings import LOOPBACK, Settings, check_settings

GRACE_SECONDS = 30
"""How long requests that were begun may take once the server was told to stop."""

LARGEST_HEAD = 32 * 1024
"""Bytes of a request's headers."""


def serve(run: Path, settings: Settings, *, progress: Progress, announce: Callable[[str], None]) -> None:
    """Serves a run until it is told to stop by SIGINT or SIGTERM; SIGHUP reads the run folder again.

    Args:
        run: the folder that `train` made.
        settings: where to listen, and the limits.
        progress: told about the work.
        announce: called with the address once the server answers.

    Raises:
        ConfigError: the settings are unsafe, or the port is taken.
        BundleError: there is no model in the run, or it is damaged.
        MissingExtraError: the extra `serve` is not installed.
    """
    check_settings(settings)
    try:
        from handful.serve.application import make_application
        from handful.serve.page import make_page
        from handful.serve.served import open_run
    except ImportError:
        raise MissingExtraError("serving a model", "serve") from None
    with limit_threads(1), _listening(settings) as listening:
        served = open_run(run, settings, progress=progress)
        application = make_application(served, make_page("serve.html.j2", in_studio=False))
        address = _address(settings.host, listening.getsockname()[1])
        asyncio.run(
            _until_stopped(
                application,
                settings,
                listening,
                ready=lambda: announce(address),
                on_hangup=served.reload,
            )
        )


def serve_studio(photos: Path, settings: Settings, *, progress: Progress, announce: Callable[[str], None]) -> None:
    """Serves the page on which a model is trained, until it is told to stop by SIGINT, SIGTERM or SIGHUP.

    Args:
        photos: the folder of class folders that pictures are dropped into.
        settings: where to listen, and the limits; the token is made here, anew each time.
        progress: told about the opening of a model.
        announce: called with the address once the server answers; who opens it has the token.

    Raises:
        ConfigError: the address is not this machine's own, or the port is taken.
        MissingExtraError: the extra `serve` is not installed.
    """
    if settings.host not in LOOPBACK:
        raise ConfigError(f"--host is {settings.host!r}; this page is for the machine that it runs on alone.")
    try:
        from handful.serve.studio import Studio, make_studio
    except ImportError:
        raise MissingExtraError("the page to train on", "serve") from None
    with limit_threads(1), _listening(settings) as listening:
        port = listening.getsockname()[1]
        own = replace(settings, token=secrets.token_hex(16), cookie=f"handful-{port}")
        studio = Studio(photos.absolute(), own, progress)
        address = _address(settings.host, port)
        asyncio.run(
            _until_stopped(make_studio(studio), own, listening, ready=lambda: announce(f"{address}?token={own.token}"))
        )


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Opens the socket before anything is loaded, so that a port that is taken is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        opened = socket.create_server((settings.host, settings.port), family=family, backlog=256)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}. "
            f"Choose another with --port, for instance {settings.port + 1}."
        ) from None
    with opened:
        yield opened


async def _until_stopped(
    application: Any,
    settings: Settings,
    listening: socket.socket,
    *,
    ready: Callable[[], None],
    on_hangup: Callable[[], Coroutine[Any, Any, object]] | None = None,
) -> None:
    import uvicorn

    from handful.serve.protocol import patient_for

    config = uvicorn.Config(
        application,
        http=patient_for(settings.timeout),
        ws="none",
        loop="asyncio",
        log_level="error",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # who sends a broken form is told, nobody else
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    hangups: set[asyncio.Task[object]] = set()

    def hang_up() -> None:
        if on_hangup is None:
            stop()
            return
        task = asyncio.create_task(on_hangup())
        hangups.add(task)  # the loop itself does not keep tasks alive
        task.add_done_callback(hangups.discard)

    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not in the main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        if sys.platform != "win32":
            loop.add_signal_handler(signal.SIGHUP, hang_up)
    told = asyncio.ensure_future(_tell_when_started(server, ready))
    await server._serve(sockets=[listening])  # `serve` would take the signals, and raise them again at the end
    told.cancel()


async def _tell_when_started(server: Any, ready: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    ready()


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
