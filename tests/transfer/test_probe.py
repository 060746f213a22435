"""Where a probe takes its features, through `train`."""

from __future__ import annotations

import numpy as np
import pytest

import handful
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError
from handful.export import onnx_folder
from handful.images import read
from handful.split import split
from handful.testing.pictures import draw_folder
from handful.transfer import probe
from handful.transfer.plan import SEVERAL_FROM
from handful.transfer.probe import can_be_tried

QUICK = {"head": "ridge", "views": "plain"}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return draw_folder(tmp_path_factory.mktemp("many") / "shapes", per_class=SEVERAL_FROM // 2)


def test_features_come_from_where_the_held_out_loss_is_lower(toy, many, tmp_path):
    runs = {name: handful.train(many, tmp_path / name, backbone=f"toy:{name}", **QUICK) for name in ("head", "several")}
    losses = {name: result.run.heads[0].held_out_loss for name, result in runs.items()}
    best, other = sorted(losses, key=losses.get)
    result = handful.train(many, tmp_path / "chosen", backbone="toy", **QUICK)
    chosen = result.run.options["backbone"]
    assert chosen.value == f"toy:{best}"
    assert f"{losses[best]:.4f} with features at {best}, against {losses[other]:.4f} at {other}" in chosen.reason
    assert result.run.heads[0].held_out_loss == losses[best]
    np.testing.assert_array_equal(result.run.test_proba, runs[best].run.test_proba)


def test_few_pictures_are_known_by_the_highest_group_alone(toy, photos, tmp_path):
    result = handful.train(photos, tmp_path / "run", backbone="toy", **QUICK)
    assert result.run.options["backbone"].value == "toy"
    assert result.classifier.model.members[0].trunk.tap == toy.default_tap


def test_a_model_on_several_groups_is_the_same_after_saving_and_as_onnx(toy, photos, tmp_path):
    result = handful.train(photos, tmp_path / "run", backbone="toy:several", **QUICK)
    (member,) = result.classifier.model.members
    assert len(member.head.weight) == toy.several.n_features == 28
    pictures = sorted(photos.rglob("*.png"))[:8]
    expected = [answer.proba for answer in result.predict(pictures)]
    np.testing.assert_array_equal(
        [answer.proba for answer in handful.load(tmp_path / "run").predict(pictures)], expected
    )
    handful.export_onnx(tmp_path / "run", tmp_path / "onnx")
    exported = onnx_folder.open_exported(tmp_path / "onnx" / "model.onnx")
    found = [exported.answer(exported.decode(path.read_bytes(), max_pixels=1e6)).proba for path in pictures]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_layers_are_not_trained_on_features_of_several_groups(toy, photos, tmp_path):
    with pytest.raises(ConfigError, match=r"toy:several takes features of several layer groups.*Leave out :several"):
        handful.train(photos, tmp_path / "run", backbone="toy:several", strategy="freeze")


def test_ways_are_not_tried_on_drawn_pictures_of_which_none_can_be_held_out(toy, photos, monkeypatch):
    config = TrainConfig()
    table = read(photos, config.reading)
    parts = split(table, config.split, seed=0)
    assert can_be_tried(table, parts, seed=0)
    monkeypatch.setattr(probe, "TRIAL_PICTURES", 1)
    assert not can_be_tried(table, parts, seed=0)
