"""`handful study`: what each option does, measured."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json

if TYPE_CHECKING:
    from handful.api import StudyResult

MOST_SHOWN = 5
"""Settings that the terminal shows."""


class Search(StrEnum):
    """How settings are chosen."""

    GRID = "grid"
    RANDOM = "random"
    TPE = "tpe"


class Prune(StrEnum):
    """How a search gives settings up early."""

    NONE = "none"
    MEDIAN = "median"
    HALVING = "halving"


def study(
    photos: Annotated[Path, typer.Argument(help="A folder with one folder per class, a table, or an archive.")],
    options: dict[str, Any],
    vary: Annotated[
        list[str],
        typer.Option(
            help="An option and its values: lr=1e-5..1e-1:log5, l2=0,1e-4,5e-4, or lr=1e-5..1e-1:log for a search; "
            "may be repeated."
        ),
    ],
    seeds: Annotated[int, typer.Option(help="Trainings of each setting.")] = 3,
    search: Annotated[Search, typer.Option(help="grid: every combination; random and tpe: by Optuna.")] = Search.GRID,
    trials: Annotated[int | None, typer.Option(help="Settings that a search proposes.")] = None,
    prune: Annotated[Prune, typer.Option(help="How a search gives settings up early.")] = Prune.NONE,
    time: Annotated[str | None, typer.Option(help="Begin no training after this time: 90s, 5m, 1h.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study in the folder --out.")] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Train with Ray: on this machine (local, or nothing), or on the cluster at auto, HOST:PORT or "
            "ray://HOST:PORT; --threads is then that of one training.",
            metavar="[ADDRESS]",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make; by default study, study-2, ...")] = None,
    as_json: Json = False,
) -> None:
    """Train many times with some options varied, and show what each of them does."""
    from handful import api

    made = api.run_study(
        photos,
        out,
        vary=vary,
        seeds=seeds,
        search=search.value,
        trials=trials,
        prune=prune.value,
        time=time,
        resume=resume,
        ray=ray,
        progress=Bars(),
        **options,
    )
    Answer(as_json).give("\n".join(_lines(made)), _record(made))


def _lines(made: StudyResult) -> Iterator[str]:
    from handful.study.axes import written
    from handful.study.standings import result_sentence, standings

    ranked = standings(made.study)
    yield result_sentence(made.study, ranked)
    for place in ranked[:MOST_SHOWN]:
        setting = place.setting
        spread = "" if setting.spread is None else f" +- {setting.spread:.1%}"
        yield f"  {setting.accuracy:.1%}{spread}  {written(setting.options)}"
    if len(ranked) > MOST_SHOWN:
        yield f"  and {len(ranked) - MOST_SHOWN} more"
    yield ""
    yield f"Page    {made.page}"
    if ranked:
        yield f"Train   handful train --from-study {shlex.quote(str(made.folder))}"


def _record(made: StudyResult) -> dict[str, Any]:
    record = made.study
    return {
        "folder": str(made.folder.resolve()),
        "page": str(made.page.resolve()),
        "best": None if record.best is None else dict(record.settings[record.best].options),
        "n_learn": record.plan.n_learn,
        "n_validation": record.plan.n_validation,
        "settings": [
            {
                "options": dict(setting.options),
                "accuracy": setting.accuracy,
                "spread": setting.spread,
                "statuses": [result.status for result in setting.results],
            }
            for setting in record.settings
        ],
        "seconds": record.seconds,
        "command": record.command,
    }
