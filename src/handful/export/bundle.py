"""A saved model: weights in safetensors, everything else in JSON, every byte covered by a manifest.

Nothing in a bundle is ever executed or imported by name: a backbone is looked up in handful's own catalogue, one of
another library is made by handful's own adapter from checked numbers, and every value is checked against what the
catalogue and the format allow before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors
import safetensors.numpy

from handful.backbones import find, from_record, record, require
from handful.core.config import TrainConfig
from handful.core.errors import BundleError, ConfigError
from handful.core.files import dump_json, sha256_bytes, sha256_file, write_bytes, write_json
from handful.core.records import FeatureArray, FloatArray, Head, KernelPart, Nonlinearity, StackedHead
from handful.core.sealed import AGAIN, MANIFEST, read_manifest
from handful.core.trust import AnswerRule, Familiar, MissRule, Rules, SetRule
from handful.features import VIEWS, Pool, Preprocessing, find_engine, trunk_from_state
from handful.transfer import Member, Model

FORMAT = 1
MODEL, HEADS = "model.json", "heads.safetensors"
PAIR = ("weight", "bias")
REFERENCES, DISTANCES = "familiar.references", "familiar.distances"


def trunk_file(number: int) -> str:
    """Returns the name of the file with the weights of a member's network."""
    return f"trunk-{number}.safetensors"


def save(model: Model, folder: Path) -> None:
    """Writes a model into a folder; the manifest, with the hash of every other file, comes last."""
    files = {trunk_file(number): member.trunk.state() for number, member in enumerate(model.members)}
    files |= _files(model)
    for name, data in files.items():
        write_bytes(folder / name, data)
    write_json(folder / MANIFEST, {name: sha256_bytes(data) for name, data in files.items()})


def fingerprint(model: Model) -> str:
    """Returns a hash, 64 hex digits, of all that decides a model's answers: equal for a model and its saved copies."""
    return sha256_bytes(dump_json({name: sha256_bytes(data) for name, data in _files(model).items()}).encode())


def load(run: Path) -> Model:
    """Returns the model of a run folder, or of its `model` folder.

    Raises:
        BundleError: there is no model, a byte of it changed, or this version of handful cannot read it.
        MissingExtraError: its network is of another library, which is not installed.
    """
    folder = _folder(run)
    if not (folder / MANIFEST).is_file():
        raise BundleError(
            f"there is no model in {run}: {MANIFEST} is missing. Name the run folder that `handful train` printed."
        )
    manifest = read_manifest(folder / MANIFEST)
    facts = _json(folder / MODEL, _verified(folder, MODEL, manifest))
    if facts.get("format") != FORMAT:
        raise BundleError(
            f"{folder / MODEL} is of format {facts.get('format')!r}; this version of handful reads format {FORMAT}. "
            "Use the version that made it (in result.json, under versions), or train again."
        )
    data = _verified(folder, HEADS, manifest)
    try:
        heads = safetensors.numpy.load(data)
        classes = tuple(_text(name) for name in facts["classes"])
        members = tuple(
            _member(
                member,
                _verified(folder, trunk_file(number), manifest),
                _head(member, _of_member(heads, number), n_classes=len(classes)),
            )
            for number, member in enumerate(facts["members"])
        )
        rules = _rules(facts["rules"], heads, n_classes=len(classes)) if facts.get("rules") else None
        reading = TrainConfig.of(facts["reading"]).reading
        full_scale = int(facts["full_scale"])
    except (KeyError, TypeError, ValueError, ConfigError, safetensors.SafetensorError) as error:
        raise BundleError(
            f"{folder / MODEL} does not describe a model that this version can use: {error}. {AGAIN}"
        ) from error
    if not members or len(set(classes)) != len(classes) or full_scale < 1:
        raise BundleError(f"{folder / MODEL} names no network, or a class twice, or no full scale. {AGAIN}")
    return Model(classes, members, full_scale, reading, rules)


def manifest_sha256(run: Path) -> str:
    """Returns the hash of a model's manifest, which tells it from every other model."""
    return sha256_file(_folder(run) / MANIFEST)


def _folder(run: Path) -> Path:
    return run / "model" if (run / "model").is_dir() else run


