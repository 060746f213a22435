"""One honest example of every JSON that handful reads, and the function that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from handful.api.unfinished import open_unfinished
from handful.backbones import borrowed, find, locate, records
from handful.core.config import ReadingConfig
from handful.core.files import cache_folder, dump_json, sha256_bytes, write_json
from handful.core.machine import processor
from handful.core.owners import Owner
from handful.core.progress import Silent
from handful.core.records import Head, KernelPart
from handful.core.remembered import memory_of
from handful.core.sealed import MANIFEST, SEAL, sealed
from handful.core.study import Axis, StudyPlan, Trial, TrialResult
from handful.core.training import Checkpoint
from handful.core.trust import AnswerRule, Familiar, MissRule, Rules, SetRule
from handful.export import bundle
from handful.export.onnx_file import read_facts
from handful.features import Preprocessing, trunk_from_weights, upkeep
from handful.features.engines import choose
from handful.features.shards import pack, read_header
from handful.finetune import precision
from handful.images import duplicates, memory, read
from handful.report import compared
from handful.serve import served
from handful.serve.explain import find_references
from handful.study.store import load_plan, load_results, save_plan, save_result
from handful.testing.backbone import install_toy_backbone
from handful.testing.library import LENT, install_fake_library, lent_state
from handful.testing.pictures import draw_folder
from handful.transfer import Member, Model, judge

RULES = Rules(
    AnswerRule(0.05, 0.8, 100, 70, 1),
    SetRule(0.9, 0.2, 100),
    MissRule(1, 0.01, 0.03, 40, 0, 0.056),
    Familiar(np.eye(16, dtype=np.float32)[:5], np.linspace(0.1, 0.5, 5)),
)


@dataclass(frozen=True)
class Document:
    """A file that handful reads.

    Attributes:
        name: what it is called in the figures.
        path: where it lies.
        honest: what it holds when nobody changed it.
        read: reads it as handful does.
        write: puts other bytes in its place, as somebody does who also changes the hashes beside it.
    """

    name: str
    path: Path
    honest: Any
    read: Callable[[], Any]
    write: Callable[[Path, bytes], Any] = Path.write_bytes


def documents(folder: Path, patch: Any) -> list[Document]:
    """Returns all of them, each in a folder of its own below a folder."""
    toy = install_toy_backbone(patch, folder / "packages")
    photos = draw_folder(folder / "photos", per_class=3, size=16)
    return [
        *_bundles(folder, toy, patch),
        *_studies(folder / "study"),
        *_runs(folder / "run", photos),
        *_caches(photos, patch),
        *_features(),
        _unfinished(folder / "answers.partial"),
    ]


def _bundles(folder: Path, toy: Any, patch: Any) -> list[Document]:
    rng = np.random.default_rng(0)
    trunk = trunk_from_weights(toy, locate(toy), threads=1, progress=Silent(), engine="eager")
    shown = Preprocessing(toy.input_size, "squash", "bicubic", toy.mean, toy.std)
    kernel = KernelPart(rng.normal(size=(5, 16)).astype(np.float32), rng.normal(size=(5, 3)), 0.3)
    head = Head(rng.normal(size=(16, 3)), rng.normal(size=3), 0.7, kernel)
    model = Model(("a", "b", "c"), (Member(trunk, shown, ("plain",), head),), 255, ReadingConfig(), RULES)
    bundle.save(model, folder / "model")
    library = install_fake_library(patch)
    save_file(lent_state(), folder / "lent.safetensors")
    spec = find(LENT)
    located = locate(spec, folder=folder / "lent.safetensors")
    lent = trunk_from_weights(spec, located, threads=1, progress=Silent(), engine="eager")
    shown = Preprocessing(spec.input_size, "squash", "bicubic", spec.mean, spec.std)
    head = Head(rng.normal(size=(12, 3)), rng.normal(size=3), 0.7)
    bundle.save(Model(("a", "b", "c"), (Member(lent, shown, ("plain",), head),), 255, ReadingConfig()), folder / "lent")
    assert library.n_asked

    def opened(place: Path) -> Callable[[], None]:
        def load() -> None:
            model = bundle.load(place)
            for member in model.members:
                member.trunk.network()
            width = [len(getattr(member.head, "weight", np.zeros((16, 3)))) for member in model.members]
            judge(model, [np.ones((1, 1, each), np.float32) for each in width])

        return load

    def rehashed(path: Path, data: bytes) -> None:
        path.write_bytes(data)
        manifest = path.with_name(MANIFEST)
        write_json(manifest, {**json.loads(manifest.read_bytes()), path.name: sha256_bytes(data)})

    kept = records.record_path("timm:lent")
    kept.parent.mkdir(parents=True, exist_ok=True)
    stated = folder / "stated"
    stated.mkdir()
    save_file(lent_state(), stated / "timm-lent.safetensors")
    manifest = folder / "manifest"
    bundle.save(model, manifest)

    def describe() -> None:
        borrowed.read_stated({"config.json": (stated / "config.json").read_bytes()})

    def recorded() -> None:
        records.recorded_specs()
        records.read_record(kept)

    return [
        Document("model.json", folder / "model" / bundle.MODEL, _json(folder / "model" / bundle.MODEL),
                 opened(folder / "model"), rehashed),
        Document("model.json with a network", folder / "lent" / bundle.MODEL, _json(folder / "lent" / bundle.MODEL),
                 opened(folder / "lent"), rehashed),
        Document("manifest.json", manifest / MANIFEST, _json(manifest / MANIFEST), opened(manifest),
                 _laid_out),
        Document("record of a network", kept, records.record(spec), recorded, _resealed),
        Document("config.json", stated / "config.json", {"width": 8}, describe),
    ]  # fmt: skip


def _studies(folder: Path) -> list[Document]:
    base: dict[str, Any] = {"backbone": "alexnet", "epochs": 2}
    plan = StudyPlan(
        "/photos", "ab", (Axis("lr", (0.1, 0.2)), Axis("momentum", low=0.1, high=0.9)), base, (0, 1), "grid", 0, "none",
        ("a", "b"), 20, 4, 4,
    )  # fmt: skip
    save_plan(folder, plan, versions={"torch": "1"}, command="handful study")
    curve = tuple(Checkpoint(epoch, epoch, 1.0, 0.5, 1.0, 0.5) for epoch in (1, 2))
    trial = TrialResult(Trial({**base, "lr": 0.1}, 0), "done", "all epochs", curve, None, 16, (True, False, True))
    save_result(folder, trial, data="ab", versions={"torch": "1"})
    (path,) = (folder / "trials").iterdir()

    def results() -> None:
        for found in load_results(folder, data="ab"):
            _ = found.accuracy, found.loss

    return [
        Document(
            "study.json", folder / "study.json", _json(folder / "study.json"), lambda: load_plan(folder), _resealed
        ),
        Document("trial of a study", path, _json(path), results, _resealed),
    ]


def _runs(folder: Path, photos: Path) -> list[Document]:
    folder.mkdir()
    references = {
        "root": str(photos),
        "add": {},
        "pictures": [{"path": "circle/000.png", "class": "circle", "sha256": "0" * 64}],
    }
    result = {"accuracy": 0.9, "accuracy_interval": [0.8, 0.95], "n_test": 20}
    metadata = {"format": "1", "classes": '["a", "b"]', "inputs": '{"picture": 224}', "full_scale": "255"}
    metadata_path = folder / "metadata.json"

    def of_export() -> None:
        values = json.loads(metadata_path.read_bytes())
        texts = values.items() if isinstance(values, dict) else ()
        read_facts({str(key): text if isinstance(text, str) else json.dumps(text) for key, text in texts})

    return [
        Document("result.json", folder / "result.json", result, lambda: served._facts(folder)),
        Document("provenance.json", folder / "provenance.json", {"versions": {"torch": "1"}, "code": "ab"},
                 lambda: compared.read_json(folder / "provenance.json")),
        Document("name of a process", folder / "owner", {"pid": 7, "host": "h", "since": 1.0, "born": "1"},
                 lambda: Owner.read((folder / "owner").read_bytes())),
        Document("references.json", folder / "references.json", references, lambda: find_references(folder)),
        Document("metadata of an ONNX file", metadata_path, metadata, of_export, _write_metadata),
    ]  # fmt: skip


def _resealed(path: Path, data: bytes) -> None:
    """Writes what is an object under a hash of its own, as somebody does who knows how; the rest as it is."""
    with suppress(ValueError, RecursionError, AttributeError):
        data = sealed({name: each for name, each in json.loads(data).items() if name != SEAL})
    path.write_bytes(data)


def _laid_out(path: Path, data: bytes) -> None:
    """Writes what is JSON as handful lays a manifest out; the rest as it is."""
    with suppress(ValueError, RecursionError):
        data = (dump_json(json.loads(data), indent=2) + "\n").encode()
    path.write_bytes(data)


def _write_metadata(path: Path, data: bytes) -> None:
    """Writes what is an object of texts where it can be read at all: the format holds nothing else."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        data = b"{}"
    path.write_bytes(data)


