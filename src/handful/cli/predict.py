"""`handful predict`: a run's answers for new pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json
from handful.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from handful.core.records import Prediction


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
    from handful.report import answers_csv

    if csv_file is not None and csv_file.suffix.lower() != ".csv":
        raise ConfigError(
            f"--csv is {str(csv_file)!r}; expected a file whose name ends in .csv, so that no other is lost."
        )
    classifier = api.load(run)
    found = classifier.predict(pictures, threads=threads, progress=Bars())
    if not found.answers:
        listed = "; ".join(f"{skipped.path}: {skipped.reason}" for skipped in found.skipped[:3])
        raise DataError(f"none of the {len(found.skipped)} files could be read: {listed}.")
    lines = [_line(answer) for answer in found]
    if csv_file is not None:
        write_text(csv_file, answers_csv(found, classifier.classes))
        lines = [f"{len(found)} answers in {csv_file}"]
    lines += [f"{skipped.path}  skipped: {skipped.reason}" for skipped in found.skipped]
    value = {
        "classes": classifier.classes,
        "predictions": [
            {
                "path": answer.path,
                "label": answer.label,
                "confidence": float(answer.proba.max()),
                "unsure": answer.unsure,
                "unlike": answer.unlike,
                "named": answer.named,
                "proba": answer.proba,
            }
            for answer in found
        ],
        "skipped": [{"path": s.path, "reason": s.reason} for s in found.skipped],
    }
    Answer(as_json).give("\n".join(lines), value)


def _line(answer: Prediction) -> str:
    """Returns "cat.jpg  cat  91.2 %", with what makes the answer doubtful."""
    doubts = ["unsure"] * answer.unsure + ["unlike the training pictures"] * bool(answer.unlike)
    return "  ".join([f"{answer.path}  {answer.label}  {100 * answer.proba.max():.1f} %", ", ".join(doubts)]).rstrip()
