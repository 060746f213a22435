import json

import numpy as np
import pytest

from handful.backbones import locate
from handful.core.config import ReadingConfig
from handful.core.errors import BundleError
from handful.core.files import sha256_bytes, write_json
from handful.core.progress import Silent
from handful.core.records import Head, KernelPart, StackedHead
from handful.export import load, save
from handful.features import Preprocessing, trunk_from_weights
from handful.images import read
from handful.transfer import Member, Model, classify


@pytest.fixture
def model(toy):
    rng = np.random.default_rng(0)
    trunk = trunk_from_weights(toy, locate(toy))
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
        ({"temperature": float("nan")}, "not finite"),
        ({"preprocessing": {}}, "does not describe a model"),
        ({"weights_sha256": ["x"]}, "a text was expected"),
    ],
)
def test_a_model_that_was_rewritten_with_nonsense_is_refused(folder, change, message):
    facts = json.loads((folder / "model.json").read_text())
    if change.keys() <= facts.keys():
        facts |= change
    else:
        facts["members"][0] |= change
    data = json.dumps(facts).encode()
    (folder / "model.json").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text()) | {"model.json": sha256_bytes(data)}
    write_json(folder / "manifest.json", manifest)
    with pytest.raises(BundleError, match=message):
        load(folder)


def test_an_output_layer_of_another_shape_is_refused(model, tmp_path):
    wide = Model(("a", "b"), model.members, model.full_scale, model.reading)
    save(wide, tmp_path)
    with pytest.raises(BundleError, match=r"an output layer of shapes .* for 2 classes"):
        load(tmp_path)


def test_a_folder_without_a_model_says_what_to_name(tmp_path):
    with pytest.raises(BundleError, match="Name the run folder that `handful train` printed"):
        load(tmp_path)
