"""`handful check`: what handful sees in a data set, before anything is trained."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json

MOST_LISTED = 20
"""Skipped files that the terminal shows."""


def check(
    photos: Annotated[Path, typer.Argument(help="A folder with one folder per class, a table, or an archive.")],
    options: dict[str, Any],
    as_json: Json = False,
) -> None:
    """Read every picture and say what is there, what is skipped, and what looks wrong."""
    from handful.core.config import TrainConfig
    from handful.core.machine import count_threads
    from handful.images import read
    from handful.split import find_leaks, leak_note, units

    table = read(photos, TrainConfig.of(options).reading, threads=count_threads(None), progress=Bars())
    counts = Counter(picture.label for picture in table.pictures)
    repeated = len(table.pictures) - len({picture.pixel_sha256 for picture in table.pictures})
    leaks = find_leaks(table)
    width = max(len(name) for name in table.classes)
    lines = [f"{len(table.pictures)} pictures in {len(table.classes)} classes, {len(table.skipped)} skipped"]
    lines += [f"  {name:<{width}}  {counts[label]:>6}" for label, name in enumerate(table.classes)]
    lines += [f"  skipped {skipped.path}: {skipped.reason}" for skipped in table.skipped[:MOST_LISTED]]
    if len(table.skipped) > MOST_LISTED:
        lines.append(f"  ... and {len(table.skipped) - MOST_LISTED} more; --json lists all")
    if repeated:
        lines.append(
            f"  {repeated} pictures repeat the pixels of another; training keeps them on one side of the split"
        )
    lines += [f"  {leak_note(table, leaks)}."] if leaks else []
    lines += [f"  {finding.message}" for finding in table.findings]
    value = {
        "n_images": len(table.pictures),
        "classes": {name: counts[label] for label, name in enumerate(table.classes)},
        "skipped": [{"path": s.path, "reason": s.reason} for s in table.skipped],
        "n_repeated": repeated,
        "copies": [asdict(copy) for copy in table.copies],
        "leaks": [[table.pictures[test].path, table.pictures[other].path] for test, other in leaks],
        "n_units": len(set(units(table.pictures).tolist())),
        "findings": [{"code": f.code, "message": f.message} for f in table.findings],
    }
    Answer(as_json).give("\n".join(lines), value)
