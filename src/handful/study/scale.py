"""Where the values of an option lie along an axis, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handful.core.study import Axis, Value
from handful.report.learning import round_ticks

LABELS = {
    "lr": "learning rate",
    "l2": "L2 weight decay",
    "l1": "L1 weight decay",
    "batch": "mini-batch",
    "images": "training pictures",
    "freeze": "frozen layer groups",
    "head": "new layers",
    "weight_factor": "rate factor of weights",
    "bias_factor": "rate factor of biases",
    "init_scale": "scale of first weights",
    "size": "picture side in pixels",
    "nonlinearity": "neuron",
}
"""What options are called under an axis, where their name is not a word."""

DECADES_FROM = 10.0
"""Largest by smallest value from which an axis is logarithmic."""

LETTER = 0.026
"""Width of a letter of a tick label, as a share of an axis three inches long."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis for one option.

    Attributes:
        option: its name.
        label: what it is called.
        names: the values as they are written, one step apart; empty where values are numbers on a line.
        log: whether places are decimal logarithms.
        zero: the place of 0 on a logarithmic axis: one step below the smallest other value.
        low, high: places of the ends.
        ticks: places and what is written there; "" where there is no room.
    """

    option: str
    label: str
    names: tuple[str, ...]
    log: bool
    zero: float
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: Value) -> float:
        """Returns where a value lies."""
        if self.names:
            return float(self.names.index(value_text(value)))
        number = _number(value)
        if not self.log:
            return number
        return math.log10(number) if number > 0 else self.zero

    @property
    def continuous(self) -> bool:
        """Whether it makes sense to draw a line from one value to the next."""
        return not self.names


def scale_of(axis: Axis) -> Scale:
    """Returns the axis for an option: logarithmic where its values span decades, by name where they are no numbers."""
    label = label_of(axis.option)
    if axis.low is not None and axis.high is not None:
        ends = (math.log10(axis.low), math.log10(axis.high)) if axis.log else (axis.low, axis.high)
        return Scale(axis.option, label, (), axis.log, ends[0], *ends, _range_ticks(*ends, log=axis.log))
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in axis.values):
        names = tuple(dict.fromkeys(value_text(value) for value in axis.values))
        return Scale(axis.option, label, names, False, 0.0, 0.0, len(names) - 1.0, tuple(enumerate(names)))
    numbers = sorted({_number(value) for value in axis.values})
    positive = [number for number in numbers if number > 0]
    log = numbers[0] >= 0 and len(positive) > 1 and positive[-1] >= DECADES_FROM * positive[0]
    places, zero = numbers, 0.0
    if log:
        places = [math.log10(number) for number in positive]
        zero = places[0] - (places[-1] - places[0]) / (len(places) - 1)
        places = [zero] * (numbers[0] == 0) + places
    ticks = [(place, value_text(number)) for place, number in zip(places, numbers, strict=True)]
    return Scale(axis.option, label, (), log, zero, places[0], places[-1], _with_room(ticks))


def label_of(option: str) -> str:
    """Returns what an option is called under an axis."""
    return LABELS.get(option, option.replace("_", " "))


def value_text(value: Value) -> str:
    """Returns a value as one would type it, numbers with four digits.

    Example:
        >>> [value_text(value) for value in (1e-5, 0.001, 32, "75-C", None, True)]
        ['1e-5', '0.001', '32', '75-C', 'none', 'yes']
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e")
    return str(value) or "none"


def setting_text(options: Mapping[str, Value], *, space: str = " ") -> str:
    """Returns "lr 0.001, batch 32"; `space` stands between a name and its value."""
    return ", ".join(f"{name}{space}{value_text(value)}" for name, value in options.items())


def _number(value: Value) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _range_ticks(low: float, high: float, *, log: bool) -> tuple[tuple[float, str], ...]:
    """Returns round numbers between two places: powers of ten, or 1, 2 and 5 where there are few of them."""
    if not log:
        return _with_room([(tick, f"{tick:g}") for tick in round_ticks(low, high)])
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1.0,) if high - low > 2 else (1.0, 2.0, 5.0)
    values = [factor * 10.0**power for power in powers for factor in factors]
    slack = 1e-9
    places = [(math.log10(value), value_text(value)) for value in values]
    return _with_room([(place, text) for place, text in places if low - slack <= place <= high + slack])


def _with_room(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Returns the ticks without the words that would run into the ones before them."""
    length = ticks[-1][0] - ticks[0][0] or 1.0
    kept: list[tuple[float, str]] = []
    end = -math.inf
    for place, text in ticks:
        share, half = (place - ticks[0][0]) / length, LETTER * len(text) / 2
        fits = share - half > end
        kept.append((place, text if fits else ""))
        end = share + half + LETTER / 2 if fits else end
    return tuple(kept)