def _caches(photos: Path, patch: Any) -> list[Document]:
    table = read(photos, ReadingConfig(), threads=1)
    known = table.pictures
    (shard,) = (cache_folder("reading")).rglob("*.json")
    copies = duplicates._memory(table, known)
    engine = memory_of({"engine": "of the toy"})
    patch.setattr(precision, "bfloat16_gain", lambda: 1.0)
    gain = memory_of({"processor": processor(), "torch": version("torch"), "product": precision.SIDE})
    engine.parent.mkdir(parents=True, exist_ok=True)
    copies.parent.mkdir(parents=True, exist_ok=True)

    def renamed(path: Path, data: bytes) -> None:
        for other in path.parent.glob("*.json"):
            other.unlink()
        path.with_name(f"{sha256_bytes(data)}.json").write_bytes(data)

    pixels = ReadingConfig().max_megapixels * 1e6
    found = {"engine": "eager", "reason": "x", "tried": []}
    return [
        Document("what decoding found", shard, _json(shard), lambda: memory.recall(pixels), renamed),
        Document(
            "copies", copies, {"pairs": [[0, 1, 0.9, False]]}, lambda: duplicates._recall(table, known), _resealed
        ),
        Document("chosen engine", engine, found, lambda: choose._recall(engine, "fp32"), _resealed),
        Document("gain of bfloat16", gain, {"bfloat16_gain": 2.0}, precision._known_gain, _resealed),
    ]


