"""Finding a network of another library: what is recorded about it, or what the library says, which is then recorded.

A library is asked once about a network, because importing it and making a network takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from handful.backbones.facts import Source, Stated
from handful.backbones.libraries import ALIASES, LIBRARIES, adapter, library_of, require, stamp
from handful.backbones.licences import UNKNOWN, spdx
from handful.backbones.records import RECORD_FORMAT, from_record, keep_record, read_record, record_path, shaped
from handful.backbones.spec import BackboneSpec
from handful.core.errors import ConfigError, WeightsError
from handful.core.parsed import parse_json

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
"""What a network on the hub says about itself, beside its weights."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of weights on the hub, the format that cannot hold code first."""


def find(name: str, *, folder: Path | None = None) -> BackboneSpec:
    """Returns the facts about a network of another library: recorded ones, or those that its library gives now.

    Args:
        name: a whole name, from `libraries.parse`.
        folder: where the user's weights are, or one file; a record or a config.json that lies there is read.

    Raises:
        ConfigError: the library has no such network.
        MissingExtraError: the library is not installed.
        WeightsError: a network of the hub of which nothing is known here yet.
    """
    library = library_of(name)
    recorded, stated = read_record(record_path(name)), Stated()
    if folder is not None:
        place = folder if folder.is_dir() else folder.parent
        recorded = read_record(place / record_path(name).name) or recorded
        stated = _stated(place) if library == "hf" else stated
    if recorded is not None and not stated.config:
        if recorded.library == stamp(library) or find_spec(LIBRARIES[library].module) is None:
            return recorded
        stated = replace(shaped(recorded.settings)[0], preprocessor=_shown(recorded))
    require(name)
    if library == "hf" and not (stated.config or stated.settings):
        raise WeightsError(
            f"nothing is known about {name} on this machine yet. To get it: handful backbones --get {name}. Without a "
            f"network: pass --weights FOLDER with its {CONFIG}, {PREPROCESSOR} and model.safetensors."
        )
    if recorded is not None and stated.config and _fits(recorded, stated):
        return recorded
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
    from handful.backbones.rows import drawn_apart, examine

    known, model = adapter(name), name.partition(":")[2]
    facts = known.describe(model, stated)
    with drawn_apart():
        network, anatomy = known.make(model, Stated(settings=facts.settings))
    try:
        found = examine(network, anatomy, size=facts.input_size)
    except (ValueError, RuntimeError, TypeError, AssertionError) as error:
        raise ConfigError(f"{name} gives no features of pictures of {facts.input_size} pixels: {error}.") from error
    by_alias = {alias.stands_for: alias.licence for alias in ALIASES}
    return from_record(
        {
            "format": RECORD_FORMAT,
            "name": name,
            "title": facts.title,
            "input_size": facts.input_size,
            "interpolation": facts.interpolation,
            "crop_fraction": facts.crop_fraction,
            "mean": facts.mean,
            "std": facts.std,
            "groups": found.groups,
            "taps": [
                {"name": t.name, "group": t.group, "pooling": t.pooling, "n_features": t.n_features} for t in found.taps
            ],
            "n_parameters": found.n_parameters,
            "imagenet_top1": facts.imagenet_top1,
            "licence": spdx(facts.licence or by_alias.get(name, UNKNOWN)),
            "library": stamp(library_of(name)),
            "settings": {**facts.settings, "arrangement": found.arrangement},
            "weights": [],
        }
    )


def source_of(name: str) -> Source:
    """Returns where a network's weights are published: as its library says, or where its name says."""
    model = name.partition(":")[2]
    if library_of(name) == "hf":
        return Source(repo=model, files=WEIGHTS)
    return adapter(name).describe(model, Stated()).source


def read_stated(texts: Mapping[str, bytes]) -> Stated:
    """Returns what a network's own files hold, by their names.

    Raises:
        WeightsError: one of them is no JSON object.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for name, text in texts.items():
        try:
            value = parse_json(text)
        except ValueError as error:
            raise WeightsError(f"{name} is not JSON: {error}. Get the network again.") from error
        if not isinstance(value, dict):
            raise WeightsError(f"{name} holds no object. Get the network again.")
        found[name] = value
    return Stated(config=found.get(CONFIG, {}), preprocessor=found.get(PREPROCESSOR, {}))


def _stated(place: Path) -> Stated:
    """Returns what the files in a folder say about a network."""
    return read_stated(
        {name: (place / name).read_bytes() for name in (CONFIG, PREPROCESSOR) if (place / name).is_file()}
    )


def _fits(spec: BackboneSpec, stated: Stated) -> bool:
    """Returns whether a record says what a network's own files say."""
    facts = adapter(spec.name).describe(spec.name.partition(":")[2], stated)
    shown = (facts.input_size, facts.interpolation, facts.mean, facts.std)
    is_shown_so = shown == (spec.input_size, spec.interpolation, spec.mean, spec.std)
    return is_shown_so and facts.settings == shaped(spec.settings)[0].settings


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
