import dataclasses
import json
import time

import numpy as np
import pytest
import safetensors.numpy
from safetensors.torch import save_file

from handful.backbones import find, libraries, locate
from handful.core.config import ReadingConfig
from handful.core.errors import BundleError, HandfulError, MissingExtraError
from handful.core.files import sha256_bytes, write_json
from handful.core.progress import Silent
from handful.core.records import Head, KernelPart, StackedHead
from handful.core.trust import AnswerRule, Familiar, MissRule, Rules, SetRule
from handful.export import load, save
from handful.features import Preprocessing, trunk_from_weights
from handful.images import read
from handful.testing.library import LENT, install_fake_library, lent_state
from handful.transfer import Member, Model, classify, examine


@pytest.fixture
def model(toy):
    rng = np.random.default_rng(0)
    trunk = trunk_from_weights(toy, locate(toy), threads=1, progress=Silent())
    shown = Preprocessing(toy.input_size, "squash", "bicubic", toy.mean, toy.std)
    heads = [Head(rng.normal(size=(16, 3)), rng.normal(size=3), 0.7) for _ in range(2)]
    kernel = KernelPart(rng.normal(size=(5, 16)).astype(np.float32), rng.normal(size=(5, 3)), 0.3)
    heads[0] = Head(heads[0].weight, heads[0].bias, 0.7, kernel)
    members = (Member(trunk, shown, ("plain", "mirror"), heads[0]), Member(trunk, shown, ("plain",), heads[1]))
    return Model(("a", "b <c>", "ü"), members, 4095, ReadingConfig(max_file_mb=7.0))


