"""Networks that other libraries make: their names, and what is known about them on this machine; no PyTorch by itself.

A library is asked once about a network. What it says is kept as a record, JSON beside the weights, so that looking a
network up opens no library, and so that a saved model can say what its network is: the record travels in the bundle.
Which class makes a network is decided here and in the three adapters, never by a name in a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from handful.backbones.facts import Facts, Source, Stated
from handful.backbones.licences import UNKNOWN, spdx
from handful.backbones.spec import BackboneSpec, HubOrigin, Setting, Tap, UrlOrigin, WeightsFile, file_stem
from handful.core.errors import ConfigError, HandfulError, MissingExtraError, WeightsError
from handful.core.files import cache_folder, dump_json, write_text

if TYPE_CHECKING:
    from torch import Tensor, nn

    from handful.backbones.grouped import Body
    from handful.backbones.rows import Anatomy, Arrangement

RECORD_FORMAT = 1
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
"""What a network on the hub says about itself, beside its weights."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of weights on the hub, the format that cannot hold code first."""

ARRANGEMENTS = ("average", "flatten", "whole")


@dataclass(frozen=True, slots=True)
class Library:
    """A library that makes networks.

    Attributes:
        module: as it is imported.
        extra: of handful, which installs it.
    """

    module: str
    extra: str


LIBRARIES = {
    "timm": Library("timm", "timm"),
    "torchvision": Library("torchvision", "torchvision"),
    "hf": Library("transformers", "hf"),
}


@dataclass(frozen=True, slots=True)
class Alias:
    """A plain name for a network of another library.

    Attributes:
        name: the plain one.
        stands_for: the whole one.
        n_features: D.
        licence: of the weights.
        about: one line.
    """

    name: str
    stands_for: str
    n_features: int
    licence: str
    about: str


ALIASES = (
    Alias("googlenet", "torchvision:googlenet", 1024, "BSD-3-Clause", "Szegedy et al. 2015, named in the paper"),
    Alias("resnet50", "torchvision:resnet50.IMAGENET1K_V1", 2048, "BSD-3-Clause", "He et al. 2016, named in the paper"),
    Alias("convnext-tiny", "timm:convnext_tiny.fb_in22k", 768, "Apache-2.0", "14 million pictures, 22 000 classes"),
    Alias("efficientnetv2-s", "timm:tf_efficientnetv2_s.in21k", 1280, "Apache-2.0", "14 million pictures"),
    Alias("dinov2-small", "hf:facebook/dinov2-small", 384, "Apache-2.0", "142 million pictures, no labels"),
    Alias("dinov2-base", "hf:facebook/dinov2-base", 768, "Apache-2.0", "the same, four times as large"),
    Alias("dinov3-small", "hf:facebook/dinov3-vits16-pretrain-lvd1689m", 384, "dinov3-license", "behind a form"),
    Alias("clip-vit-b-32", "hf:openai/clip-vit-base-patch32", 768, "MIT", "CLIP's image tower, 400 million pictures"),
)


