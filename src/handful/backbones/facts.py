"""What another library, or a network's own files, say about it; no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from handful.backbones.spec import Setting
from handful.core.errors import ConfigError

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where weights are published.

    Attributes:
        url: an address; its file name ends in the beginning of its SHA-256.
        n_bytes: with an address: no more than so many.
        repo: a repository of the Hugging Face hub.
        files: with a repository: names under which the weights may lie there, the preferred first.
    """

    url: str = ""
    n_bytes: int = 0
    repo: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stated:
    """What is known about a network before its library is asked.

    Attributes:
        config: what its config.json holds.
        preprocessor: what its preprocessor_config.json holds.
        settings: of all that, what shapes the network, as it was read before; comes before `config`.
    """

    config: JsonObject = field(default_factory=dict)
    preprocessor: JsonObject = field(default_factory=dict)
    settings: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """A network as its library describes it.

    Attributes:
        name: the library's own, in full.
        title: its name in sentences.
        input_size: side in pixels of the square that it was evaluated on.
        interpolation: resampling filter of its publisher, or the nearest that there is.
        crop_fraction: side of the central crop as a share of the shorter side.
        mean: of red, green and blue, in units of pixel values 0..255.
        std: in the same units.
        licence: of the weights, as the library or the hub names it; "" where they do not.
        source: where the weights are published.
        settings: what shapes the network beside its name.
        imagenet_top1: a share, where it is given.
    """

    name: str
    title: str
    input_size: int
    interpolation: Literal["bilinear", "bicubic"]
    crop_fraction: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    source: Source
    settings: JsonObject = field(default_factory=dict)
    imagenet_top1: float | None = None


def checked(settings: JsonObject, allowed: Sequence[str]) -> dict[str, Setting]:
    """Returns settings from a file, none of which can name code or hold anything but a number or a word.

    Raises:
        ConfigError: another name, or another kind of value.
    """
    for name, value in settings.items():
        if name not in allowed or not (value is None or isinstance(value, str | int | float | bool)):
            raise ConfigError(f"the network's configuration holds {name} = {str(value)[:80]!r}, which is not read.")
    return dict(settings)