@pytest.fixture
def folder(model, tmp_path):
    save(model, tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_answers_as_the_saved_one(model, folder, photos):
    table = read(photos, ReadingConfig(), threads=1)
    answers = [
        classify(which, table, table.pictures, threads=1, progress=Silent(), use_cache=False)
        for which in (model, load(folder))
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-7)


def test_everything_else_comes_back(model, folder):
    again = load(folder.parent)
    assert (again.classes, again.full_scale, again.reading) == (model.classes, 4095, model.reading)
    assert [m.preprocessing for m in again.members] == [m.preprocessing for m in model.members]
    assert [m.views for m in again.members] == [m.views for m in model.members]


@pytest.mark.parametrize("nonlinearity", ["rectifier", "hard-tanh"])
def test_a_stack_of_layers_comes_back(model, photos, tmp_path, nonlinearity):
    rng = np.random.default_rng(1)
    layers = ((rng.normal(size=(16, 7)), rng.normal(size=7)), (rng.normal(size=(7, 3)), rng.normal(size=3)))
    stack = StackedHead(layers, nonlinearity, 1.7)
    first = model.members[0]
    deep = Model(model.classes, (Member(first.trunk, first.preprocessing, ("plain",), stack),), 255, model.reading)
    save(deep, tmp_path)
    table = read(photos, ReadingConfig(), threads=1)
    answers = [
        classify(which, table, table.pictures, threads=1, progress=Silent(), use_cache=False)
        for which in (deep, load(tmp_path))
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-7)


def test_there_is_no_pickle(folder):
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("name", ["model.json", "heads.safetensors", "trunk-1.safetensors"])
def test_a_changed_byte_is_refused(folder, name):
    data = bytearray((folder / name).read_bytes())
    for position in np.random.default_rng(0).integers(0, len(data), 40):
        data[position] ^= 4
        (folder / name).write_bytes(bytes(data))
        with pytest.raises(BundleError, match=f"{name} changed since it was written"):
            load(folder)
        data[position] ^= 4


@pytest.mark.parametrize("name", ["model.json", "trunk-0.safetensors", "manifest.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        load(folder)


def rewrite(folder, change, *, without=""):
    """Changes facts of the model, or of its first member, as somebody who also changes the manifest."""
    facts = json.loads((folder / "model.json").read_text())
    facts.pop(without, None)
    if change.keys() <= facts.keys():
        facts |= change
    else:
        facts["members"][0] |= change
    data = json.dumps(facts).encode()
    (folder / "model.json").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text()) | {"model.json": sha256_bytes(data)}
    write_json(folder / "manifest.json", manifest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "is of format 99; this version of handful reads format 1"),
        ({"classes": ["a"]}, "does not describe a model"),
        ({"classes": ["a", "a", "b"]}, "a class twice"),
        ({"full_scale": 0}, "no full scale"),
        ({"reading": {"max_file_mb": -1}}, "max_file_mb is -1"),
        ({"reading": {"__import__": "os"}}, "no option '__import__'"),
        ({"members": []}, "names no network"),
        ({"backbone": "os.system"}, "no network 'os.system'"),
        ({"tap": "../../etc/passwd"}, "does not describe a model"),
        ({"views": ["upside-down"]}, "views "),
        ({"temperature": 0.0}, "not finite"),
        ({"sharpness": -1.0}, "not finite"),
        ({"temperature": float("nan")}, "is not JSON: the number NaN"),
        ({"preprocessing": {}}, "does not describe a model"),
        ({"weights_sha256": ["x"]}, "a text was expected"),
    ],
)
def test_a_model_that_was_rewritten_with_nonsense_is_refused(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(BundleError, match=message):
        load(folder)


def header(**tensors):
    """The beginning of a safetensors file: name to kind, shape, and where its bytes end."""
    entries = {
        n: {"dtype": kind, "shape": shape, "data_offsets": [0, end]} for n, (kind, shape, end) in tensors.items()
    }
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


def numbers(**arrays):
    return safetensors.numpy.save({name.replace("_", "."): array for name, array in arrays.items()})


BOMBS = {
    "a million million elements": header(w=("F32", [10**6, 10**6], 4 * 10**12)) + bytes(64),
    "a shape beyond 64 bits": header(w=("F32", [2**62, 8], 64)) + bytes(64),
    "elements without bytes": header(w=("F32", [10**12], 0)),
    "a header of 2 ** 60 bytes": (2**60).to_bytes(8, "little") + b"{}",
    "a header cut off": header(w=("F32", [4], 16))[:20],
    "no header": b"",
    "numbers of an unknown kind": header(w=("C999", [4], 16)) + bytes(16),
    "bytes that overlap": header(a=("F32", [4], 16), b=("F32", [4], 16)) + bytes(16),
    "another tensor": numbers(w=np.zeros(4, np.float32)),
}


@pytest.mark.parametrize("name", ["heads.safetensors", "trunk-0.safetensors"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_weights_that_claim_what_is_not_there_are_refused_before_memory_is_taken(folder, name, bomb):
    exchange(folder, name, BOMBS[bomb])
    began = time.process_time()
    with pytest.raises(
        HandfulError, match=r"does not describe a model|not a whole safetensors file|which Toy does not"
    ):
        load(folder).members[0].trunk.network()
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state | {"stem.0.weight": np.full_like(state["stem.0.weight"], np.nan)}, "not finite numbers"),
        (
            lambda state: {name: array.astype(np.int32) for name, array in state.items()},
            "not finite numbers of the right",
        ),
        (lambda state: state | {"stem.0.weight": state["stem.0.weight"][..., :1].copy()}, "has shape"),
        (lambda state: {name: state[name] for name in state if name != "stem.0.weight"}, "lack 1 of its tensors"),
        (lambda state: state | {"extra": np.zeros(1, np.float32)}, "which Toy does not have"),
        (lambda state: {}, "lack|does not describe"),
    ],
)
def test_a_network_with_other_tensors_is_refused(folder, change, message):
    state = safetensors.numpy.load((folder / "trunk-0.safetensors").read_bytes())
    exchange(folder, "trunk-0.safetensors", safetensors.numpy.save(change(state)))
    with pytest.raises(HandfulError, match=message):
        load(folder).members[0].trunk.network()


