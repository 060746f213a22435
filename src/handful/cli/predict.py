"""`handful predict`: a run's answers for new pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json
from handful.core.errors import ConfigError, DataError


def predict(
    run: Annotated[Path, typer.Argument(help="The run folder that `handful train` made.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders or archives of pictures.")],
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the answers to this file.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; all cores by default.")] = None,
    as_json: Json = False,
) -> None:
    """Name the class of new pictures."""
    from handful import api
    from handful.core.files import write_text
    from handful.report.tables import csv_text

    if csv_file is not None and csv_file.suffix.lower() != ".csv":
        raise ConfigError(
            f"--csv is {str(csv_file)!r}; expected a file whose name ends in .csv, so that no other is lost."
        )
    classifier = api.load(run)
    found = classifier.predict(pictures, threads=threads, progress=Bars())
    if not found.answers:
        listed = "; ".join(f"{skipped.path}: {skipped.reason}" for skipped in found.skipped[:3])
        raise DataError(f"none of the {len(found.skipped)} files could be read: {listed}.")
    lines = [f"{answer.path}  {answer.label}  {100 * answer.proba.max():.1f} %" for answer in found]
    if csv_file is not None:
        header = ("path", "predicted", "confidence", *(f"p_{name}" for name in classifier.classes))
        rows = ((answer.path, answer.label, float(answer.proba.max()), *answer.proba.tolist()) for answer in found)
        write_text(csv_file, csv_text(header, rows))
        lines = [f"{len(found)} answers in {csv_file}"]
    lines += [f"{skipped.path}  skipped: {skipped.reason}" for skipped in found.skipped]
    value = {
        "classes": classifier.classes,
        "predictions": [
            {"path": a.path, "label": a.label, "confidence": float(a.proba.max()), "proba": a.proba} for a in found
        ],
        "skipped": [{"path": s.path, "reason": s.reason} for s in found.skipped],
    }
    Answer(as_json).give("\n".join(lines), value)
