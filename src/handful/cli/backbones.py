"""`handful backbones`: the networks, which of them are at hand, and how to bring the others here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handful.cli.console import Answer, Bars
from handful.cli.options import Json


def backbones(
    get: Annotated[str | None, typer.Option(help="Fetch this network's weights, verify them and keep them.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="With --get: all layers from the publisher, not the convolutions alone.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Copy all weights at hand into this folder, for a machine without network.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never open a network connection.")] = False,
    as_json: Json = False,
) -> None:
    """Show the pre-trained networks; fetch one; carry them to another machine."""
    answer = Answer(as_json)
    if get is not None:
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


def _listing() -> tuple[str, list[dict[str, object]]]:
    from handful.backbones import availability

    entries = availability()
    lines = [
        f"{'':2}{'network':<18} {'features':>8} {'ImageNet':>9}  weights",
        *(
            f"{'*' if entry.at_hand else ' ':<2}{entry.spec.name:<18} {entry.spec.default_tap.n_features:>8} "
            f"{100 * entry.spec.imagenet_top1:>7.1f} %  {entry.how}"
            for entry in entries
        ),
        "",
        "* at hand on this machine. ImageNet: top-1 accuracy that the publisher gives.",
    ]
    value = [
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
    return "\n".join(lines), value