class Adapter(Protocol):
    """What is asked of the module that knows a library: `from_timm`, `from_torchvision`, `from_transformers`."""

    def describe(self, model: str, stated: Stated) -> Facts:
        """Returns the facts about a network."""

    def make(self, model: str, stated: Stated) -> tuple[nn.Module, Anatomy]:
        """Returns a network with random weights and without its classifier, and how it is run."""

    def translate(self, model: str, stated: Stated, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Returns a published file's tensors under the network's own names."""


def parse(name: str) -> tuple[str, str] | None:
    """Returns the whole name of a network of another library, and the tap after it ("" for none); None for others.

    Example:
        >>> parse("resnet50:stage3")
        ('torchvision:resnet50.IMAGENET1K_V1', 'stage3')
    """
    first, _, rest = name.strip().partition(":")
    if first in LIBRARIES:
        model, _, tap = rest.partition(":")
        if not model:
            raise ConfigError(f"{name!r} names no network. Expected {first}:NAME, for instance {_example(first)}.")
        return f"{first}:{model}", tap
    whole = {alias.name: alias.stands_for for alias in ALIASES}.get(first.lower())
    return (whole, rest) if whole else None


def library_of(name: str) -> str:
    """Returns "timm", "torchvision" or "hf": the part of a whole name before the colon."""
    return name.partition(":")[0]


def require(name: str) -> None:
    """Raises MissingExtraError where the library that makes a network is not installed; imports nothing."""
    library = LIBRARIES[library_of(name)]
    if find_spec(library.module) is None:
        raise MissingExtraError(f"network {name}", library.extra)


def adapter(name: str) -> Adapter:
    """Returns the module that knows a network's library, which it imports.

    Raises:
        MissingExtraError: the library is not installed.
        ConfigError: it is, but does not work here.
    """
    require(name)
    library = library_of(name)
    module: Any
    try:
        if library == "timm":
            from handful.backbones import from_timm as module
        elif library == "torchvision":
            from handful.backbones import from_torchvision as module
        else:
            from handful.backbones import from_transformers as module
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        installed = f"{LIBRARIES[library].module} {_version(library)}"
        raise ConfigError(
            f"network {name} needs {installed}, which is installed but cannot be imported: {error}. Often torch and "
            "torchvision do not belong together; install both from one index, for instance: pip install "
            "--force-reinstall torch torchvision --index-url https://download.pytorch.org/whl/cpu"
        ) from error
    return cast(Adapter, module)


def find(name: str, *, folder: Path | None = None) -> BackboneSpec:
    """Returns the facts about a network of another library: recorded ones, or those that its library gives now.

    Args:
        name: a whole name, from `parse`.
        folder: where the user's weights are, or one file; a record or a config.json that lies there is read.

    Raises:
        ConfigError: the library has no such network.
        MissingExtraError: the library is not installed.
        WeightsError: a network of the hub of which nothing is known here yet.
    """
    carried = _carried(name, folder)
    recorded = carried or _read_record(record_path(name))
    stated = _stated(folder) if library_of(name) == "hf" and not carried else Stated()
    if recorded is not None and not stated.config and recorded.library == _stamp(library_of(name)):
        return recorded
    if recorded is not None and find_spec(LIBRARIES[library_of(name)].module) is None:
        return recorded
    if recorded is not None and not stated.config:
        stated = replace(_shaped(recorded.settings)[0], preprocessor=_shown(recorded))
    if library_of(name) == "hf" and not (stated.config or stated.settings):
        require(name)
        raise WeightsError(
            f"nothing is known about {name} on this machine yet. To get it: handful backbones --get {name}. Without a "
            f"network: pass --weights FOLDER with its {CONFIG}, {PREPROCESSOR} and model.safetensors."
        )
    spec = describe(name, stated)
    if recorded is not None:
        spec = replace(spec, weights=recorded.weights, licence=recorded.licence)
    keep_record(spec)
    return spec


def describe(name: str, stated: Stated) -> BackboneSpec:
    """Returns the facts about a network as its library gives them; it is made once, with random weights.

    Raises:
        ConfigError: the library has no such network, or handful finds no features in it.
    """
    from handful.backbones.rows import examine

    known, model = adapter(name), name.partition(":")[2]
    facts = known.describe(model, stated)
    shaped = Stated(settings=facts.settings)
    network, anatomy = known.make(model, shaped)
    try:
        found = examine(network, anatomy, size=facts.input_size)
    except (ValueError, RuntimeError, TypeError, AssertionError) as error:
        raise ConfigError(f"{name} gives no features of pictures of {facts.input_size} pixels: {error}.") from error
    alias = next((each for each in ALIASES if each.stands_for == name), None)
    licence = facts.licence or (alias.licence if alias else UNKNOWN)
    return _with_library(
        BackboneSpec(
            name=name,
            aliases=(alias.name,) if alias else (),
            title=facts.title,
            input_size=facts.input_size,
            min_size=facts.input_size,
            interpolation=facts.interpolation,
            crop_fraction=facts.crop_fraction,
            mean=facts.mean,
            std=facts.std,
            groups=found.groups,
            taps=found.taps,
            weights=(),
            n_parameters=found.n_parameters,
            imagenet_top1=None if facts.imagenet_top1 is None else facts.imagenet_top1 / 100.0,
            licence=spdx(licence),
            paper=None,
            note=alias.about if alias else "",
            build=_nothing,
            library=_stamp(library_of(name)),
            settings=tuple(sorted({**facts.settings, "arrangement": found.arrangement}.items())),
        )
    )


def source_of(name: str) -> Source:
    """Returns where a library says that a network's weights are published."""
    return adapter(name).describe(name.partition(":")[2], Stated()).source


def hub_source(name: str) -> Source:
    """Returns where a network of the hub lies: its name is its repository."""
    return Source(repo=name.partition(":")[2], files=WEIGHTS)


def keep_record(spec: BackboneSpec) -> None:
    """Writes down what is known about a network; where that cannot be done, its library is asked again."""
    try:
        write_text(record_path(spec.name), dump_json(record(spec), indent=2) + "\n")
    except HandfulError:
        return


def recorded_specs() -> tuple[BackboneSpec, ...]:
    """Returns the networks of other libraries whose weights were fetched, by name."""
    paths = sorted(cache_folder("weights").glob("networks/*.json"))
    return tuple(spec for spec in map(_read_record, paths) if spec is not None and spec.weights)


def record_path(name: str) -> Path:
    """Returns where the record of a network is kept."""
    return cache_folder("weights") / "networks" / f"{file_stem(name)}.json"


def record(spec: BackboneSpec) -> dict[str, Any]:
    """Returns a network's facts as plain values."""
    facts = {
        name: getattr(spec, name)
        for name in ("name", "title", "input_size", "interpolation", "crop_fraction", "mean", "std", "groups")
        + ("n_parameters", "imagenet_top1", "licence", "library")
    }
    return {
        "format": RECORD_FORMAT,
        **facts,
        "taps": [asdict(tap) for tap in spec.taps],
        "settings": dict(spec.settings),
        "weights": [{**asdict(file), "origin": asdict(cast(Any, file.origin))} for file in spec.weights],
    }


def from_record(facts: Mapping[str, Any]) -> BackboneSpec:
    """Returns the network that a record describes; every value is checked, and none is taken for code.

    Raises:
        ValueError: it is no record, or one with values that cannot be.
        KeyError: an entry is missing.
        TypeError: an entry is of another kind.
        ConfigError: settings that are not read.
    """
    name = str(facts["name"])
    if facts["format"] != RECORD_FORMAT or parse(name) != (name, ""):
        raise ValueError(f"no record of a network of another library: {name[:80]!r}")
    settings = dict(facts["settings"])
    if settings.get("arrangement") not in ARRANGEMENTS or facts["interpolation"] not in ("bilinear", "bicubic"):
        raise ValueError(f"settings {str(settings)[:200]}")
    groups = tuple(str(group) for group in facts["groups"])
    taps = tuple(Tap(str(t["name"]), str(t["group"]), t["pooling"], int(t["n_features"])) for t in facts["taps"])
    size, mean, std = int(facts["input_size"]), _three(facts["mean"]), _three(facts["std"])
    if not taps or any(tap.group not in groups or tap.pooling not in ("average", "flatten") for tap in taps):
        raise ValueError(f"taps {str(facts['taps'])[:200]}")
    if not 1 <= size <= 4096 or min(std) <= 0.0:
        raise ValueError(f"pictures of {size} pixels, deviation {std}")
    alias = next((each for each in ALIASES if each.stands_for == name), None)
    return _with_library(
        BackboneSpec(
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
            build=_nothing,
            library=str(facts["library"]),
            settings=tuple(sorted(settings.items())),
        )
    )


def read_stated(texts: Mapping[str, bytes]) -> Stated:
    """Returns what a network's own files hold, by their names.

    Raises:
        WeightsError: one of them is no JSON object.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for name, text in texts.items():
        try:
            value = json.loads(text)
        except ValueError as error:
            raise WeightsError(f"{name} is not JSON: {error}. Get the network again.") from error
        if not isinstance(value, dict):
            raise WeightsError(f"{name} holds no object. Get the network again.")
        found[name] = value
    return Stated(config=found.get(CONFIG, {}), preprocessor=found.get(PREPROCESSOR, {}))


def _with_library(spec: BackboneSpec) -> BackboneSpec:
    """Returns a network with the functions that make it."""
    known = partial(adapter, spec.name)
    return replace(
        spec,
        build=partial(_build, known, spec.name.partition(":")[2], spec.settings),
        translate=partial(_translate, known, spec.name.partition(":")[2], spec.settings),
    )


def _build(known: partial[Adapter], model: str, settings: Sequence[tuple[str, Setting]]) -> Body:
    """Returns a network; on the meta device where that is asked for and nothing of it is made but loaded."""
    import torch

    from handful.backbones.rows import BorrowedBody

    shaped, arrangement = _shaped(settings)
    library = known()
    try:
        network, anatomy = library.make(model, shaped)
        is_whole = {name for name, _ in network.named_buffers()} <= network.state_dict().keys()
    except (RuntimeError, NotImplementedError):  # some count on values while they are made
        is_whole = False
    if not is_whole:
        with torch.device("cpu"):
            network, anatomy = library.make(model, shaped)
    return BorrowedBody(network, anatomy, arrangement)


def _translate(
    known: partial[Adapter], model: str, settings: Sequence[tuple[str, Setting]], state: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
    shaped, _ = _shaped(settings)
    return {f"network.{name}": tensor for name, tensor in known().translate(model, shaped, state).items()}


def _shaped(settings: Sequence[tuple[str, Setting]]) -> tuple[Stated, Arrangement]:
    shaping = dict(settings)
    arrangement = cast("Arrangement", shaping.pop("arrangement"))
    return Stated(settings=shaping), arrangement


def _nothing() -> Body:
    raise AssertionError("replaced by _with_library")


def _carried(name: str, folder: Path | None) -> BackboneSpec | None:
    """Returns what a folder that handful exported says about a network."""
    if folder is None:
        return None
    return _read_record((folder if folder.is_dir() else folder.parent) / f"{file_stem(name)}.json")


def _read_record(path: Path) -> BackboneSpec | None:
    try:
        return from_record(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError):
        return None


def _stated(folder: Path | None) -> Stated:
    """Returns what the files beside the user's weights say about their network."""
    if folder is None:
        return Stated()
    place = folder if folder.is_dir() else folder.parent
    return read_stated({n: (place / n).read_bytes() for n in (CONFIG, PREPROCESSOR) if (place / n).is_file()})


def _shown(spec: BackboneSpec) -> dict[str, Any]:
    """Returns how a network is shown pictures, in the words of its own files."""
    return {
        "size": round(spec.input_size / spec.crop_fraction),
        "crop_size": spec.input_size,
        "do_center_crop": True,
        "resample": 2 if spec.interpolation == "bilinear" else 3,
        "image_mean": [value / 255.0 for value in spec.mean],
        "image_std": [value / 255.0 for value in spec.std],
    }


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


def _stamp(library: str) -> str:
    """Returns a library with its version."""
    return f"{LIBRARIES[library].module} {_version(library)}"


def _version(library: str) -> str:
    try:
        return version(LIBRARIES[library].module)
    except PackageNotFoundError:
        return "?"


def _example(library: str) -> str:
    return next(alias.stands_for for alias in ALIASES if library_of(alias.stands_for) == library)
