"""How an option is declared: its help text and its range stand beside its default, as data."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handful.core.errors import ConfigError

T = TypeVar("T")

Check = Callable[[Any], None]
"""Raises ConfigError on a value that cannot work."""


@dataclass(frozen=True, slots=True)
class Option:
    """What may stand in a field: its help text and its range, as data.

    Attributes:
        help: one sentence for the command line and the docs.
        low, high: inclusive bounds of a number.
        choices: the allowed words, where there are few.
        check: reads a value that is written in a notation of its own.
    """

    help: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    check: Check | None = None


def option(
    default: T,
    text: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
    check: Check | None = None,
) -> T:
    """Declares a field of a configuration: its default, its help text and its range."""
    declared: T = field(default=default, metadata={"option": Option(text, low, high, choices, check)})
    return declared


KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "tuple": (tuple,),
}


def fault_of(name: str, value: object, declared: dataclasses.Field[Any]) -> str | None:
    """Returns what is wrong with a value, or None."""
    allowed: Option = declared.metadata["option"]
    kind = str(declared.type)
    if value is None:
        return None if "None" in kind else f"{name} is None; expected a value ({allowed.help})"
    key = kind.split("[")[0].split(" ")[0]
    if not isinstance(value, KINDS[key]) or (isinstance(value, bool) and key != "bool"):
        return f"{name} is {value!r}; expected {kind} ({allowed.help})"
    if allowed.choices and value not in allowed.choices:
        near = difflib.get_close_matches(str(value), allowed.choices, n=1, cutoff=0.5)
        hint = f". Did you mean {near[0]!r}?" if near else ""
        return f"{name} is {value!r}; expected one of {', '.join(allowed.choices)}{hint}"
    if isinstance(value, int | float) and not allowed.low <= value <= allowed.high:
        return f"{name} is {value}; expected a number from {allowed.low:g} to {allowed.high:g}"
    if allowed.check:
        try:
            allowed.check(value)
        except ConfigError as error:
            return str(error)
    return None
