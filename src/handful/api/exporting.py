"""A trained model as a file for other programs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from handful import export
from handful.core.folders import free_name
from handful.core.machine import count_threads, limit_threads
from handful.core.progress import Progress, Silent

DEFAULT_OUT = "exported"


def export_onnx(
    run: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    eight_bits_on: str | PathLike[str] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> export.Exported:
    """Writes the model of a run as one ONNX file that takes decoded pictures of any size, with all that checks it.

    The file is compared with the model on golden pictures and is only written where no probability differs by more
    than 1e-4.

    Args:
        run: the run folder.
        out: a new folder; `exported`, or `exported-2` and so on, by default.
        eight_bits_on: the pictures that the run was trained on, as they were named then: asks for a second file, in
            eight bits, which is measured on the run's test pictures among them.
        threads: all cores by default.
        progress: told about the work.

    Raises:
        BundleError: there is no model, it was damaged, or this version cannot read it.
        MissingExtraError: ONNX is not installed.
        ExportError: the model cannot be exported, or the file answers otherwise.
    """
    n_threads = count_threads(threads)
    model = export.load(Path(run))
    with limit_threads(n_threads):
        return export.write_onnx(
            model,
            free_name(Path(DEFAULT_OUT)) if out is None else Path(out),
            threads=n_threads,
            progress=progress or Silent(),
            run=Path(run),
            pictures=None if eight_bits_on is None else Path(eight_bits_on),
        )
