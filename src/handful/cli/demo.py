"""`handful demo`: a real problem from beginning to end, on pictures that install with pip."""

from __future__ import annotations

import csv
import importlib.util
import io
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from handful.cli.console import Bars
from handful.cli.options import Json
from handful.cli.train import give_result
from handful.core.errors import MissingExtraError
from handful.core.files import cache_folder, write_text
from handful.core.folders import free_name


class LabelMap(StrEnum):
    """How the experts' defect probabilities (0, 1/3, 2/3, 1) become classes."""

    HALF = "half"
    ANY = "any"
    CERTAIN = "certain"


MEANING = {
    LabelMap.HALF: "defective when the experts' probability of a defect is 0.5 or more",
    LabelMap.ANY: "defective when the experts saw any chance of a defect",
    LabelMap.CERTAIN: "only the cells that the experts were certain of",
}


def demo(
    labels: Annotated[
        LabelMap,
        typer.Option(help="Which cells count as defective: probability 0.5 or more, any doubt, or only certain ones."),
    ] = LabelMap.HALF,
    out: Annotated[
        Path | None, typer.Option(help="The run folder to make; by default demo-run, demo-run-2, ...")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")] = 0,
    as_json: Json = False,
) -> None:
    """Train on 2 624 photographs of solar cells: functional or defective?"""
    from handful import api

    others = " and ".join(f"--labels {other}" for other in LabelMap if other is not labels)
    note = (
        f"Solar cells of the ELPV data set (Buerhop-Lutz et al. 2018, CC BY-NC-SA 4.0): {MEANING[labels]}. "
        f"The other label maps: {others}."
    )
    table = write_table(solar_cells(), labels)
    result = api.train(table, out or free_name(Path("demo-run")), progress=Bars(), seed=seed, note=note)
    if not as_json:
        typer.echo(note)
    give_result(result, as_json=as_json)


def solar_cells() -> list[tuple[Path, float]]:
    """Returns the cells' pictures with the probability of a defect, read from the package's files without running it.

    Raises:
        MissingExtraError: the pictures are not installed.
    """
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("The demo", "demo")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text(encoding="utf-8").splitlines()]
    return [(folder / name, float(probability)) for name, probability, _ in rows]


def write_table(cells: list[tuple[Path, float]], labels: LabelMap) -> Path:
    """Writes the table that `handful train` would take, into the cache, and returns its path."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("path", "label"))
    threshold = {LabelMap.HALF: 0.5, LabelMap.ANY: 1e-6, LabelMap.CERTAIN: 0.5}[labels]
    for path, probability in cells:
        if labels is LabelMap.CERTAIN and 0.0 < probability < 1.0:
            continue
        writer.writerow((path, "defective" if probability >= threshold else "functional"))
    table = cache_folder("demo") / f"solar-cells-{labels}.csv"
    write_text(table, stream.getvalue())
    return table
