"""`handful reproduce`: the paper's experiments again, with a verdict on each of its claims."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handful.cli.console import Answer, Bars
from handful.cli.demo import LabelMap, solar_cells, write_table
from handful.cli.options import Json
from handful.core.errors import MissingExtraError
from handful.core.folders import free_name

if TYPE_CHECKING:
    from handful.reproduce import Reproduction


class Mode(StrEnum):
    """Which layers learn."""

    FEATURES = "features"
    FINETUNE = "finetune"


def reproduce(
    figures: Annotated[
        list[str] | None, typer.Argument(help="Figures of the paper, such as 6 7a 10, or all (the default).")
    ] = None,
    figure: Annotated[list[str] | None, typer.Option(help="A figure, as in the argument; may be repeated.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A copy of CIFAR-10 or any folder of pictures; the official archive is fetched by default."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings of each setting.")] = 3,
    mode: Annotated[
        Mode, typer.Option(help="features: imported layers stay fixed; finetune: all learn (for a GPU, or patience).")
    ] = Mode.FEATURES,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to make, or an unfinished one to go on with; by default reproduction."),
    ] = None,
    classes: Annotated[str, typer.Option(help="Classes, separated by commas; the first five by name by default.")] = "",
    backbone: Annotated[str | None, typer.Option(help="Another network than the paper's AlexNet.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; all cores by default.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never open a network connection.")] = False,
    as_json: Json = False,
) -> None:
    """Do the paper's experiments again, and judge each of its claims by what comes out."""
    from handful.core.machine import count_threads
    from handful.reproduce import Request
    from handful.reproduce import reproduce as run
    from handful.reproduce.tables import verdicts_dict

    request = Request(
        data=data,
        out=out or free_name(Path("reproduction")),
        figures=(*(figures or ()), *(figure or ())),
        n_seeds=seeds,
        mode=mode.value,
        classes=tuple(name.strip() for name in classes.split(",") if name.strip()),
        backbone=backbone,
        unlike=_solar_cells(),
        threads=count_threads(threads),
        offline=offline,
    )
    made = run(request, progress=Bars())
    page = str((request.out / "index.html").resolve())
    Answer(as_json).give("\n".join(_lines(made, page)), {**verdicts_dict(made), "page": page})


def _solar_cells() -> Path | None:
    """Returns the table of the demo's solar cells, pictures unlike ImageNet's; None where they are not installed."""
    try:
        return write_table(solar_cells(), LabelMap.HALF)
    except MissingExtraError:
        return None


def _lines(made: Reproduction, page: str) -> list[str]:
    from handful.report.text import percent, percent_range, printable
    from handful.reproduce.page import NAMES, headline

    width = max(len(NAMES.get(each.figure, each.figure)) for each in made.verdicts)
    lines = [headline(made.verdicts), made.network, *(printable(each) for each in made.cautions), ""]
    for each in made.verdicts:
        lines += [f"{NAMES.get(each.figure, each.figure):<{width}}  {each.verdict}: {each.claim}", f"  {each.sentence}"]
    if made.evidence.test is not None:
        test = made.evidence.test
        lines += [
            "",
            f"The best setting is right on {percent(test.accuracy)} of {test.n_test} test pictures "
            f"({percent_range(test.accuracy_interval)}); the paper reports over 85 %.",
        ]
    lines += ["", *made.directions] if made.directions else []
    return [*lines, "", f"Page    {page}"]
