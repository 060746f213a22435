"""`handful cache`: what is kept on this machine so that nothing is computed twice, how large it is, and less of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handful.cli.console import Answer
from handful.cli.options import Json
from handful.core.errors import ConfigError
from handful.core.notation import read_size, write_size

if TYPE_CHECKING:
    from handful.core.caches import Freed
    from handful.features.upkeep import Holding

MOST_LISTED = 20
"""Kinds of features that the terminal shows."""

HEAD = ("network", "tap", "input", "precision", "view", "rows", "size", "last used")
NUMBERS = ("files", "input", "rows", "size")


def cache(
    clear: Annotated[
        bool,
        typer.Option("--clear", help="Remove all that can be computed again; downloaded weights and data stay."),
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(help="Keep this much of the features, such as 2GB, and remove the least recently used."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is kept on this machine, and how large it is; make it smaller."""
    from handful.core import caches
    from handful.features import upkeep

    answer = Answer(as_json)
    if clear and keep is not None:
        raise ConfigError("--clear removes all features and --keep only some. Give one of the two.")
    if clear:
        _tell(answer, caches.clear(), "all that can be computed again")
    elif keep is not None:
        _tell(answer, upkeep.shrink(read_size(keep, option="keep")), "the features not used for longest")
    else:
        _show(answer)


def _tell(answer: Answer, freed: Freed, what: str) -> None:
    from handful.core.caches import rooms

    remaining = sum(room.n_bytes for room in rooms())
    stuck = f"; {_files(freed.n_stuck)} could not be removed" if freed.n_stuck else ""
    done = f"Freed {write_size(freed.n_bytes)} in {_files(freed.n_files)}: {what}" if freed.n_files else "Freed nothing"
    answer.give(
        f"{done}{stuck}; {write_size(remaining)} remain in the cache.",
        {"n_files": freed.n_files, "n_bytes": freed.n_bytes, "n_stuck": freed.n_stuck, "n_bytes_remaining": remaining},
    )


def _show(answer: Answer) -> None:
    from handful.core.caches import rooms
    from handful.core.files import CACHE_VARIABLE, LIMIT_VARIABLE, cache_folder, cache_limit
    from handful.features.upkeep import holdings

    folder, limit, kept, features = cache_folder("").absolute(), cache_limit(), rooms(), holdings()
    total = sum(room.n_bytes for room in kept)
    entries = [(room.name, write_size(room.n_bytes), f"{room.n_files:,}", room.purpose) for room in kept]
    lines = _table(("kept", "size", "files", "what it is"), entries) if kept else ["Nothing is kept yet."]
    if features:
        lines += ["", *_table(HEAD, [_row(holding) for holding in features[:MOST_LISTED]])]
    if len(features) > MOST_LISTED:
        lines.append(f"... and {len(features) - MOST_LISTED} more kinds of features; --json lists all")
    lines += [
        "",
        f"{write_size(total)} in {folder} ({CACHE_VARIABLE} moves it).",
        f"Features take {write_size(limit)} at most; past that the least recently used are removed "
        f"({LIMIT_VARIABLE}=20GB changes it).",
    ]
    value = {
        "folder": str(folder),
        "n_bytes": total,
        "limit_bytes": limit,
        "rooms": [asdict(room) for room in kept],
        "features": [_record(holding) for holding in features],
    }
    answer.give("\n".join(lines), value)


def _table(head: tuple[str, ...], entries: Sequence[tuple[str, ...]]) -> list[str]:
    """Returns the lines of a table, its columns as wide as they have to be and numbers to the right."""
    lines = (head, *entries)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            f"{word:{'>' if name in NUMBERS else '<'}{width}}"
            for name, word, width in zip(head, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def _row(holding: Holding) -> tuple[str, ...]:
    kind = holding.kind
    return (
        kind.network or "unknown",
        kind.tap,
        f"{kind.size} px" if kind.size else "",
        kind.precision,
        kind.view,
        f"{holding.n_rows:,}" if holding.n_rows else "",
        write_size(holding.n_bytes),
        time.strftime("%Y-%m-%d", time.localtime(holding.used)),
    )


def _record(holding: Holding) -> dict[str, Any]:
    return {
        **asdict(holding.kind),
        "n_spaces": holding.n_spaces,
        "n_rows": holding.n_rows,
        "n_bytes": holding.n_bytes,
        "last_used": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(holding.used)),
    }


def _files(count: int) -> str:
    return f"{count:,} {'file' if count == 1 else 'files'}"
