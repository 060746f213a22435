"""`handful train`: from a folder of pictures to a classifier and its report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from handful.cli.console import Answer, Bars, warn
from handful.cli.options import Json
from handful.core.errors import ConfigError

MOST_FINDINGS = 5
"""Findings about the data that the terminal shows."""


def train(
    options: dict[str, Any],
    photos: Annotated[
        Path | None,
        typer.Argument(help="A folder with one folder per class, a table (CSV, Parquet), or a zip or tar of these."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder to make; by default run, run-2, ...")] = None,
    from_study: Annotated[
        Path | None, typer.Option(help="Train the best setting of a study, on all its learning pictures.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Train layers (--strategy freeze or full) with Ray: on this machine (local, or nothing), or on the "
            "cluster at auto, HOST:PORT or ray://HOST:PORT.",
            metavar="[ADDRESS]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a classifier, measure it on pictures kept apart, and write a report."""
    from handful import api

    if from_study is not None:
        if options:
            raise ConfigError(
                f"{', '.join(sorted(options))}: a study's best setting is trained as the study had it. Leave out every "
                "option but --out, or train without --from-study."
            )
        result = api.train_from_study(from_study, out, data=photos, ray=ray, progress=Bars())
    elif photos is not None:
        result = api.train(photos, out, ray=ray, progress=Bars(), **options)
    else:
        raise ConfigError("no pictures were named. Give a folder: handful train PHOTOS, or handful train --from-study.")
    give_result(result, as_json=as_json)


def give_result(result: Any, *, as_json: bool) -> None:
    """Prints a run's figures and where its report is."""
    from handful.report import result_dict, summary
    from handful.report.text import printable

    run, folder = result.run, result.folder
    places = {"folder": str(folder.resolve()), "report": str(result.report.resolve())}
    if result.untracked:
        warn(printable(result.untracked))
    shown = run.table.findings[:MOST_FINDINGS]
    findings = [f"Note: {printable(finding.message)}" for finding in shown if finding.code != "note"]
    n_more = len(run.table.findings) - len(shown)
    findings += [f"Note: {n_more} more in the report."] if n_more else []
    text = "\n".join([summary(run), *findings])
    text += f"\n\nReport   {result.report}\nPredict  handful predict {shlex.quote(str(folder))} PICTURES/"
    Answer(as_json).give(text, {**result_dict(run), **places})
