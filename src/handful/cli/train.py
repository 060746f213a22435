"""`handful train`: from a folder of pictures to a classifier and its report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json

MOST_FINDINGS = 5
"""Findings about the data that the terminal shows."""


def train(
    photos: Annotated[
        Path,
        typer.Argument(help="A folder with one folder per class, a table (CSV, Parquet), or a zip or tar of these."),
    ],
    options: dict[str, Any],
    out: Annotated[Path | None, typer.Option(help="The run folder to make; by default run, run-2, ...")] = None,
    as_json: Json = False,
) -> None:
    """Train a classifier, measure it on pictures kept apart, and write a report."""
    from handful import api

    result = api.train(photos, out, progress=Bars(), **options)
    give_result(result, as_json=as_json)


def give_result(result: Any, *, as_json: bool) -> None:
    """Prints a run's figures and where its report is."""
    from handful.report import result_dict, summary
    from handful.report.text import printable

    run, folder = result.run, result.folder
    places = {"folder": str(folder.resolve()), "report": str(result.report.resolve())}
    shown = run.table.findings[:MOST_FINDINGS]
    findings = [f"Note: {printable(finding.message)}" for finding in shown if finding.code != "note"]
    n_more = len(run.table.findings) - len(shown)
    findings += [f"Note: {n_more} more in the report."] if n_more else []
    text = "\n".join([summary(run), *findings])
    text += f"\n\nReport   {result.report}\nPredict  handful predict {shlex.quote(str(folder))} PICTURES/"
    Answer(as_json).give(text, {**result_dict(run), **places})