def _files(model: Model) -> dict[str, bytes]:
    """Returns a bundle's files but the networks' weights, which are named in them by their hashes."""
    heads = {
        f"{number}.{name}": array
        for number, member in enumerate(model.members)
        for name, array in _arrays(member.head).items()
    }
    if model.rules and model.rules.familiar:
        heads |= {REFERENCES: model.rules.familiar.references, DISTANCES: model.rules.familiar.distances}
    facts = {
        "format": FORMAT,
        "classes": model.classes,
        "full_scale": model.full_scale,
        "reading": asdict(model.reading),
        "members": [
            {
                "backbone": member.trunk.spec.name,
                **({"network": record(member.trunk.spec)} if member.trunk.spec.library else {}),
                "tap": member.trunk.tap.name,
                "weights_sha256": member.trunk.weights_sha256,
                "preprocessing": asdict(member.preprocessing),
                "views": member.views,
                "temperature": member.head.temperature,
                "pool": member.trunk.pool,
                "engine": member.trunk.engine.name,
                "precision": member.trunk.engine.precision,
                **_head_facts(member.head),
            }
            for member in model.members
        ],
        "rules": _rule_facts(model.rules) if model.rules else None,
    }
    return {
        HEADS: safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in heads.items()}),
        MODEL: dump_json(facts, indent=2).encode(),
    }


def _arrays(head: Head | StackedHead) -> dict[str, FloatArray | FeatureArray]:
    """Returns an output layer's arrays by name."""
    if isinstance(head, StackedHead):
        layers = enumerate(head.layers)
        return {f"{index}.{name}": array for index, pair in layers for name, array in zip(PAIR, pair, strict=True)}
    arrays: dict[str, FloatArray | FeatureArray] = {"weight": head.weight, "bias": head.bias}
    if head.kernel is not None:
        arrays |= {"centres": head.kernel.centres, "dual": head.kernel.weight}
    return arrays


def _head_facts(head: Head | StackedHead) -> dict[str, Any]:
    """Returns what else describes an output layer."""
    if isinstance(head, StackedHead):
        return {"sharpness": None, "n_layers": len(head.layers), "nonlinearity": head.nonlinearity}
    return {"sharpness": head.kernel.sharpness if head.kernel else None, "n_layers": None, "nonlinearity": None}


def _of_member(heads: dict[str, Any], number: int) -> dict[str, Any]:
    prefix = f"{number}."
    return {name.removeprefix(prefix): array for name, array in heads.items() if name.startswith(prefix)}


def _head(facts: dict[str, Any], arrays: dict[str, Any], *, n_classes: int) -> Head | StackedHead:
    """Returns an output layer whose arrays are finite and fit together."""
    temperature, sharpness, n_layers = float(facts["temperature"]), facts["sharpness"], facts["n_layers"]
    scales = [temperature] if sharpness is None else [temperature, float(sharpness)]
    if not (all(np.isfinite(array).all() for array in arrays.values()) and all(0.0 < s < np.inf for s in scales)):
        raise ValueError("an output layer that is not finite")
    if n_layers is None:
        kernel = None if sharpness is None else KernelPart(arrays["centres"], arrays["dual"], scales[1])
        _check_chain([(arrays["weight"], arrays["bias"])], n_classes)
        if kernel is not None:
            _check_chain([(kernel.centres.T, kernel.centres[:, 0]), (kernel.weight, arrays["bias"])], n_classes)
        return Head(arrays["weight"], arrays["bias"], temperature, kernel)
    layers = [(arrays[f"{index}.weight"], arrays[f"{index}.bias"]) for index in range(int(n_layers))]
    _check_chain(layers, n_classes)
    options = TrainConfig.of({"nonlinearity": facts["nonlinearity"]})
    return StackedHead(tuple(layers), cast(Nonlinearity, options.finetune.nonlinearity), temperature)


def _check_chain(layers: Sequence[tuple[Any, Any]], n_classes: int) -> None:
    """Raises ValueError where layers do not fit on each other, or do not end in the number of classes."""
    shapes = [(weight.shape, bias.shape) for weight, bias in layers]
    fits = bool(layers) and all(len(w) == 2 and b == w[1:] for w, b in shapes) and shapes[-1][1] == (n_classes,)
    if not fits or any(below[0][1] != above[0][0] for below, above in pairwise(shapes)):
        raise ValueError(f"an output layer of shapes {shapes} for {n_classes} classes")