def exchange(folder, name, data):
    """Puts other bytes in the place of a file, as somebody who also changes the manifest."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text()) | {name: sha256_bytes(data)}
    write_json(folder / "manifest.json", manifest)


RULES = Rules(
    AnswerRule(0.05, 0.8, 100, 70, 1),
    SetRule(0.9, 0.2, 100),
    MissRule(1, 0.01, 0.03, 40, 0, 0.056),
    Familiar(np.eye(16, dtype=np.float32)[:5], np.linspace(0.1, 0.5, 5)),
)


def test_rules_come_back(model, tmp_path, photos):
    saved = dataclasses.replace(model, rules=RULES)
    save(saved, tmp_path)
    rules = load(tmp_path).rules
    assert (rules.answer, rules.sets, rules.miss) == (RULES.answer, RULES.sets, RULES.miss)
    table = read(photos, ReadingConfig(), threads=1)
    found = [
        examine(which, table, table.pictures, threads=1, progress=Silent(), use_cache=False).distances
        for which in (saved, load(tmp_path))
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_a_model_of_before_there_were_rules_is_read(folder):
    rewrite(folder, {}, without="rules")
    assert load(folder).rules is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": {"risk": 2.0, "confidence": 0.8, "n_held_out": 1, "n_answered": 1, "n_wrong": 0}}, "rules "),
        ({"sets": {"coverage": 0.9, "probability": -0.1, "n_held_out": 1}}, "rules "),
        ({"sets": {}}, "does not describe a model"),
        ({"miss": {**dataclasses.asdict(RULES.miss), "label": 3}}, "rules "),
    ],
)
def test_rules_that_were_rewritten_with_nonsense_are_refused(model, tmp_path, change, message):
    save(dataclasses.replace(model, rules=RULES), tmp_path)
    rules = json.loads((tmp_path / "model.json").read_text())["rules"]
    rewrite(tmp_path, {"rules": rules | change})
    with pytest.raises(BundleError, match=message):
        load(tmp_path)


def test_reference_pictures_of_another_width_are_refused(model, tmp_path):
    narrow = dataclasses.replace(RULES.familiar, references=np.eye(5, dtype=np.float32))
    save(dataclasses.replace(model, rules=dataclasses.replace(RULES, familiar=narrow)), tmp_path)
    with pytest.raises(BundleError, match=r"reference pictures of shape \(5, 5\)"):
        load(tmp_path)


def test_an_output_layer_of_another_shape_is_refused(model, tmp_path):
    wide = Model(("a", "b"), model.members, model.full_scale, model.reading)
    save(wide, tmp_path)
    with pytest.raises(BundleError, match=r"an output layer of shapes .* for 2 classes"):
        load(tmp_path)


def test_a_folder_without_a_model_says_what_to_name(tmp_path):
    with pytest.raises(BundleError, match="Name the run folder that `handful train` printed"):
        load(tmp_path)


@pytest.fixture
def lent(monkeypatch, tmp_path):
    """A bundle with a network of another library, of which the cache knows nothing any more."""
    install_fake_library(monkeypatch)
    save_file(lent_state(), tmp_path / "lent.safetensors")
    spec = find(LENT)
    trunk = trunk_from_weights(spec, locate(spec, folder=tmp_path / "lent.safetensors"), threads=1, progress=Silent())
    shown = Preprocessing(spec.input_size, "squash", "bicubic", spec.mean, spec.std)
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(12, 3)), rng.normal(size=3), 0.7)
    model = Model(("a", "b", "c"), (Member(trunk, shown, ("plain",), head),), 255, ReadingConfig())
    save(model, tmp_path / "model")
    monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path / "elsewhere"))
    return model, tmp_path / "model"


def test_a_network_of_another_library_says_in_the_bundle_what_it_is(lent, photos):
    model, folder = lent
    table = read(photos, ReadingConfig(), threads=1)
    answers = [
        classify(which, table, table.pictures, threads=1, progress=Silent(), use_cache=False)
        for which in (model, load(folder))
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-7)
    assert load(folder).members[0].trunk.spec.licence == "MIT"


def test_without_its_library_a_bundle_is_an_error_that_says_how_to_install_it(lent, monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda module: None)
    with pytest.raises(MissingExtraError, match=r"network timm:lent needs .*handful\[timm\]"):
        load(lent[1])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "os:system"},
        {"settings": {"arrangement": "whole", "auto_map": {"AutoModel": "evil.py"}}},
        {"taps": []},
        {"library": None, "groups": 3},
    ],
)
def test_a_bundles_network_with_values_that_cannot_be_is_refused(lent, change):
    folder = lent[1]
    facts = json.loads((folder / "model.json").read_text())
    facts["members"][0]["network"].update(change)
    data = json.dumps(facts).encode()
    (folder / "model.json").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    write_json(folder / "manifest.json", {**manifest, "model.json": sha256_bytes(data)})
    with pytest.raises(BundleError, match="does not describe a model"):
        load(folder)
