"""What a run was made from, so that it can be made again and compared: provenance.json and pictures.csv."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from handful.core.files import sha256_bytes
from handful.core.provenance import Provenance
from handful.core.records import ImageTable, Run
from handful.report.tables import csv_text
from handful.report.text import encodable

FILE, PICTURES = "provenance.json", "pictures.csv"
FORMAT = 1


def provenance_dict(run: Run, made: Provenance) -> dict[str, Any]:
    """Returns what a repetition has to be given as plain values: what provenance.json holds."""
    data = {"root": encodable(str(run.table.root)), "sha256": data_sha256(run.table), "n": len(run.table.pictures)}
    return {"format": FORMAT, "data": data, **asdict(made)}


def bundle_facts(table: ImageTable, made: Provenance) -> dict[str, Any]:
    """Returns the part of it that travels with the model: no path, no name of a picture; what made.json holds."""
    return {
        "data_sha256": data_sha256(table),
        "code_sha256": made.code_sha256,
        "versions": dict(made.versions),
        "processor": made.processor,
        "flags": list(made.flags),
        "threads": made.options["threads"],
        "seed": made.options["seed"],
    }


def pictures_csv(run: Run) -> str:
    """Returns every picture that was read: path, class, part (empty for those left over), hash of its bytes."""
    part = np.full(len(run.table.pictures), "", dtype=object)
    for name in ("train", "validation", "test"):
        part[getattr(run.split, name)] = name
    rows = (
        (picture.path, run.table.classes[picture.label], str(part[index]), picture.file_sha256)
        for index, picture in enumerate(run.table.pictures)
    )
    return csv_text(("path", "class", "part", "sha256"), rows)


def data_sha256(table: ImageTable) -> str:
    """Returns a hash of a data set: of path, class and bytes of every picture, whatever folder they lie in."""
    rows = (
        f"{each.file_sha256} {encodable(table.classes[each.label])} {encodable(each.path)}" for each in table.pictures
    )
    return sha256_bytes("\n".join(rows).encode())


def held_out_sha256(run: Run) -> str:
    """Returns a hash of the held-out probabilities of every output layer, to the last bit."""
    arrays = (np.ascontiguousarray(head.held_out_proba, dtype=np.float64) for head in run.heads)
    return sha256_bytes(b"".join(array.tobytes() for array in arrays))
