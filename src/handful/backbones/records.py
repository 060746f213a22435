"""What is known about a network of another library, as plain values; saved models carry it.

A record is checked when it is read. It names no class and no function: which class makes a network is decided by the
module that knows its library, from numbers and words that shape it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handful.backbones.facts import Stated
from handful.backbones.libraries import ALIASES, adapter, parse
from handful.backbones.spec import BackboneSpec, HubOrigin, Setting, Tap, UrlOrigin, WeightsFile, file_stem
from handful.core.errors import ConfigError, HandfulError
from handful.core.files import cache_folder
from handful.core.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from torch import Tensor

    from handful.backbones.grouped import Body
    from handful.backbones.rows import Arrangement

RECORD_FORMAT = 1

PLAIN = (
    "name", "title", "input_size", "interpolation", "crop_fraction", "mean", "std", "groups", "n_parameters",
    "imagenet_top1", "licence", "library",
)  # fmt: skip
"""Facts that stand in a record as they are."""

ARRANGEMENTS = ("average", "flatten", "whole")
LARGEST_PICTURE = 4096


def record(spec: BackboneSpec) -> dict[str, Any]:
    """Returns the facts about a network of another library as plain values."""
    return {
        "format": RECORD_FORMAT,
        **{name: getattr(spec, name) for name in PLAIN},
        "taps": [asdict(tap) for tap in spec.taps],
        "settings": dict(spec.settings),
        "weights": [{**asdict(file), "origin": asdict(cast(Any, file.origin))} for file in spec.weights],
    }


def from_record(facts: Mapping[str, Any]) -> BackboneSpec:
    """Returns the network that a record describes; every value is checked.

    Raises:
        ValueError: it is no record, or one with values that cannot be.
        KeyError: an entry is missing.
        TypeError: an entry is of another kind.
    """
    name, settings = str(facts["name"]), dict(facts["settings"])
    groups = tuple(str(group) for group in facts["groups"])
    taps = tuple(_tap(each, groups) for each in facts["taps"])
    size, mean, std = int(facts["input_size"]), _three(facts["mean"]), _three(facts["std"])
    if facts["format"] != RECORD_FORMAT or not _is_whole_name(name) or not taps:
        raise ValueError(f"no record of a network of another library: {name[:80]!r}")
    if settings.get("arrangement") not in ARRANGEMENTS or facts["interpolation"] not in ("bilinear", "bicubic"):
        raise ValueError(f"settings {str(settings)[:200]}, interpolation {str(facts['interpolation'])[:20]}")
    if not all(value is None or isinstance(value, str | int | float) for value in settings.values()):
        raise ValueError(f"settings {str(settings)[:200]} that are more than numbers and words")
    if not 1 <= size <= LARGEST_PICTURE or min(std) <= 0.0:
        raise ValueError(f"pictures of {size} pixels, deviation {std}")
    alias = next((each for each in ALIASES if each.stands_for == name), None)
    shaping = tuple(sorted(settings.items()))
    return BackboneSpec(
        name=name,
        aliases=(alias.name,) if alias else (),
        title=str(facts["title"]),
        input_size=size,
        min_size=size,
        interpolation=facts["interpolation"],
        crop_fraction=float(facts["crop_fraction"]),
        mean=mean,
        std=std,
        groups=groups,
        taps=taps,
        weights=tuple(_file(each, groups) for each in facts["weights"]),
        n_parameters=int(facts["n_parameters"]),
        imagenet_top1=None if facts["imagenet_top1"] is None else float(facts["imagenet_top1"]),
        licence=str(facts["licence"]),
        paper=None,
        note=alias.about if alias else "",
        build=partial(_build, name, shaping),
        library=str(facts["library"]),
        settings=shaping,
        translate=partial(_translate, name, shaping),
    )


def keep_record(spec: BackboneSpec) -> None:
    """Writes down what is known about a network; where that cannot be done, its library is asked again."""
    try:
        write_sealed(record_path(spec.name), record(spec))
    except HandfulError:
        return


def read_record(path: Path) -> BackboneSpec | None:
    """Returns the network of a record; None where there is none, or a byte of it changed."""
    try:
        return from_record(read_sealed(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError):
        return None


def record_path(name: str) -> Path:
    """Returns where the record of a network is kept."""
    return _folder() / f"{file_stem(name)}.json"


def recorded_specs() -> tuple[BackboneSpec, ...]:
    """Returns the networks of other libraries whose weights were fetched."""
    found = (read_record(path) for path in sorted(_folder().glob("*.json")))
    return tuple(spec for spec in found if spec is not None and spec.weights)


def shaped(settings: Sequence[tuple[str, Setting]]) -> tuple[Stated, Arrangement]:
    """Returns what shapes a network for its library, and how its features come out of it."""
    shaping = dict(settings)
    arrangement = cast("Arrangement", shaping.pop("arrangement"))
    return Stated(settings=shaping), arrangement


def _build(name: str, settings: Sequence[tuple[str, Setting]]) -> Body:
    """Returns a network; on PyTorch's device "meta", where it has no values yet, only if a file holds all of them."""
    import torch

    from handful.backbones.rows import BorrowedBody, drawn_apart

    stated, arrangement = shaped(settings)
    library, model = adapter(name), name.partition(":")[2]
    with drawn_apart():
        try:
            network, anatomy = library.make(model, stated)
            is_loadable = {each for each, _ in network.named_buffers()} <= network.state_dict().keys()
        except (RuntimeError, NotImplementedError):  # some look at their values while they are made
            is_loadable = False
        if not is_loadable:
            with torch.device("cpu"):
                network, anatomy = library.make(model, stated)
    return BorrowedBody(network, anatomy, arrangement)


def _translate(name: str, settings: Sequence[tuple[str, Setting]], state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns a published file's tensors under the names that `BorrowedBody` gives them."""
    from handful.backbones.rows import drawn_apart

    with drawn_apart():
        tensors = adapter(name).translate(name.partition(":")[2], shaped(settings)[0], state)
    return {f"network.{each}": tensor for each, tensor in tensors.items()}


def _is_whole_name(name: str) -> bool:
    try:
        return parse(name) == (name, "")
    except ConfigError:
        return False


def _folder() -> Path:
    return cache_folder("weights") / "networks"


def _tap(facts: Mapping[str, Any], groups: tuple[str, ...]) -> Tap:
    if (
        facts["group"] not in groups
        or facts["pooling"] not in ("average", "flatten")
        or not int(facts["n_features"]) > 0
    ):
        raise ValueError(f"tap {str(facts)[:200]}")
    return Tap(str(facts["name"]), facts["group"], facts["pooling"], int(facts["n_features"]))


def _file(facts: Mapping[str, Any], groups: tuple[str, ...]) -> WeightsFile:
    where = facts["origin"]
    origin = UrlOrigin(str(where["url"])) if "url" in where else HubOrigin(str(where["repo"]), str(where["commit"]))
    name, sha256 = str(facts["name"]), str(facts["sha256"])
    if Path(name).name != name or len(sha256) != 64 or facts["format"] not in ("torch", "safetensors"):
        raise ValueError(f"weights {str(facts)[:200]}")
    return WeightsFile(name, sha256, int(facts["n_bytes"]), origin, groups, facts["format"])


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
