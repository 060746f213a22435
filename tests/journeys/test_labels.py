"""Wrong labels: found by a run, corrected in its table, fed back."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

QUICK = ("--backbone", "toy", "--head", "ridge", "--interpolation", "bilinear")


@pytest.fixture
def mislabelled(photos, tmp_path):
    """The drawn shapes, with two circles in the folder of the squares."""
    folder = shutil.copytree(photos, tmp_path / "shapes")
    for number in (3, 7):
        (folder / "circle" / f"{number:03d}.png").rename(folder / "square" / f"was-circle-{number}.png")
    return folder


def test_suspects_are_written_corrected_and_fed_back(command, mislabelled, tmp_path):
    first = json.loads(command("train", mislabelled, *QUICK, "--out", "run", "--json")[1])
    with (tmp_path / "run" / "suspects.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == first["suspects"]["n"] > 0
    rows[0]["label"] = rows[0]["suggested"]
    rows[1]["label"] = ""
    with (tmp_path / "fixed.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    code, out, err = command("train", mislabelled, *QUICK, "--labels", "fixed.csv", "--json")
    fixed = json.loads(out)
    assert code == 0, err
    assert (fixed["n_skipped"], fixed["n_train"] + fixed["n_test"]) == (1, 47)
    said = " ".join(each["message"] for each in fixed["findings"])
    assert f"{rows[0]['path']} from" in said
    assert f"leaves out 1 picture ({rows[1]['path']})" in said
    assert "--labels fixed.csv" in fixed["command"]


def test_a_wrong_path_in_the_table_is_one_message_and_leaves_nothing(command, photos, tmp_path):
    (tmp_path / "fixed.csv").write_text("path,label\ncircle/000.jpg,square\n")
    code, out, err = command("train", photos, "--backbone", "toy", "--labels", "fixed.csv", "--out", "run")
    assert (code, out) == (2, "")
    assert "Did you mean 'circle/000.png'" in err
    assert not (tmp_path / "run").exists()


def test_check_takes_corrections_too(command, photos, tmp_path):
    (tmp_path / "fixed.csv").write_text("path,label\ncircle/000.png,square\n")
    code, out, _ = command("check", photos, "--labels", "fixed.csv", "--json")
    assert code == 0
    assert json.loads(out)["classes"] == {"circle": 15, "square": 17, "triangle": 16}
