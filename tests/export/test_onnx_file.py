import dataclasses
import io
import json

import numpy as np
import onnx
import pytest
from PIL import Image

from handful.api import Classifier
from handful.core.errors import ExportError, MissingExtraError
from handful.export import onnx_file, open_exported
from handful.export.onnx_file import to_onnx
from handful.features import find_engine
from handful.testing.pictures import draw_picture
from tests.export.conftest import CLASSES, kernel_head, rules, stacked_head

ROUNDING = 2e-6
"""Float32 sums in another order, through three convolutions, and float32 probabilities."""


@pytest.fixture
def drawn(tmp_path):
    """Three pictures of unlike sizes, as files."""
    paths = []
    for number, (kind, size) in enumerate((("circle", (90, 60)), ("square", (50, 200)), ("star", (31, 33)))):
        path = tmp_path / f"{number}.png"
        draw_picture(kind, 120, np.random.default_rng(number)).resize(size).save(path)
        paths.append(path)
    return paths


def both(model, paths):
    """Returns the answers of the model and of the exported file."""
    exported = open_exported(to_onnx(model))
    return list(Classifier(model).predict(paths, threads=1)), [
        exported.answer(exported.decode(path.read_bytes(), max_pixels=1e6)) for path in paths
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"views": "plain", "fit": "squash", "interpolation": "bilinear"},
        {"views": "crops", "fit": "pad", "size": 40},
        *({"head": stacked_head(name)} for name in ("rectifier", "sigmoid", "tanh", "hard-tanh")),
        {"head": dataclasses.replace(kernel_head(), kernel=None)},
    ],
    ids=str,
)
def test_the_file_answers_as_the_model(make_model, drawn, changes):
    for answer, exported in zip(*both(make_model(**changes), drawn), strict=True):
        np.testing.assert_allclose(exported.proba, answer.proba, atol=ROUNDING)
        assert exported.label == answer.label


def test_several_networks_are_averaged_each_with_a_picture_of_its_own_size(make_model, drawn):
    members = (make_model().members[0], make_model(size=48, fit="squash", head=kernel_head(3)).members[0])
    model = dataclasses.replace(make_model(), members=members)
    exported = open_exported(to_onnx(model))
    assert dict(exported.inputs) == {"picture-32": 32, "picture-48": 48}
    for answer, found in zip(*both(model, drawn), strict=True):
        np.testing.assert_allclose(found.proba, answer.proba, atol=ROUNDING)


def test_a_large_photograph_is_decoded_for_each_network_as_the_model_does(make_model, tmp_path):
    path = tmp_path / "large.jpg"
    draw_picture("circle", 300, np.random.default_rng(0)).resize((200, 170)).save(path, quality=80)
    members = (make_model().members[0], make_model(size=48).members[0])  # 170 is 4 times 32 and not 4 times 48
    (answer,), (found,) = both(dataclasses.replace(make_model(), members=members), [path])
    np.testing.assert_allclose(found.proba, answer.proba, atol=ROUNDING)


@pytest.mark.parametrize("confidence", [0.0, 0.6, None])
def test_the_rules_are_inside(make_model, drawn, confidence):
    for answer, found in zip(*both(make_model(rules=rules(confidence)), drawn), strict=True):
        assert (found.named, found.unsure, found.unlike) == (answer.named, answer.unsure, answer.unlike)
    assert all(isinstance(answer.unlike, bool) for answer in [found])


def test_grey_pictures_of_16_bits_are_scaled_as_in_training(make_model, tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 4096, (50, 70)).astype(np.uint16)).save(path)
    (answer,), (found,) = both(make_model(full_scale=4095), [path])
    np.testing.assert_allclose(found.proba, answer.proba, atol=ROUNDING)


def test_the_file_carries_its_classes_and_nothing_outside(make_model):
    model = onnx.load_from_string(to_onnx(make_model(rules=rules())))
    onnx.checker.check_model(model, full_check=True)
    facts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert facts["classes"] == list(CLASSES)
    assert facts["rules"] == {"confidence": 0.6, "risk": 0.05, "coverage": 0.9}
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    used = {name for node in model.graph.node for name in node.input}
    assert all(tensor.name in used for tensor in model.graph.initializer)


def test_eight_bits_answer_nearly_the_same(make_model, drawn):
    model = make_model(views="crops")
    full, eight = open_exported(to_onnx(model)), open_exported(to_onnx(model, precision="int8"))
    for path in drawn:
        picture = full.decode(path.read_bytes(), max_pixels=1e6)
        difference = np.abs(full.probabilities(picture) - eight.probabilities(picture)).max()
        assert 0.0 < difference < 0.2


def test_a_model_that_was_used_in_bf16_is_refused(make_model):
    model = make_model()
    trunk = dataclasses.replace(model.members[0].trunk, engine=find_engine("eager", "bf16"))
    model = dataclasses.replace(model, members=(dataclasses.replace(model.members[0], trunk=trunk),))
    with pytest.raises(ExportError, match=r"Toy \(toy\) at head was used in bf16.*--precision fp32"):
        to_onnx(model)


def test_a_network_that_cannot_be_exported_is_named(make_model, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("operator not supported\nand more")

    monkeypatch.setattr(onnx_file, "exported", fail)
    with pytest.raises(ExportError, match=r"Toy \(toy\) at head cannot be written as ONNX.*not supported\. Use"):
        to_onnx(make_model())


def test_a_file_that_would_be_too_large_for_the_format_is_refused(make_model, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST", 1000)
    with pytest.raises(ExportError, match="the ONNX format holds 1,000 in one file"):
        to_onnx(make_model())


def test_without_the_libraries_the_extra_is_named(make_model, monkeypatch):
    monkeypatch.setattr(onnx_file, "without_onnx", lambda _: "missing")
    with pytest.raises(MissingExtraError, match=r"pip install 'handful\[onnx\]'"):
        to_onnx(make_model())


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"no\.onnx cannot be opened: it is no file in the ONNX format"):
        open_exported(tmp_path / "no.onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "other", [value], [
        onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    ])  # fmt: skip
    stream = io.BytesIO()
    onnx.save_model(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8), stream
    )
    with pytest.raises(ExportError, match="was not made by `handful export`"):
        open_exported(stream.getvalue())
