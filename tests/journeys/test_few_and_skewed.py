"""Very few pictures, classes of unlike size, and labels that mean nothing."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil

import numpy as np
import pytest

import handful
from handful.core.errors import DataError
from handful.testing.pictures import CORNERS, draw_folder
from handful.transfer.plan import SEVERAL_FROM

QUICK = {"backbone": "toy", "interpolation": "bilinear", "views": "plain"}


@pytest.fixture
def unwritten(monkeypatch):
    """Drawing the report takes most of the time, and these tests are about the model."""
    monkeypatch.setattr("handful.api.training.write_run", lambda *_, **__: None)


@pytest.mark.usefixtures("unwritten", "toy")
@pytest.mark.parametrize(
    ("n_classes", "per_class", "weights"),
    [
        (2, 2, "none"),
        (2, 2, "balanced"),
        (2, 3, "balanced"),
        (3, 2, "none"),
        (2, 5, "none"),
        (5, 3, "balanced"),
        (10, 2, "none"),
        (10, 5, "balanced"),
    ],
)
def test_few_pictures_train(tmp_path, n_classes, per_class, weights):
    names = [f"{kind}{number}" for number in range(2) for kind in CORNERS][:n_classes]
    draw_folder(tmp_path / "few", classes=names, per_class=per_class, size=32)
    run = handful.train(tmp_path / "few", tmp_path / "run", class_weights=weights, **QUICK).run
    for proba in (run.test_proba, run.heads[0].held_out_proba):
        assert np.isfinite(proba).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert set(run.table.labels[run.split.train]) == set(range(n_classes))


@pytest.mark.usefixtures("unwritten", "toy")
def test_pictures_that_cannot_be_told_apart_are_refused_with_a_reason(tmp_path):
    folder = draw_folder(tmp_path / "few", classes=["circle", "square"], per_class=3, size=32)
    for name in ("circle", "square"):
        for number in (1, 2):
            shutil.copy(folder / "circle" / "000.png", folder / name / f"{number:03d}.png")
    shutil.copy(folder / "circle" / "000.png", folder / "square" / "000.png")
    with pytest.raises(DataError, match=r"no picture is left to test with.*Add pictures, at least 2 that differ"):
        handful.train(folder, tmp_path / "run", **QUICK)


@pytest.fixture
def singles(tmp_path):
    """One picture of each shape to learn from, and 8 to test with."""
    draw_folder(tmp_path / "singles" / "train", per_class=1, size=32)
    draw_folder(tmp_path / "singles" / "test", per_class=8, size=32, seed=1)
    return tmp_path / "singles"


def test_one_picture_of_a_class_is_learnt_and_nothing_is_said_to_be_known(command, singles, tmp_path):
    code, out, err = command("train", singles, "--backbone", "toy", "--out", "run")
    assert code == 0, err
    assert "no training picture could be held out" in out
    assert "Next: add a second training picture of every class" in out
    assert "settings are typical ones instead of chosen ones" in out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["held_out"]["n"], result["suspects"]["n"], result["trust"]["growth"]) == (0, 0, None)
    assert result["head"][0]["kind"] == "ridge"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Held-out accuracy" not in page
    assert "No picture could be held out to choose by" in page
    assert "and no picture could be held out" in page
    assert "0 held-out" not in page
    assert not re.search(r"\bnan\b", re.sub(r'"data:[^"]*"', "", page))
    answers = json.loads(command("predict", "run", singles / "test", "--json")[1])["predictions"]
    assert len(answers) == 24
    assert all(each["unsure"] for each in answers)


@pytest.mark.parametrize(
    "options", [("--strategy", "auto"), ("--strategy", "best"), ("--views", "mirror")], ids=" ".join
)
def test_one_picture_of_a_class_goes_every_way_that_needs_no_other(command, singles, tmp_path, options):
    code, out, err = command("train", singles, "--backbone", "toy", *options)
    assert code == 0, err
    assert "no training picture could be held out" in out
    reason = json.loads((tmp_path / "run" / "result.json").read_text())["strategy"]["reason"]
    assert ("all probes are taken" in reason) == ("best" in options)


def test_only_a_ridge_layer_has_typical_settings(command, singles):
    code, _, err = command("train", singles, "--backbone", "toy", "--head", "linear")
    assert code == 2
    assert "take --head ridge, which then has typical ones" in err


def test_many_classes_of_one_picture_are_not_tried_in_several_ways(command, tmp_path):
    names = [f"{kind}{number}" for number in range(42) for kind in CORNERS][:SEVERAL_FROM]
    draw_folder(tmp_path / "many" / "train", classes=names, per_class=1, size=32)
    draw_folder(tmp_path / "many" / "test", classes=names[:3], per_class=2, size=32, seed=1)
    code, _, err = command("train", tmp_path / "many", "--backbone", "toy", "--out", "run")
    assert code == 0, err
    assert not re.search(r"\bnan\b", (tmp_path / "run" / "config.json").read_text(), re.IGNORECASE)


def test_one_picture_of_a_class_is_not_enough_to_train_layers(command, singles):
    code, _, err = command("train", singles, "--backbone", "toy", "--strategy", "freeze")
    assert code == 2
    assert "can be spared to validate with" in err
    assert "Add pictures, or a validation part" in err


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(("n_classes", "per_class"), [(2, 2), (10, 5)])
def test_the_smallest_and_the_largest_of_these_have_a_whole_report(tmp_path, n_classes, per_class):
    names = [f"{kind}{number}" for number in range(2) for kind in CORNERS][:n_classes]
    draw_folder(tmp_path / "few", classes=names, per_class=per_class, size=32)
    result = handful.train(tmp_path / "few", tmp_path / "run", head="ridge", **QUICK)
    assert "test pictures right" in handful.report.summary(result.run).splitlines()[0]
    assert result.report.stat().st_size > 0


@pytest.mark.usefixtures("unwritten", "toy")
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_labels_that_mean_nothing_give_chance(tmp_path, weights):
    """Several draws of labels on one set of pictures: right answers are binomial about 1 / 2."""
    draw_folder(tmp_path / "pictures", classes=["circle"], per_class=60, size=32)
    n_right = n_tested = 0
    for seed in range(5):
        labels = np.random.default_rng(seed).permutation(np.arange(60) % 2)
        with (tmp_path / f"{seed}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("path", "label"))
            writer.writerows((f"pictures/circle/{index:03d}.png", f"c{label}") for index, label in enumerate(labels))
        run = handful.train(
            tmp_path / f"{seed}.csv",
            tmp_path / f"run-{seed}",
            test=1.0,
            seed=seed,
            class_weights=weights,
            head="linear",
            **QUICK,
        ).run
        n_right += round(run.evaluation.accuracy * run.evaluation.n_test)
        n_tested += run.evaluation.n_test
    assert n_tested == 150
    assert abs(n_right / n_tested - 0.5) < 3.0 * math.sqrt(0.25 / n_tested)


@pytest.fixture
def skewed(photos, tmp_path):
    """The drawn shapes, with 16 circles and squares, and 5 triangles."""
    folder = shutil.copytree(photos, tmp_path / "skewed")
    for number in range(5, 16):
        (folder / "triangle" / f"{number:03d}.png").unlink()
    return folder


def test_skewed_classes_show_balanced_accuracy_everywhere(command, skewed, tmp_path):
    code, out, err = command("train", skewed, "--backbone", "toy", "--head", "ridge", "--out", "run")
    assert code == 0, err
    assert "Balanced accuracy" in out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    page = (tmp_path / "run" / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    said = next(each["text"] for each in result["remarks"] if "not equally frequent" in each["text"])
    assert f"{100 * result['balanced_accuracy']:.1f} %" in said
    assert f"Balanced accuracy</dt><dd>{100 * result['balanced_accuracy']:.1f} %" in page
    assert "The classes are not equally frequent" in page


def test_classes_can_be_weighed_and_the_report_says_what_that_means(command, skewed, tmp_path):
    options = ("--backbone", "toy", "--class-weights", "balanced", "--folds", "2", "--json")
    code, out, err = command("train", skewed, *options)
    assert code == 0, err
    result = json.loads(out)
    assert "smoothed, weighted" in json.loads((tmp_path / "run" / "config.json").read_text())["head"]["reason"]
    assert any("as if all classes were equally frequent" in each["text"] for each in result["remarks"])
    assert "--class-weights balanced" in result["command"]


@pytest.mark.parametrize("options", [("--head", "C"), ("--strategy", "freeze"), ("--strategy", "auto")], ids=" ".join)
def test_trained_layers_do_not_weigh_classes_and_say_so(command, photos, tmp_path, options):
    code, _, err = command("train", photos, "--backbone", "toy", "--class-weights", "balanced", *options)
    assert code == 2
    assert "only an output layer that is solved for weighs classes" in err
    assert not (tmp_path / "run").exists()
