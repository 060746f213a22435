"""`handful serve`: a run's model behind a local address, with a page to try it on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handful.cli.console import Bars

TOKEN_VARIABLE = "HANDFUL_TOKEN"  # noqa: S105  the name of a variable


def serve(
    run: Annotated[Path, typer.Argument(help="The run folder that `handful train` made.")],
    host: Annotated[str, typer.Option(help="Address to listen on; one that others can reach needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes one that is free.")] = 8000,
    token: Annotated[
        str, typer.Option(envvar=TOKEN_VARIABLE, help="What every request has to bring.", show_envvar=True)
    ] = "",
    corrections: Annotated[
        Path | None, typer.Option(help="Folder for corrected pictures; by default RUN-corrections beside the run.")
    ] = None,
    max_mb: Annotated[float, typer.Option(min=0.001, max=1000.0, help="Largest request, in megabytes.")] = 10.0,
    max_megapixels: Annotated[
        float, typer.Option(min=0.001, max=1000.0, help="Largest picture, in million pixels.")
    ] = 64.0,
    queue: Annotated[int, typer.Option(min=1, max=100_000, help="Requests at once; more are sent away.")] = 64,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600.0, help="Seconds that a request may take.")] = 30.0,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; all cores by default.")] = None,
) -> None:
    """Serve a trained model on this machine: a page to try it on, and answers over HTTP."""
    from handful.core.machine import count_threads
    from handful.serve import Settings
    from handful.serve import serve as listen

    place = run.resolve()
    settings = Settings(
        corrections=corrections or place.with_name(f"{place.name}-corrections"),
        host=host,
        port=port,
        token=token,
        max_mb=max_mb,
        max_megapixels=max_megapixels,
        queue=queue,
        timeout=timeout,
        threads=count_threads(threads),
    )

    def announce(address: str) -> None:
        typer.echo(f"{run} answers at {address} (Ctrl+C ends it)\nCorrections go to {settings.corrections}")

    listen(run, settings, progress=Bars(), announce=announce)
