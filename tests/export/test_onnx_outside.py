"""An exported file is one file: what refers to others, or is another's name, is refused before it is opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from handful.core.errors import ExportError
from handful.export import onnx_folder, open_exported

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
helper, TensorProto = onnx.helper, onnx.TensorProto


def outside(place):
    tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    return tensor


def graph(nodes, tensors=(), name="g"):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    return helper.make_graph(nodes, name, [value], [answer], list(tensors))


def by_initialiser(place):
    return helper.make_model(graph([helper.make_node("Add", ["x", "weights"], ["y"])], [outside(place)]))


def by_constant(place):
    constant = helper.make_node("Constant", [], ["w"], value=outside(place))
    return helper.make_model(graph([constant, helper.make_node("Add", ["x", "w"], ["y"])]))


def by_branch(place):
    branch = helper.make_graph(
        [helper.make_node("Identity", ["weights"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4])],
        [outside(place)],
    )
    yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    return helper.make_model(
        graph([yes, helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)])
    )


def by_sparse(place):
    model = by_initialiser(place)
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside(place))
    del model.graph.initializer[:]
    return model


def by_function(place):
    nodes = [helper.make_node("Constant", [], ["w"], value=outside(place)), helper.make_node("Add", ["x", "w"], ["y"])]
    function = helper.make_function("own", "f", ["x"], ["y"], nodes, [helper.make_opsetid("", 17)])
    return helper.make_model(graph([helper.make_node("f", ["x"], ["y"], domain="own")]), functions=[function])


@pytest.mark.parametrize("make", [by_initialiser, by_constant, by_branch, by_sparse, by_function])
@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "{}/weights.bin"])
def test_weights_in_another_file_are_refused(tmp_path, make, place):
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(bytes(16))
    path = tmp_path / "model" / "model.onnx"
    path.write_bytes(make(place.format(tmp_path)).SerializeToString())
    for file in (path, path.read_bytes()):
        with pytest.raises(ExportError, match="keeps 'weights' in another file"):
            open_exported(file)


def link(path, target):
    path.symlink_to(target)


def hard_link(path, target):
    path.hardlink_to(target)


def folder(path, target):
    path.mkdir()


def pipe(path, target):
    os.mkfifo(path)


@pytest.mark.parametrize("make", [link, hard_link, folder, pipe])
def test_what_is_no_file_of_its_own_is_refused(tmp_path, make):
    (tmp_path / "elsewhere.onnx").write_bytes(b"x")
    make(tmp_path / "model.onnx", tmp_path / "elsewhere.onnx")
    with pytest.raises(ExportError, match="is a link, or no file"):
        open_exported(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["../secret.png", "{}/secret.png", "golden/../../secret.png", "secret.png"])
def test_the_script_checks_no_pictures_elsewhere(tmp_path, name):
    here = tmp_path / "exported"
    (here / "golden").mkdir(parents=True)
    (here / "predict.py").write_text(onnx_folder._script())
    (here / "model.onnx").write_bytes(
        helper.make_model(
            graph([helper.make_node("Identity", ["x"], ["y"])]),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=8,
        ).SerializeToString()
    )
    (here / "golden.json").write_text(json.dumps({name.format(tmp_path): [1.0]}))
    done = subprocess.run([sys.executable, here / "predict.py"], capture_output=True, text=True, check=False)
    assert "outside of the folder golden" in done.stderr
