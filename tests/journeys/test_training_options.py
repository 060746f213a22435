"""Options of training that reach through several rooms, from outside."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys

import numpy as np
import pytest
from PIL import Image

from handful.finetune import pictures
from tests.report.test_events import scalars

QUICK = ("--backbone", "toy", "--epochs", "2", "--batch", "8")


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("way", [(), ("--strategy", "full", *QUICK[2:]), ("--strategy", "scratch", *QUICK[2:])])
def test_pixels_from_0_to_1_travel_with_the_model(command, photos, tmp_path, way):
    results = {
        name: json.loads(
            command("train", photos, "--backbone", "toy", *way, "--input", name, "--out", name, "--json")[1]
        )
        for name in ("network", "unit")
    }
    assert results["unit"]["log_loss"] != results["network"]["log_loss"]
    (member,) = json.loads((tmp_path / "unit" / "model" / "model.json").read_text())["members"]
    assert (member["preprocessing"]["mean"], member["preprocessing"]["std"]) == ([0.0] * 3, [255.0] * 3)
    written = rows(tmp_path / "unit" / "predictions.csv")
    answers = json.loads(command("predict", "unit", *[photos / row["path"] for row in written], "--json")[1])
    for answer, row in zip(answers["predictions"], written, strict=True):
        expected = [float(row[f"p_{name}"]) for name in answers["classes"]]
        np.testing.assert_allclose(answer["proba"], expected, atol=1e-5)


def test_the_curves_for_tensorboard_are_those_of_the_record(command, photos, tmp_path):
    pytest.importorskip("tensorboardX", reason="the extra 'tensorboard' is not installed")
    code, _, err = command("train", photos, *QUICK, "--strategy", "full", "--tensorboard", "--out", "run")
    assert code == 0, err
    curves = scalars(tmp_path / "run" / "tensorboard" / "toy")
    record = rows(tmp_path / "run" / "figures" / "training.csv")
    np.testing.assert_allclose(
        curves["loss/training"], [(int(row["step"]), float(row["loss"])) for row in record], rtol=1e-6
    )
    assert [step for step, _ in curves["loss/validation"]] == [
        int(row["step"]) for row in record if row["validation_loss"]
    ]


def test_curves_are_refused_where_no_layer_is_trained(command, photos):
    code, _, err = command("train", photos, "--backbone", "toy", "--tensorboard")
    assert code == 2
    assert "tensorboard would do nothing" in err


@pytest.mark.parametrize(
    ("option", "library"), [(("--tensorboard",), "tensorboardX"), (("--augmentation", "randaugment"), "kornia")]
)
def test_a_missing_extra_stops_the_run_before_a_picture_is_read(command, tmp_path, monkeypatch, option, library):
    monkeypatch.setitem(sys.modules, library, None)
    code, _, err = command("train", tmp_path / "nothing-here", *QUICK, "--strategy", "full", *option)
    assert code == 2
    assert "pip install 'handful[" in err


@pytest.mark.skipif(importlib.util.find_spec("kornia") is None, reason="the extra 'augment' is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("way", [("--strategy", "freeze", "--freeze", "1"), ("--strategy", "full")], ids=" ".join)
def test_strong_changes_are_for_training_pictures_alone_and_the_seed_decides_them(
    command, photos, tmp_path, monkeypatch, way
):
    drawn, changed = set(), []
    monkeypatch.setattr(pictures, "crop_and_mirror", _spied(pictures.crop_and_mirror, drawn.add))
    monkeypatch.setattr(pictures, "strong_change", _spied(pictures.strong_change, changed.append))
    train = ("train", photos, *QUICK, *way, "--augmentation", "trivialaugment", "--augmented-views", "2", "--json")
    results = [json.loads(command(*train, "--out", out)[1]) for out in ("first", "second")]
    assert results[0]["log_loss"] == results[1]["log_loss"]
    n_drawn = 2 if "full" in way else 1  # runs: what is below trained layers is computed in the first one only
    assert len(changed) == n_drawn * 2 * 32  # two views or epochs; 40 train, of which 8 validate
    files = {_pixels(path): path.relative_to(photos).as_posix() for path in photos.rglob("*.png")}
    tested = {row["path"] for row in rows(tmp_path / "first" / "predictions.csv")}
    assert len(drawn) == 32
    assert {files[pixels] for pixels in drawn}.isdisjoint(tested)


def _spied(function, told):
    """Returns the function, which tells of the pixels that it is given."""

    def spy(square, *arguments, **named):
        told(square.tobytes())
        return function(square, *arguments, **named)

    return spy


def _pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).tobytes()
