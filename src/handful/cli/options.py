"""Command-line options made from the configuration's fields, so that each is written once."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Optional

import typer

from handful.core.cluster import LOCAL
from handful.core.config import option_fields
from handful.core.declared import Option

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]

KINDS: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool, "tuple[str, ...]": str}

PANELS = {
    "reading": "Pictures",
    "split": "Test part",
    "features": "Network",
    "transfer": "Way of transfer",
    "heads": "Output layer",
    "finetune": "Training of layers",
    "trust": "What to rely on",
    "run": "Run",
}


def with_options(
    command: Callable[..., None], *, rooms: tuple[str, ...] = tuple(PANELS), without: frozenset[str] = frozenset()
) -> Callable[..., None]:
    """Returns the command with an option for every configuration field of some rooms, in place of its `options`.

    Fields in `without` get none. The command takes a parameter `options: dict[str, Any]`: the options that the user
    gave, by field name.
    """
    own = [
        parameter
        for name, parameter in inspect.signature(command, eval_str=True).parameters.items()
        if name != "options"
    ]
    fields = {
        name: declared for name, (room, declared) in option_fields().items() if room in rooms and name not in without
    }
    panels = {name: PANELS[room] for name, (room, _) in option_fields().items()}

    def is_list(name: str) -> bool:
        return str(fields[name].type).startswith("tuple")

    def wrapped(**given: Any) -> None:
        options = {name: given.pop(name) for name in fields}
        command(
            **given,
            options={
                name: _words(value) if is_list(name) else value for name, value in options.items() if value is not None
            },
        )

    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                Optional[KINDS[str(declared.type).removesuffix(" | None")]],  # noqa: UP045 (read at run time)
                typer.Option(
                    f"--{name.replace('_', '-')}",
                    help=_help(declared.metadata["option"]),
                    rich_help_panel=panels[name],
                    show_default=_shown(declared.default),
                ),
            ],
        )
        for name, declared in fields.items()
    ]
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    wrapped.__signature__ = inspect.Signature(keyword + parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in keyword + parameters}
    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    return wrapped


def completed(arguments: Sequence[str]) -> list[str]:
    """Returns the words of a command line with the address that a bare `--ray` stands for; Typer wants a value."""
    following = [*arguments, "-"][1:]
    return [
        word
        for own, after in zip(arguments, following, strict=True)
        for word in ([own, LOCAL] if own == "--ray" and after.startswith("-") else [own])
    ]


def _help(declared: Option) -> str:
    choices = f" One of: {', '.join(declared.choices)}." if declared.choices else ""
    return declared.help + choices


def _shown(default: Any) -> str | bool:
    """Returns how the help shows a default; options that are not given stay out of the call."""
    return False if default in (None, "", (), False) else str(default)


def _words(text: str) -> tuple[str, ...]:
    """Returns the words between commas; a word in double quotes may hold commas."""
    (row,) = csv.reader([text], skipinitialspace=True)
    return tuple(word.strip() for word in row if word.strip())
