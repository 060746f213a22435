"""`handful export`: a run's model as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json
from handful.core.errors import ConfigError

if TYPE_CHECKING:
    from handful.export import Exported


def export(
    run: Annotated[Path, typer.Argument(help="The run folder that `handful train` made.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="As one ONNX file, from the decoded picture to the answer.")],
    out: Annotated[Path | None, typer.Option(help="A new folder for it; `exported` by default.")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="A second file in eight bits, with its accuracy.")] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(help="With --int8: the pictures that the run was trained on; its test pictures measure the file."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; all cores by default.")] = None,
    as_json: Json = False,
) -> None:
    """Write the model as a file that needs neither handful nor PyTorch."""
    from handful import api

    if not onnx:
        raise ConfigError("there is one format to export to: --onnx.")
    if int8 != (pictures is not None):
        raise ConfigError(
            "--int8 and --pictures go together: the file in eight bits is measured on the run's test pictures. Add "
            + ("--pictures PHOTOS." if int8 else "--int8.")
        )
    made = api.export_onnx(run, out, eight_bits_on=pictures, threads=threads, progress=Bars())
    value = {
        "folder": made.folder,
        "bytes": made.n_bytes,
        "golden_pictures": made.n_golden,
        "largest_difference": made.difference,
        "int8": made.eight_bits.facts if made.eight_bits else None,
    }
    Answer(as_json).give("\n".join(_lines(made)), value)


def _lines(made: Exported) -> list[str]:
    lines = [
        f"{made.folder / 'model.onnx'}  {made.n_bytes / 1e6:.1f} MB",
        f"On {made.n_golden} golden pictures no probability differs from the model's by more than "
        f"{made.difference:.1g}. To check it anywhere: python {made.folder / 'predict.py'}",
    ]
    eight = made.eight_bits
    if eight is not None:
        gain, low, high = (100 * share for share in eight.gain)
        lines.append(
            f"{made.folder / 'model-int8.onnx'}  {100 * eight.accuracy:.1f} % of the {eight.n_images} test pictures "
            f"right, in fp32 {100 * eight.accuracy_fp32:.1f} %: {gain:+.1f} points, 95 % interval {low:+.1f} to "
            f"{high:+.1f}, paired"
        )
    return lines
