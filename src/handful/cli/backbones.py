"""`handful backbones`: the networks, which of them are at hand, and how to bring the others here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json
from handful.core.errors import ConfigError

if TYPE_CHECKING:
    from handful.core.ranking import Ranking


def backbones(
    options: dict[str, Any],
    rank: Annotated[
        Path | None, typer.Option(help="Compare the networks at hand on these pictures (a folder, table or archive).")
    ] = None,
    get: Annotated[str | None, typer.Option(help="Fetch this network's weights, verify them and keep them.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="With --get: all layers from the publisher, not the convolutions alone.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Copy all weights at hand into this folder, for a machine without network.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the pre-trained networks; compare them on your pictures; fetch one; carry them to another machine."""
    answer = Answer(as_json)
    offline = bool(options.get("offline"))
    if rank is None and (idle := sorted(options.keys() - {"offline"})):
        raise ConfigError(f"{', '.join(idle)} would do nothing without --rank PHOTOS/. Leave out what was given.")
    if rank is not None:
        from handful.api import rank_backbones
        from handful.api.options import command_line
        from handful.core.config import TrainConfig
        from handful.report.result import ranking_dict

        ranking = rank_backbones(rank, progress=Bars(), **options)
        command = command_line(rank, TrainConfig.of({**options, "backbone": ranking.best}))
        answer.give("\n".join(_ranked(ranking, command)), ranking_dict(ranking))
    elif get is not None:
        from handful.backbones import get as fetch

        located = fetch(get, full=full, offline=offline, progress=Bars())
        value = {"backbone": get, "path": str(located.path), "sha256": located.sha256, "origin": located.origin}
        answer.give(f"{get} is at hand: {located.path}\n  from {located.origin}, SHA-256 {located.sha256}", value)
    elif export is not None:
        from handful.backbones import export as carry

        files = carry(export)
        text = f"{len(files)} files in {export}. On the other machine: handful train PHOTOS/ --weights {export.name}"
        answer.give(text, {"folder": str(export), "files": [file.name for file in files]})
    else:
        text, networks = _listing()
        answer.give(text, {"backbones": networks})


def _ranked(ranking: Ranking, command: str) -> list[str]:
    from handful.report.text import megabytes, percent, percent_range, seconds

    lines = [
        f"{len(ranking.networks)} networks at hand, judged on {ranking.n_pictures} held-out training pictures",
        f"  {'network':<18} {'right':>7}  {'95 % interval':<15} {'log loss':>8} {'time':>12} {'weights':>9}  licence",
    ]
    for place, each in enumerate(ranking.networks, start=1):
        lines += [
            f"{place} {each.backbone:<18} {percent(each.accuracy):>7}  {percent_range(each.accuracy_interval):<15} "
            f"{each.loss:>8.4f} {seconds(each.seconds):>12} {megabytes(each.n_bytes):>9}  {each.licence}",
            f"    {each.sentence}",
        ]
    if ranking.others:
        lines += ["", "Not compared", *(f"  {each.backbone:<18} {each.reason}" for each in ranking.others)]
    return [*lines, "", f"Why     {ranking.reason}", f"Train   {command}"]


def _listing() -> tuple[str, list[dict[str, object]]]:
    from handful.backbones import ALIASES, availability, licence_words

    entries = availability()
    known = {entry.spec.name for entry in entries}
    others = [alias for alias in ALIASES if alias.stands_for not in known]
    wide = max(18, *(len(entry.spec.name) for entry in entries))
    lines = [
        f"{'':2}{'network':<{wide}} {'features':>8} {'ImageNet':>9}  {'licence':<12}  weights",
        *(
            f"{'*' if entry.at_hand else ' ':<2}{entry.spec.name:<{wide}} {entry.spec.default_tap.n_features:>8} "
            f"{_top1(entry.spec.imagenet_top1):>9}  {licence_words(entry.spec.licence):<12}  {entry.how}"
            for entry in entries
        ),
        "",
        "* at hand on this machine. ImageNet: top-1 accuracy that the publisher gives.",
        "",
        "Of other libraries, fetched with handful backbones --get NAME",
        *(
            f"  {alias.name:<{wide}} {alias.n_features:>8}  {alias.stands_for}: {alias.about}; licence "
            f"{licence_words(alias.licence)}"
            for alias in others
        ),
        "  and any timm:NAME, torchvision:NAME or hf:OWNER/NAME that is a network for pictures",
    ]
    value: list[dict[str, object]] = [
        {
            "name": entry.spec.name,
            "title": entry.spec.title,
            "at_hand": entry.at_hand,
            "weights": entry.how,
            "n_features": entry.spec.default_tap.n_features,
            "input_size": entry.spec.input_size,
            "imagenet_top1": entry.spec.imagenet_top1,
            "licence": entry.spec.licence,
        }
        for entry in entries
    ]
    value += [
        {
            "name": alias.stands_for,
            "title": alias.name,
            "at_hand": False,
            "weights": f"handful backbones --get {alias.name}",
            "n_features": alias.n_features,
            "input_size": None,
            "imagenet_top1": None,
            "licence": alias.licence,
        }
        for alias in others
    ]
    return "\n".join(lines), value


def _top1(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
