"""A lower precision: used where it costs nothing, refused with a reason where it does."""

import dataclasses
import json

import numpy as np
import pytest

from handful.backbones import locate
from handful.core.config import ReadingConfig, TrainConfig
from handful.core.errors import ConfigError
from handful.core.progress import Silent
from handful.features import Preprocessing
from handful.features.engines import find_engine
from handful.images import read
from handful.transfer.frozen import engine_options, frozen_trunk
from handful.transfer.gate import Gate, examine_precision
from handful.transfer.way import check_ways


@pytest.mark.parametrize(
    ("cosine", "lost", "passes"),
    [(0.999, 0.0, True), (0.995, 0.005, True), (0.9949, 0.0, False), (1.0, 0.006, False), (1.0, -0.02, True)],
)
def test_the_gate_is_where_the_architecture_puts_it(cosine, lost, passes):
    assert Gate(cosine, lost, 400).passes == passes


def test_pictures_of_which_none_can_be_held_out_are_compared_by_their_features_alone(toy, photos):
    table = read(photos, ReadingConfig(), threads=1)
    first = np.array([np.flatnonzero(table.labels == label)[0] for label in range(3)])
    preprocessing = Preprocessing(toy.input_size, "crop", "bilinear", toy.mean, toy.std)
    gate = examine_precision(trunks(toy, "bf16"), table, first, preprocessing, seed=0, threads=1, progress=Silent())
    assert (gate.lost, gate.passes) == (None, True)
    assert "none can be held out to compare answers" in str(gate)


def trunks(toy, precision):
    return tuple(
        frozen_trunk((toy, locate(toy)), TrainConfig.of({"precision": each}), threads=1, progress=Silent())
        for each in (precision, "fp32")
    )


def examined(toy, photos, pair):
    table = read(photos, ReadingConfig(), threads=1)
    preprocessing = Preprocessing(toy.input_size, "crop", "bilinear", toy.mean, toy.std)
    rows = np.arange(len(table.pictures))
    return examine_precision(pair, table, rows, preprocessing, seed=0, threads=1, progress=Silent())


def test_bf16_moves_features_a_little(toy, photos):
    gate = examined(toy, photos, trunks(toy, "bf16"))
    assert 0.999 < gate.cosine < 1.0
    assert gate.n_images == 48


def test_an_engine_that_computes_something_else_is_stopped(toy, photos):
    low, full = trunks(toy, "bf16")

    def wrong(*args):
        forward = low.engine.open(*args)
        return lambda batch: tuple(np.roll(values, 1, axis=1) for values in forward(batch))

    engine = dataclasses.replace(low.engine, name="wrong", open=wrong)
    gate = examined(toy, photos, (dataclasses.replace(low, engine=engine, opened={}), full))
    assert not gate.passes
    option = engine_options(full, gate)["precision"]
    assert option.value == "fp32"
    assert option.reason.startswith("a lower one was asked for, but on 48 training pictures")


def test_lower_precision_is_not_for_trained_layers(toy):
    config = TrainConfig.of({"precision": "bf16", "strategy": "freeze"})
    with pytest.raises(ConfigError, match="precision is 'bf16', which is for the fixed network"):
        check_ways(config, [(toy, locate(toy))])


def test_a_model_made_in_bf16_answers_in_bf16_and_says_so(toy, photos, tmp_path):
    import handful

    result = handful.train(photos, tmp_path / "run", backbone="toy", precision="bf16", size=32)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    again = handful.load(tmp_path / "run")
    assert config["precision"]["value"] == again.model.members[0].trunk.engine.precision
    assert "held-out accuracy is" in config["precision"]["reason"]
    tested = [photos / result.run.table.pictures[index].path for index in result.run.split.test]
    proba = np.array([answer.proba for answer in again.predict(tested)])
    np.testing.assert_allclose(np.sort(proba, axis=0), np.sort(result.run.test_proba, axis=0), atol=1e-6)


def test_a_model_made_in_eight_bits_answers_where_nothing_runs_them_and_says_so(toy, photos, tmp_path, monkeypatch):
    import handful

    if find_engine("onnxruntime", "int8").fault():
        pytest.skip("needs the extra `onnx`")
    monkeypatch.setattr(Gate, "passes", True)  # random weights lose more than real ones
    handful.train(photos, tmp_path / "run", backbone="toy", engine="onnxruntime", precision="int8", size=32)
    made = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (made["engine"]["value"], made["precision"]["value"]) == ("onnxruntime", "int8")
    pictures = sorted(photos.rglob("*.png"))[:8]
    before = np.array([answer.proba for answer in handful.load(tmp_path / "run").predict(pictures)])
    monkeypatch.setattr("handful.features.engines.onnx_runtime.find_spec", lambda name: None)
    said = []
    monkeypatch.setattr(Silent, "say", lambda self, message: said.append(message))
    after = np.array([answer.proba for answer in handful.load(tmp_path / "run").predict(pictures)])
    assert 0.0 < np.abs(after - before).max() < 0.1
    assert any("engine eager runs it instead" in message for message in said)
