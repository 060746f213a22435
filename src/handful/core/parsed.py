"""JSON of files that anybody may have changed."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)
"""What values of another kind than expected raise where they are used."""

LONGEST_INTEGER = 19
"""Characters; what has more fits into no array and no floating-point number."""


def parse_json(text: bytes | str) -> Any:
    """Returns the value of a JSON text, whose numbers are finite and no larger than a processor's.

    Raises:
        ValueError: it is not JSON, holds other numbers, or lists inside each other beyond what Python follows.
    """
    try:
        return json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_refused)
    except RecursionError as error:
        raise ValueError("too many lists inside each other") from error


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        _refused(digits)
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refused(digits)
    return value


def _refused(digits: str) -> NoReturn:
    raise ValueError(f"the number {digits[:40]}")
