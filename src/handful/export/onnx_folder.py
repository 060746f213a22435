"""The folder that an export leaves: the file, golden pictures with their answers, and a script that checks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from handful.core.errors import ExportError
from handful.core.files import write_bytes, write_json, write_text
from handful.core.folders import staged_folder
from handful.core.progress import Progress
from handful.core.sealed import write_manifest
from handful.export.eight_bits import EightBits, measure_eight_bits
from handful.export.golden import LARGEST_DIFFERENCE, Compared, compare, golden_pictures
from handful.export.onnx_file import require_onnx, to_onnx
from handful.export.opened import open_exported
from handful.transfer import Model

FILE, EIGHT_BITS, GOLDEN, SCRIPT = "model.onnx", "model-int8.onnx", "golden.json", "predict.py"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export made.

    Attributes:
        folder: where it lies.
        n_golden: golden pictures.
        difference: the largest in a probability between the bundle and the file, on these.
        n_bytes: of the file.
        eight_bits: how the file in eight bits answers, where one was asked for.
    """

    folder: Path
    n_golden: int
    difference: float
    n_bytes: int
    eight_bits: EightBits | None = None


def write_onnx(
    model: Model,
    folder: Path,
    *,
    threads: int,
    progress: Progress,
    run: Path | None = None,
    pictures: Path | None = None,
) -> Exported:
    """Writes a model as an ONNX file into a new folder, once it answers as the model does on golden pictures.

    | file | holds |
    |---|---|
    | model.onnx | everything from a decoded picture to the answer, in fp32 |
    | golden/* | drawn pictures of many sizes, modes, formats and orientations |
    | golden.json | the model's probabilities for each |
    | predict.py | checks these, or names the class of files; needs onnxruntime, numpy and Pillow |
    | model-int8.onnx, int8.json | the same in eight bits, and how it did, where pictures are given |
    | manifest.json | the SHA-256 of every file; written last |

    Args:
        model: the classifier.
        folder: must not exist.
        threads: of the processor.
        progress: told about the work.
        run: the model's run folder, which tells its test pictures; for eight bits.
        pictures: the data set of the run, as it was named in training; asks for eight bits too.

    Raises:
        MissingExtraError: ONNX is not installed.
        ExportError: the model cannot be exported, or the file answers otherwise; nothing is written.
        HandfulError: the folder exists, or cannot be written to.
    """
    require_onnx()
    with staged_folder(folder, progress=progress) as staging:
        progress.say("Writing the model as one ONNX file.")
        data = to_onnx(model)
        for name, picture in golden_pictures():
            write_bytes(staging / "golden" / name, picture)
        found = compare(model, open_exported(data), staging / "golden", threads=threads, progress=progress)
        _refuse_other_answers(found)
        write_bytes(staging / FILE, data)
        golden = {f"golden/{name}": row for name, row in zip(found.paths, found.bundle.tolist(), strict=True)}
        write_json(staging / GOLDEN, golden)
        write_text(staging / SCRIPT, _script())
        measured = None
        if pictures is not None and run is not None:
            eight = to_onnx(model, precision="int8")
            write_bytes(staging / EIGHT_BITS, eight)
            measured = measure_eight_bits(open_exported(data), open_exported(eight), run, pictures, progress=progress)
            write_json(staging / "int8.json", measured.facts)
        write_manifest(staging)
    return Exported(folder, len(found.paths), found.difference, len(data), measured)


def _refuse_other_answers(found: Compared) -> None:
    if found.difference <= LARGEST_DIFFERENCE:
        return
    worst = int(abs(found.bundle - found.file).max(axis=1).argmax())
    raise ExportError(
        f"the exported file answers otherwise than the model: a probability differs by {found.difference:.2g} on the "
        f"golden picture {found.paths[worst]}; at most {LARGEST_DIFFERENCE:g} is allowed. Nothing was written. If "
        "Pillow is not the tested version (constraints.txt), install that; else report it with the run's "
        "model/model.json."
    )


def _script() -> str:
    read: Callable[[], str] = files("handful.export").joinpath("templates", "predict.py.txt").read_text
    return read()
