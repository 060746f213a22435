"""Which training pictures a model compares new ones with, and where they lay: so that they can be shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from handful.core.records import Run
from handful.evaluate import reference_rows
from handful.report.text import encodable

FILE = "references.json"


def references_dict(run: Run) -> dict[str, Any] | None:
    """Returns the pictures behind `Familiar.references`, in its order; None where the model keeps none.

    `root` and `add` say where they lay when the run was made, absolute: they are read from there, and shown only
    while their bytes are still the same.
    """
    if run.trust is None or run.trust.rules.familiar is None:
        return None
    train = run.split.train
    rows = train[reference_rows(len(train), seed=run.seed)]
    pictures = [run.table.pictures[index] for index in rows]
    added = run.options["add"].value if "add" in run.options else ()
    return {
        "root": encodable(str(run.table.root)),
        "add": {Path(word).as_posix(): encodable(str(Path(word).absolute())) for word in added},
        "pictures": [
            {
                "path": encodable(picture.path),
                "class": encodable(run.table.classes[picture.label]),
                "sha256": picture.file_sha256,
            }
            for picture in pictures
        ],
    }
