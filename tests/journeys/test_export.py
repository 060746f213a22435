"""A run, exported and used elsewhere."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

import handful

QUICK = ("--backbone", "toy", "--head", "ridge", "--interpolation", "bilinear", "--out", "run")


@pytest.fixture
def trained(command, photos):
    assert command("train", photos, *QUICK)[0] == 0


def test_a_run_is_exported_with_its_accuracy_in_eight_bits(command, trained, photos, tmp_path):
    code, out, _ = command("export", "run", "--onnx", "--int8", "--pictures", photos, "--json")
    found = json.loads(out)
    assert (code, found["folder"]) == (0, "exported")
    assert found["largest_difference"] < 1e-5
    with (tmp_path / "run" / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    eight = found["int8"]
    n_right = sum(row["label"] == row["predicted"] for row in rows)
    assert eight["n_images"] == len(rows)
    assert eight["accuracy_fp32"] == pytest.approx(n_right / len(rows))
    gained = eight["only_int8_right"] - eight["only_fp32_right"]
    assert eight["accuracy"] == pytest.approx((n_right + gained) / len(rows))
    low, high = eight["accuracy_gain_interval"]
    assert low <= eight["accuracy_gain"] <= high
    assert json.loads((tmp_path / "exported" / "int8.json").read_text()) == eight
    assert (tmp_path / "exported" / "model-int8.onnx").stat().st_size > 0


def test_eight_bits_are_measured_on_the_pictures_of_a_table(command, photos, tmp_path):
    files = sorted(photos.rglob("*.png"))
    table = "\n".join(["path,label", *(f"{file},{file.parent.name}" for file in files)])
    (tmp_path / "table.csv").write_text(table)
    assert command("train", "table.csv", *QUICK)[0] == 0
    code, out, error = command("export", "run", "--onnx", "--int8", "--pictures", "table.csv", "--json")
    assert code == 0, error
    with (tmp_path / "run" / "predictions.csv").open(newline="") as stream:
        assert json.loads(out)["int8"]["n_images"] == len(list(csv.DictReader(stream)))


def test_the_terminal_says_what_was_written_and_how_it_did(command, trained, photos):
    _, out, _ = command("export", "run", "--onnx", "--out", "there", "--int8", "--pictures", photos)
    assert out.startswith("there/model.onnx  ")
    assert "On 25 golden pictures no probability differs" in out
    assert "test pictures right, in fp32 " in out


def test_other_pictures_than_those_tested_are_noticed(command, trained, photos, tmp_path):
    others = shutil.copytree(photos, tmp_path / "others")
    for folder in others.iterdir():
        files = sorted(folder.iterdir())
        for one, other in zip(files, files[1:] + files[:1], strict=True):
            shutil.copy(photos / folder.name / other.name, one)
    code, _, error = command("export", "run", "--onnx", "--int8", "--pictures", others)
    assert code == 2
    assert "is not the picture that the run tested" in error
    assert not (tmp_path / "exported").exists()
    code, _, error = command("export", "run", "--onnx", "--int8", "--pictures", tmp_path / "run")
    assert (code, "cannot be read from" in error) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--onnx", "--int8"), "--int8 and --pictures go together"),
        (("--onnx", "--pictures", "photos"), "--int8 and --pictures go together"),
        ((), "--onnx"),
    ],
)
def test_what_is_missing_is_said(command, trained, options, message):
    code, _, error = command("export", "run", *options)
    assert (code, message in error) == (2, True)


def test_the_same_in_python(command, trained, tmp_path):
    made = handful.export_onnx("run", tmp_path / "out")
    assert made.folder == tmp_path / "out"
    assert made.eight_bits is None
    with pytest.raises(handful.BundleError, match="there is no model in"):
        handful.export_onnx(tmp_path / "nothing")