def _features() -> list[Document]:
    space = cache_folder("features") / ("a" * 64)
    space.mkdir(parents=True)
    data = pack(["0" * 64] * 3, np.ones((3, 5), np.float32))
    shard = space / f"{sha256_bytes(data)}.safetensors"
    shard.write_bytes(data)
    length = int.from_bytes(data[:8], "little")
    facts = {
        "backbone": "toy",
        "tap": "head",
        "preprocessing": {"size": 32},
        "precision": "fp32",
        "view": "plain/1",
    }

    def rewritten(path: Path, header: bytes) -> None:
        path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :])

    def header() -> None:
        with shard.open("rb") as stream:
            read_header(stream)

    return [
        Document("space.json", space / "space.json", facts, upkeep.holdings, _resealed),
        Document("header of features", shard, json.loads(data[8 : 8 + length]), header, rewritten),
    ]


def _unfinished(path: Path) -> Document:
    """Answers so far: a database, whose facts are JSON."""

    def reading() -> None:
        with open_unfinished(path) as unfinished:
            unfinished._known()

    def write(_: Path, data: bytes) -> None:
        path.unlink(missing_ok=True)
        with open_unfinished(path) as unfinished:
            unfinished.database.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT)")
            text = data.decode("utf-8", "replace")
            unfinished.database.execute("INSERT INTO facts VALUES ('model', ?)", (text,))

    return Document("facts of unfinished answers", path, {"model": "ab"}, reading, write)


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())