def _rule_facts(rules: Rules) -> dict[str, Any]:
    """Returns the rules for probabilities as plain values; models that were saved without any have none."""
    return {
        "answer": asdict(rules.answer),
        "sets": asdict(rules.sets),
        "miss": asdict(rules.miss) if rules.miss else None,
    }


def _rules(facts: dict[str, Any], arrays: dict[str, Any], *, n_classes: int) -> Rules:
    """Returns rules whose numbers are in their ranges."""
    answer, sets = AnswerRule(**facts["answer"]), SetRule(**facts["sets"])
    miss = MissRule(**facts["miss"]) if facts["miss"] else None
    shares = [answer.risk, sets.coverage, sets.probability, 0.0 if answer.confidence is None else answer.confidence]
    shares += [miss.limit, miss.probability] if miss else []
    if not all(0.0 <= float(share) <= 1.0 for share in shares) or (miss and miss.label not in range(n_classes)):
        raise ValueError(f"rules {facts!r}")
    if REFERENCES not in arrays:
        return Rules(answer, sets, miss)
    familiar = Familiar(arrays[REFERENCES], arrays[DISTANCES])
    shape, finite = familiar.references.shape, all(np.isfinite(arrays[name]).all() for name in (REFERENCES, DISTANCES))
    if shape != (*familiar.distances.shape, len(arrays["0.weight"])) or not finite:
        raise ValueError(f"reference pictures of shape {shape}")
    return Rules(answer, sets, miss, familiar)


def _member(facts: dict[str, Any], state: bytes, head: Head | StackedHead) -> Member:
    spec = from_record(facts["network"]) if "network" in facts else find(_text(facts["backbone"]))
    if spec.library:
        require(spec.name)
    tap = {tap.name: tap for tap in spec.taps}[facts["tap"]]
    width = len(head.layers[0][0]) if isinstance(head, StackedHead) else len(head.weight)
    if tap.pooling == "average" and width != tap.n_features:
        raise ValueError(f"an output layer for {width} features on a network of {tap.n_features}")
    views = tuple(facts["views"])
    if views not in VIEWS.values():
        raise ValueError(f"views {views!r}; expected one of {list(VIEWS.values())}")
    pool = cast(Pool, TrainConfig.of({"pool": facts["pool"]}).finetune.pool)
    engine = find_engine(facts.get("engine", "eager"), facts.get("precision", "fp32"))
    trunk = trunk_from_state(spec, tap, state, sha256=_text(facts["weights_sha256"]), engine=engine, pool=pool)
    return Member(trunk, _preprocessing(facts["preprocessing"]), views, head)


def _preprocessing(facts: dict[str, Any]) -> Preprocessing:
    options = {name: facts[name] for name in ("size", "fit", "interpolation")}
    features = TrainConfig.of(options).features
    mean, std = (tuple(float(value) for value in facts[name]) for name in ("mean", "std"))
    share = float(facts["share"])
    if len(mean) != 3 or len(std) != 3 or not 0.0 < share <= 1.0 or min(std) <= 0.0:
        raise ValueError(f"preprocessing {facts!r}")
    if features.size is None or "auto" in (features.fit, features.interpolation):
        raise ValueError(f"preprocessing {facts!r} that is not resolved")
    return Preprocessing(features.size, features.fit, features.interpolation, mean, std, share)  # type: ignore[arg-type]


def _verified(folder: Path, name: str, manifest: dict[str, Any]) -> bytes:
    """Returns the bytes of a file of the bundle, which are what the manifest says."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise BundleError(f"{folder / name} cannot be read: {error.strerror}. {AGAIN}") from error
    found = sha256_bytes(data)
    if found != manifest.get(name):
        raise BundleError(
            f"{folder / name} changed since it was written: its SHA-256 is {found}, the manifest says "
            f"{manifest.get(name)}. {AGAIN}"
        )
    return data


def _json(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}. {AGAIN}") from error
    if not isinstance(value, dict):
        raise BundleError(f"{path} holds no object. {AGAIN}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} where a text was expected")
    return value
