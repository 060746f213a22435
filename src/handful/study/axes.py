"""What a study varies, read from the notation of `--vary`."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handful.core.choices import NOT_STUDIED
from handful.core.config import TrainConfig, option_fields
from handful.core.declared import Option
from handful.core.errors import ConfigError
from handful.core.notation import nearest
from handful.core.study import Axis, Value

VARIED_ROOMS = ("features", "transfer", "heads", "finetune")

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(log|lin)(\d*))?", re.IGNORECASE)


def read_axis(text: str) -> Axis:
    """Returns an axis of its notation.

    Args:
        text: `option=a,b,c` for a list (a value with commas of its own in double quotes), `option=low..high:log5` or
            `:lin5` for so many values at equal ratios or distances, `option=low..high:log` or `option=low..high` for a
            range that a search draws from.

    Raises:
        ConfigError: not of that form, an option that cannot be varied (the nearest are shown), or a value outside the
            option's range.

    Example:
        >>> read_axis("lr=1e-5..1e-1:log5").values
        (1e-05, 0.0001, 0.001, 0.01, 0.1)
    """
    name, equals, written = text.partition("=")
    option = name.strip().lstrip("-").replace("-", "_")
    if not equals or not written.strip():
        raise ConfigError(
            f"vary is {text!r}; expected an option and its values, for instance lr=1e-5..1e-1:log5 or l2=0,1e-4."
        )
    fields = varied_fields()
    if option not in fields:
        raise ConfigError(
            f"vary names {option!r}, which a study cannot vary. {nearest(option, list(fields))}"
            f"The options are: {', '.join(fields)}."
        )
    axis = _range(option, written.strip(), fields[option]) or _list(option, written, fields[option])
    for value in axis.values or (axis.low, axis.high):
        TrainConfig.of({option: value})
    return axis


def read_axes(texts: Sequence[str], *, searched: bool) -> tuple[Axis, ...]:
    """Returns the axes of a study.

    Args:
        texts: one notation each, see `read_axis`.
        searched: whether values are drawn; a grid cannot hold an open range.

    Raises:
        ConfigError: every fault, one per line.
    """
    axes, faults = [], []
    for text in texts:
        try:
            axes.append(read_axis(text))
        except ConfigError as error:
            faults.append(str(error))
    names = [axis.option for axis in axes]
    faults += [f"vary names {name!r} twice; name it once." for name in sorted({n for n in names if names.count(n) > 1})]
    if not searched:
        faults += [
            f"vary {axis.option}: a range without a number of values can only be searched. Write "
            f"{axis.option}={axis.low:g}..{axis.high:g}:{'log' if axis.log else 'lin'}5, or add --search tpe."
            for axis in axes
            if not axis.values
        ]
    if faults:
        raise ConfigError("\n".join(faults))
    return tuple(axes)


def varied_fields() -> dict[str, dataclasses.Field[Any]]:
    """Returns the options that a study may vary, by name."""
    fields = {
        name: declared
        for name, (room, declared) in option_fields().items()
        if room in VARIED_ROOMS and name not in NOT_STUDIED
    }
    return {**fields, "images": option_fields()["images"][1]}


def written(options: Mapping[str, Value]) -> str:
    """Returns options as people write them: "lr 0.001, batch 32"."""
    return ", ".join(f"{name} {show_value(value)}" for name, value in options.items())


def show_value(value: Value) -> str:
    """Returns a value in few characters: 0.0001 and not 1e-04, none and not None."""
    if value is None:
        return "none"
    if isinstance(value, float) and not isinstance(value, bool):
        return np.format_float_positional(value, precision=4, fractional=False, trim="-")
    return str(value)


def _range(option: str, text: str, declared: dataclasses.Field[Any]) -> Axis | None:
    matched = _RANGE.fullmatch(text)
    if not matched:
        return None
    kind = _kind(declared)
    if kind not in ("int", "float"):
        raise ConfigError(f"vary {option}={text}: {option} is no number; give a list of its values instead.")
    low, high = float(matched[1]), float(matched[2])
    log, count = matched[3] is not None and matched[3].lower() == "log", matched[4]
    if not low < high or (log and low <= 0.0):
        raise ConfigError(
            f"vary {option}={text}: expected a lower end below the upper one"
            f"{', and above 0 where distances are by the logarithm' if log else ''}."
        )
    if not count:
        ends = (round(low), round(high)) if kind == "int" else (low, high)
        return Axis(option, low=ends[0], high=ends[1], log=log)
    if int(count) < 2:
        raise ConfigError(f"vary {option}={text}: expected at least 2 values, for instance :{matched[3]}5.")
    points = np.geomspace(low, high, int(count)) if log else np.linspace(low, high, int(count))
    rounded = [round(point) if kind == "int" else float(f"{point:.12g}") for point in points.tolist()]
    return Axis(option, tuple(dict.fromkeys(rounded)))


def _list(option: str, text: str, declared: dataclasses.Field[Any]) -> Axis:
    (words,) = csv.reader([text], skipinitialspace=True)
    values = [_value(option, word.strip(), declared) for word in words]
    if len(set(values)) < len(values):
        raise ConfigError(f"vary {option}={text}: a value stands there twice; name each once.")
    return Axis(option, tuple(values))


def _value(option: str, word: str, declared: dataclasses.Field[Any]) -> Value:
    kind = _kind(declared)
    if word.lower() == "none" and "None" in str(declared.type):
        return None
    try:
        if kind == "int":
            return int(word)
        if kind == "float":
            return float(word)
    except ValueError:
        allowed: Option = declared.metadata["option"]
        raise ConfigError(f"vary {option}: {word!r} is no {kind} ({allowed.help})") from None
    if kind == "bool":
        if word.lower() not in ("true", "false", "yes", "no"):
            raise ConfigError(f"vary {option}: {word!r} is neither yes nor no.")
        return word.lower() in ("true", "yes")
    return word


def _kind(declared: dataclasses.Field[Any]) -> str:
    return str(declared.type).split(" ")[0]
