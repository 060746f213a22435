"""`handful ui`: a page on which a model is trained and tried, for those who have no use for a command line."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from handful.cli.console import Bars


def ui(
    photos: Annotated[
        Path, typer.Option(help="Folder that takes the pictures dropped on the page, one folder per class.")
    ] = Path("handful-photos"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes one that is free.")] = 8000,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads that answer; all cores by default.")
    ] = None,
) -> None:
    """Open a page to put pictures into classes, train, read the report and try the model."""
    from handful.core.machine import count_threads
    from handful.serve import Settings, serve_studio

    settings = Settings(corrections=photos, port=port, max_mb=30.0, threads=count_threads(threads))

    def announce(address: str) -> None:
        typer.echo(
            f"Open {address}\n(this address is yours alone; Ctrl+C ends it)\n"
            f"Pictures go to {photos.absolute()}, run folders to {Path.cwd()}"
        )
        if not no_browser:
            webbrowser.open(address)

    serve_studio(photos, settings, progress=Bars(), announce=announce)
