"""Command-line options made from the configuration's fields, so that each is written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Optional

import typer

from handful.core.config import Option, option_fields

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]

KINDS: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "int | None": Optional[int],  # noqa: UP045 (typer reads this at run time)
    "float | None": Optional[float],  # noqa: UP045
    "str | None": Optional[str],  # noqa: UP045
    "tuple[str, ...]": Optional[str],  # noqa: UP045
}

PANELS = {
    "reading": "Pictures",
    "split": "Test part",
    "features": "Network",
    "transfer": "Way of transfer",
    "heads": "Output layer",
    "finetune": "Training of layers",
    "run": "Run",
}


def with_options(command: Callable[..., None], *, rooms: tuple[str, ...] = tuple(PANELS)) -> Callable[..., None]:
    """Returns the command with an option for every configuration field of some rooms, in place of its `options`.

    The command takes a last parameter `options: dict[str, Any]`: the options that the user gave, by field name.
    """
    own = [
        parameter
        for name, parameter in inspect.signature(command, eval_str=True).parameters.items()
        if name != "options"
    ]
    fields = {name: declared for name, (room, declared) in option_fields().items() if room in rooms}
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
            default=None if is_list(name) else declared.default,
            annotation=Annotated[
                KINDS[str(declared.type)],
                typer.Option(
                    f"--{name.replace('_', '-')}", help=_help(declared.metadata["option"]), rich_help_panel=panels[name]
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


def _help(declared: Option) -> str:
    choices = f" One of: {', '.join(declared.choices)}." if declared.choices else ""
    return declared.help + choices


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
