"""Every option of a run: one frozen dataclass per room, each default written once.

The command line, the docs and the messages about wrong values are generated from the fields and their `Option`s.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handful.core.errors import ConfigError

T = TypeVar("T")

HEADS = ("auto", "ridge", "logistic", "average")
VIEWS = ("auto", "plain", "mirror", "crops")
VIEW_USES = ("average", "rows")
FITS = ("auto", "crop", "squash", "pad")
INTERPOLATIONS = ("auto", "bilinear", "bicubic")


@dataclass(frozen=True, slots=True)
class Option:
    """What may stand in a field: its help text and its range, as data.

    Attributes:
        help: one sentence for the command line and the docs.
        low, high: inclusive bounds of a number.
        choices: the allowed words, where there are few.
    """

    help: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()


def option(
    default: T, text: str, *, low: float = -math.inf, high: float = math.inf, choices: tuple[str, ...] = ()
) -> T:
    """Declares a field of a configuration: its default, its help text and its range."""
    declared: T = field(default=default, metadata={"option": Option(text, low, high, choices)})
    return declared


@dataclass(frozen=True)
class ReadingConfig:
    """The images room: which pictures are taken, and when to stop."""

    classes: tuple[str, ...] = option((), "Take only these classes, separated by commas.")
    per_class: int | None = option(
        None, "Take at most this many training pictures of each class, the first by name.", low=1
    )
    class_level: int | None = option(
        None, "Take the class from this many folder levels below the root (1: a/b/x.jpg is an a).", low=1, high=16
    )
    group_by: str | None = option(
        None, "Regular expression on the path; pictures with equal match (or first bracket) stay on one side."
    )
    drop_small_classes: bool = option(False, "Leave out classes with fewer than 2 pictures instead of stopping.")
    max_unreadable: float = option(0.05, "Stop when a larger share of the files cannot be read.", low=0.0, high=1.0)
    max_file_mb: float = option(50.0, "Skip files larger than this many megabytes.", low=0.001, high=4096.0)
    max_megapixels: float = option(64.0, "Skip pictures with more million pixels than this.", low=0.001, high=1000.0)


@dataclass(frozen=True)
class SplitConfig:
    """The split room: which pictures test."""

    test: float = option(
        0.2, "Size of the test part as a share of the size of the training part (the paper's 20 %).", low=0.01, high=4.0
    )


@dataclass(frozen=True)
class FeaturesConfig:
    """The features room: what the frozen network is shown."""

    backbone: str = option("auto", "Pre-trained network; several joined by + are averaged (see: handful backbones).")
    size: int | None = option(
        None, "Side in pixels of the square that the network sees; its own by default.", low=32, high=1024
    )
    fit: str = option("auto", "How a picture becomes a square.", choices=FITS)
    interpolation: str = option(
        "auto",
        "Resampling; auto tries both by validation where pictures are smaller than the network's input.",
        choices=INTERPOLATIONS,
    )
    views: str = option("auto", "Views of each picture: plain, with its mirror image, or with crops.", choices=VIEWS)
    view_use: str = option("average", "Average the views' features, or train on each as a row.", choices=VIEW_USES)


@dataclass(frozen=True)
class HeadConfig:
    """The heads room: the new output layer."""

    head: str = option("auto", "Output layer; auto takes the one with the lowest held-out log loss.", choices=HEADS)


@dataclass(frozen=True)
class RunConfig:
    """What concerns the whole run."""

    seed: int = option(0, "Seed of everything that is drawn.", low=0, high=2**32 - 1)
    threads: int | None = option(None, "Processor threads; all cores by default.", low=1, high=1024)
    offline: bool = option(False, "Never open a network connection.")
    note: str = option("", "A sentence about the data, for the report.")
    weights: str | None = option(None, "Folder (from: handful backbones --export) or file with pre-trained weights.")


@dataclass(frozen=True)
class TrainConfig:
    """All options of `handful.train` and `handful train`."""

    reading: ReadingConfig = field(default_factory=ReadingConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    heads: HeadConfig = field(default_factory=HeadConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TrainConfig:
        """Returns the defaults with some options changed by name, checked all at once.

        Args:
            options: option name to value; a list serves for a tuple.

        Raises:
            ConfigError: an unknown name (the nearest is shown) or a value outside its range; every fault is listed.
        """
        fields = option_fields()
        faults = []
        by_room: dict[str, dict[str, Any]] = {}
        for name, value in options.items():
            if name not in fields:
                near = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
                hint = f"Did you mean {near[0]!r}?" if near else f"The options are: {', '.join(fields)}."
                faults.append(f"there is no option {name!r}. {hint}")
                continue
            room, declared = fields[name]
            value = tuple(value) if isinstance(value, list) else value
            fault = _fault(name, value, declared)
            if fault:
                faults.append(fault)
            by_room.setdefault(room, {})[name] = value
        if faults:
            raise ConfigError("\n".join(faults))
        return cls(**{room: ROOMS[room](**values) for room, values in by_room.items()})

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Returns plain values by room and option, for config.json."""
        return dataclasses.asdict(self)


ROOMS: dict[str, type[Any]] = {
    "reading": ReadingConfig,
    "split": SplitConfig,
    "features": FeaturesConfig,
    "heads": HeadConfig,
    "run": RunConfig,
}


def option_fields() -> dict[str, tuple[str, dataclasses.Field[Any]]]:
    """Returns, for every option by name, its room and its dataclass field, in reading order."""
    return {
        declared.name: (room, declared) for room, config in ROOMS.items() for declared in dataclasses.fields(config)
    }


KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "tuple": (tuple,),
}


def _fault(name: str, value: object, declared: dataclasses.Field[Any]) -> str | None:
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
    return None
