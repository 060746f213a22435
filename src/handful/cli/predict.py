"""`handful predict`: a run's answers for new pictures, a few on the terminal or any number in a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json
from handful.core.errors import ConfigError, DataError
from handful.core.stops import told_when_stopped

if TYPE_CHECKING:
    from handful.api import Classifier, Predictions, Written
    from handful.core.records import Prediction, Skipped

DOUBTS = ("unsure", "unlike the training pictures")


def predict(
    run: Annotated[Path, typer.Argument(help="The run folder that `handful train` made.")],
    pictures: Annotated[
        list[str],
        typer.Argument(
            help="Pictures; folders, archives or tables (.csv, .tsv, .parquet) of pictures; addresses of them (s3://...)."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the answers to this .csv, .jsonl or .parquet file; goes on where it was stopped."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Give so many classes, the most probable first, and no others.")
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Write what the networks see in each picture too, into a .parquet --out.")
    ] = False,
    sort_into: Annotated[
        Path | None, typer.Option(help="Sort the pictures into class folders in this folder; doubtful ones in _unsure.")
    ] = None,
    by: Annotated[
        Literal["link", "copy"], typer.Option(help="Sort by links or by copies; the originals stay where they are.")
    ] = "link",
    ray: Annotated[
        str | None,
        typer.Option(
            help="Answer with Ray, into --out: on this machine (local, or nothing), or on the cluster at auto, "
            "HOST:PORT or ray://HOST:PORT.",
            metavar="[ADDRESS]",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; all cores by default.")] = None,
    as_json: Json = False,
) -> None:
    """Name the class of new pictures."""
    from handful import api

    classifier = api.load(run)
    if sort_into is not None and out is None:
        out = sort_into / "predictions.csv"
    if out is None and (features or ray is not None):
        what = "--features" if features else "--ray"
        raise ConfigError(f"{what} is for many pictures, whose answers go into a table. Name it with --out.")
    if out is None:
        found = classifier.predict(pictures, threads=threads, progress=Bars())
        if not found.answers:
            raise _none_readable(len(found.skipped), found.skipped)
        Answer(as_json).give(_lines(found, classifier, top), _value(found, classifier))
        return
    options: dict[str, Any] = {"top": top, "features": features, "sort_into": sort_into, "by": by, "ray": ray}
    kept = f"the answers so far are kept beside {out}, and the same command goes on from there"
    with told_when_stopped(lambda: kept):
        written = classifier.predict_into(out, pictures, **options, threads=threads, progress=Bars())
    if written.n_skipped == written.n_pictures:
        raise _none_readable(written.n_skipped, written.skipped)
    Answer(as_json).give(_told(written), _counts(written))


def _lines(found: Predictions, classifier: Classifier, top: int | None) -> str:
    """Returns a line for every picture."""
    lines = [_line(answer, classifier.classes, top or 1) for answer in found]
    return "\n".join(lines + [f"{skipped.path}  skipped: {skipped.reason}" for skipped in found.skipped])


def _line(answer: Prediction, classes: tuple[str, ...], top: int) -> str:
    """Returns "cat.jpg  cat  91.2 %", the next classes too where they are asked for, and what makes it doubtful."""
    best = np.argsort(-answer.proba, kind="stable")[:top].tolist()
    named = [f"{classes[index]}  {100 * answer.proba[index]:.1f} %" for index in best]
    doubts = [doubt for doubt, is_so in zip(DOUBTS, (answer.unsure, answer.unlike), strict=True) if is_so]
    return "  ".join([answer.path, *named, ", ".join(doubts)]).rstrip()


def _value(found: Predictions, classifier: Classifier) -> dict[str, Any]:
    """Returns all answers for programs."""
    return {
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


def _told(written: Written) -> str:
    """Returns what became of many pictures, in a few lines."""
    n_answers = written.n_pictures - written.n_skipped
    counts = ", ".join(f"{n:,} {name}" for name, n in written.counts.most_common() if n)
    before = f" ({written.n_before:,} of them before it was stopped)" if written.n_before else ""
    lines = [f"{n_answers:,} answers in {written.out}{before}: {counts}."]
    marked = [f"{n:,} {what}" for n, what in zip((written.n_unsure, written.n_unlike), DOUBTS, strict=True) if n]
    if marked:
        lines.append(f"Marked: {', '.join(marked)}.")
    if written.n_skipped:
        lines.append(
            f"Could not be read, with the reason in the column error: {_some(written.n_skipped, written.skipped)}"
        )
    if written.sorted_into is not None:
        n_sorted = n_answers - written.n_unsorted
        lines.append(
            f"{n_sorted:,} pictures sorted into {written.sorted_into}, {written.n_set_apart:,} of them in _unsure."
        )
    if written.n_unsorted:
        lines.append(f"Could not be sorted: {_some(written.n_unsorted, written.unsorted)}")
    return "\n".join(lines)


def _counts(written: Written) -> dict[str, Any]:
    """Returns the same for programs."""
    return {
        "out": str(written.out),
        "n_pictures": written.n_pictures,
        "n_before": written.n_before,
        "counts": dict(written.counts),
        "n_unsure": written.n_unsure,
        "n_unlike": written.n_unlike,
        "n_skipped": written.n_skipped,
        "sorted_into": None if written.sorted_into is None else str(written.sorted_into),
        "n_set_apart": written.n_set_apart,
        "n_unsorted": written.n_unsorted,
    }


def _some(n_files: int, first: list[Skipped]) -> str:
    listed = "; ".join(f"{skipped.path}: {skipped.reason}" for skipped in first)
    more = f"; and {n_files - len(first):,} more" if n_files > len(first) else ""
    return f"{n_files:,}. {listed}{more}."


def _none_readable(n_files: int, skipped: tuple[Skipped, ...] | list[Skipped]) -> DataError:
    listed = "; ".join(f"{one.path}: {one.reason}" for one in skipped[:3])
    return DataError(f"none of the {n_files} files could be read: {listed}.")
