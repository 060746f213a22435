"""Copies on both sides of the user's own parts: said by check, said by train, and taken out of a second figure."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import handful
from handful.evaluate import wilson_interval
from tests.images.scenes import cropped, encoded, mirrored, scene


@pytest.fixture
def leaking(tmp_path):
    """Reddish and bluish scenes, 20 to learn from and 6 to test; 3 of the latter are copies of the former."""
    for label, channel in (("red", 0), ("blue", 2)):
        for index in range(13):
            values = np.asarray(scene(100 * channel + index, side=64)).copy()
            values[:, :, channel] = values[:, :, channel] // 2 + 120
            part = "train" if index < 10 else "test"
            folder = tmp_path / "photos" / part / label
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(folder / f"{index:02d}.png")
    for path, change in (("red/00", cropped), ("red/01", mirrored), ("blue/02", encoded)):
        image = Image.open(tmp_path / "photos" / "train" / f"{path}.png")
        change(image).save(tmp_path / "photos" / "test" / f"{path}copy.png")
    return tmp_path / "photos"


def test_check_says_that_test_pictures_are_copies(command, leaking):
    code, out, _ = command("check", leaking)
    assert code == 0
    assert "LEAK: 3 of 9 test pictures are copies" in out
    code, out, _ = command("check", leaking, "--json")
    said = json.loads(out)
    assert sorted(said["leaks"]) == [
        ["test/blue/02copy.png", "train/blue/02.png"],
        ["test/red/00copy.png", "train/red/00.png"],
        ["test/red/01copy.png", "train/red/01.png"],
    ]
    assert {copy["first"] for copy in said["copies"]} == {pair[0] for pair in said["leaks"]}


def test_train_measures_with_and_without_the_copies(toy, leaking, tmp_path):
    run = handful.train(leaking, tmp_path / "run", backbone="toy").run
    assert (run.evaluation.n_test, run.unleaked.n_test) == (9, 6)
    leaked = [test for test, _ in run.split.leaks]
    rows = ~np.isin(run.split.test, leaked)
    right = run.test_proba[rows].argmax(axis=1) == run.table.labels[run.split.test[rows]]
    assert run.unleaked.accuracy == right.mean()
    assert run.unleaked.accuracy_interval == pytest.approx(wilson_interval(int(right.sum()), 6))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["leaks"]["accuracy_without"] == right.mean()
    assert 'id="leaks"' in (tmp_path / "run" / "report.html").read_text()


def test_a_drawn_split_has_no_leaks(toy, leaking, tmp_path):
    run = handful.train(leaking / "train", tmp_path / "run", backbone="toy").run
    assert run.split.leaks == ()
    assert run.unleaked is None
