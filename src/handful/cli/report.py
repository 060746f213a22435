"""`handful report`: opens a run's page."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from handful.cli.console import warn
from handful.core.errors import BundleError
from handful.core.sealed import AGAIN, MANIFEST, changed


def report(
    run: Annotated[Path, typer.Argument(help="The run folder that `handful train` made.")],
) -> None:
    """Open a run's report in the browser."""
    page = run / "report.html" if run.is_dir() else run
    if not page.is_file():
        raise BundleError(f"there is no report in {run}. Name the run folder that `handful train` printed.")
    if run.is_dir() and (run / MANIFEST).exists():
        damaged = changed(run)
        if page in damaged:
            raise BundleError(f"{page} changed since it was written. {AGAIN}")
        for path in damaged:
            warn(f"{path} changed since it was written, or is gone.")
    if not webbrowser.open(page.resolve().as_uri()):
        typer.echo(f"No browser was found here. The page is {page.resolve()}")
