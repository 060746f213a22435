"""`handful rerun`: a run made again, and whether it comes out the same."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json

DIFFERS = 1


def rerun(
    run: Annotated[Path, typer.Argument(help="The run folder that `handful train` made.")],
    data: Annotated[
        Path | None, typer.Option(help="Where the pictures are now, if not where the run found them.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The new run folder; by default RUN-again, RUN-again-2, ...")] = None,
    as_json: Json = False,
) -> None:
    """Repeat a run from its own folder and say whether it agrees to the last bit; exit code 1 where it does not."""
    from handful import api

    made = api.rerun(run, out, data=data, progress=Bars())
    compared = made.comparison
    value = {
        "agrees": compared.agrees,
        "sentence": compared.sentence,
        "hashes": {name: list(pair) for name, pair in compared.hashes.items()},
        "reasons": list(compared.reasons),
        "data": asdict(compared.data),
        "figures": {name: list(pair) for name, pair in compared.gaps.items()},
        "folder": str(made.result.folder.resolve()),
    }
    Answer(as_json).give(f"{compared.sentence}\n\nReport   {made.result.report}", value)
    if not compared.agrees:
        raise typer.Exit(DIFFERS)
