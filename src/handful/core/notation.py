"""The small notations that options are written in: stacks of layers, factors of layers, lengths of time, sizes.

They are read here, in one place, so that a mistake in one is found with all the other faults of a configuration,
before any work starts.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence

from handful.core.choices import HEADS
from handful.core.errors import ConfigError

MAX_WIDTH = 65_536
"""Neurons in one new layer; more is a slip of the finger (AlexNet's widest layer has 4096)."""

MAX_FACTOR = 1e6
"""Of a learning rate; more would overflow before it did anything else."""

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

STACK_LAYER = re.compile(r"(?P<size>[1-9]\d*|C)(?:d(?P<dropout>0?\.\d+|0|1))?")
FACTOR = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)=(?P<value>[^=\s]+)")
DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smh])")

BYTES = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>[KMGT]B)|0", re.IGNORECASE)


def read_stack(text: str) -> tuple[tuple[int | None, float], ...]:
    """Returns the sizes of new layers from bottom to top, each with the dropout before the next one.

    Args:
        text: sizes joined by "-"; "d0.5" after a size is dropout, and "C" stands for the number of classes.

    Returns:
        One (size, dropout) per layer; size None stands for the number of classes.

    Raises:
        ConfigError: not of that form.

    Example:
        >>> read_stack("500d0.5-75-C")
        ((500, 0.5), (75, 0.0), (None, 0.0))
    """
    layers: list[tuple[int | None, float]] = []
    for part in text.split("-"):
        found = STACK_LAYER.fullmatch(part.strip())
        if not found or (found["size"] != "C" and int(found["size"]) > MAX_WIDTH):
            raise ConfigError(
                f"head is {text!r}; {part!r} is no layer in it. Expected the sizes of the new layers from bottom to "
                f"top, each at most {MAX_WIDTH}, with dropout as d0.5, ending in the number of classes or C: for "
                "instance C, 75-C or 500d0.5-75-C."
            )
        layers.append((None if found["size"] == "C" else int(found["size"]), float(found["dropout"] or 0.0)))
    if any(size is None for size, _ in layers[:-1]) or layers[-1][1] or any(dropout >= 1.0 for _, dropout in layers):
        raise ConfigError(
            f"head is {text!r}; expected C only as the last layer, no dropout after that one, and dropout below 1, "
            "as in 500d0.5-75-C."
        )
    return tuple(layers)


def read_factors(text: str, *, option: str) -> dict[str, float]:
    """Returns learning-rate factors by layer name.

    Args:
        text: "head=10,conv5=2"; the empty text means no factors.
        option: name of the option, for the messages.

    Raises:
        ConfigError: not of that form, a layer named twice, or a factor that is negative, not finite or huge.

    Example:
        >>> read_factors("head=10,conv5=2", option="weight_factor")
        {'head': 10.0, 'conv5': 2.0}
    """
    factors: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = FACTOR.fullmatch(part)
        value = _number(found["value"]) if found else math.nan
        if not found or not 0.0 <= value <= MAX_FACTOR:
            raise ConfigError(
                f"{option} is {text!r}; {part!r} is no factor. Expected LAYER=NUMBER pairs joined by commas, each "
                f"number from 0 to {MAX_FACTOR:g}, for instance head=10,conv5=2."
            )
        if found["name"] in factors:
            raise ConfigError(f"{option} is {text!r}, which names {found['name']!r} twice. Name each layer once.")
        factors[found["name"]] = value
    return factors


def check_head(text: str) -> None:
    """Raises ConfigError for a `head` that is neither a way of fitting one layer nor a stack of layers."""
    if text in HEADS:
        return
    if text[:1].isdigit() or text[:1] == "C":
        read_stack(text)
        return
    raise ConfigError(
        f"head is {text!r}; expected one of {', '.join(HEADS)}, or a stack of new layers such as C, 75-C or "
        f"500d0.5-75-C. {nearest(text, HEADS)}".rstrip()
    )


def read_miss(text: str) -> tuple[str, float]:
    """Returns a class and the share of its pictures that may be missed.

    Args:
        text: name=share; the name may hold "=" itself.

    Raises:
        ConfigError: not of that form, or a share that is not between 0 and 1.

    Example:
        >>> read_miss("defective=0.01")
        ('defective', 0.01)
    """
    name, _, written = text.rpartition("=")
    try:
        share = float(written)
    except ValueError:
        share = math.nan
    if not name.strip() or not 0.0 < share < 1.0:
        raise ConfigError(
            f"miss is {text!r}; expected a class and the share of its pictures that may be missed, between 0 and 1: "
            "for instance defective=0.01."
        )
    return name.strip(), share


def read_duration(text: str, *, option: str) -> float:
    """Returns seconds.

    Args:
        text: a number with s, m or h.
        option: name of the option, for the messages.

    Raises:
        ConfigError: not of that form, or zero.

    Example:
        >>> read_duration("5m", option="time")
        300.0
    """
    found = DURATION.fullmatch(text.strip())
    seconds = float(found["number"]) * SECONDS[found["unit"]] if found else 0.0
    if seconds <= 0.0:
        raise ConfigError(f"{option} is {text!r}; expected a length of time such as 90s, 5m or 1.5h.")
    return seconds


def read_size(text: str, *, option: str) -> int:
    """Returns bytes.

    Args:
        text: a number with KB, MB, GB or TB, which are powers of 1000; or 0.
        option: name of the option, for the messages.

    Raises:
        ConfigError: not of that form.

    Example:
        >>> read_size("1.5GB", option="keep")
        1500000000
    """
    found = SIZE.fullmatch(text.strip())
    if not found:
        raise ConfigError(f"{option} is {text!r}; expected a size such as 500MB or 20GB, or 0.")
    return round(float(found["number"]) * BYTES[found["unit"].upper()]) if found["unit"] else 0


def write_size(n_bytes: int) -> str:
    """Returns a size as people read it, in at most three digits.

    Example:
        >>> write_size(1_234_567_890)
        '1.23 GB'
    """
    if n_bytes < 1000:
        return f"{n_bytes} bytes"
    unit = next((unit for unit, size in BYTES.items() if n_bytes < 999.5 * size), "TB")
    return f"{n_bytes / BYTES[unit]:.3g} {unit}"


def nearest(word: str, known: Sequence[str]) -> str:
    """Returns "Did you mean ...? " for a word that is not known, or nothing where no known one is near."""
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(repr(other) for other in near)}? " if near else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
