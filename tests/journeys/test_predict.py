"""Many pictures answered into a table: whole or not yet, on from where it stopped, with nothing lost or twice."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import handful
from handful.api import answering, bulk
from handful.api import portions as portions_room
from handful.testing.pictures import draw_folder

N_NEW = 40


@pytest.fixture
def portions(monkeypatch):
    """Portions of a few pictures, so that a few pictures are many portions."""
    monkeypatch.setattr(bulk, "PORTION", 8)
    monkeypatch.setattr(answering, "PORTION", 8)


@pytest.fixture
def new(command, photos, tmp_path):
    """A run, and a folder of new pictures of which two cannot be read."""
    assert command("train", photos, "--out", "run", "--backbone", "toy")[0] == 0
    draw_folder(tmp_path / "new", classes=("circle", "square/deep"), per_class=N_NEW // 2, size=32, seed=5)
    (tmp_path / "new" / "circle" / "003.png").write_bytes(b"no picture")
    (tmp_path / "new" / "zz.jpg").write_bytes(b"")
    return tmp_path / "new"


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


class Stopped(BaseException):
    """Stands for whatever ends a process."""


def stop_after(monkeypatch, n_portions, module=portions_room, name="answer_portion"):
    """Ends the next prediction after some portions."""
    original, calls = getattr(module, name), []

    def stopping(*arguments, **options):
        calls.append(1)
        if len(calls) > n_portions:
            raise Stopped
        return original(*arguments, **options)

    monkeypatch.setattr(module, name, stopping)
    return original


def interrupted(monkeypatch, folder, out, *, n_portions=2, **options):
    with monkeypatch.context() as patch:
        stop_after(patch, n_portions)
        with pytest.raises(Stopped):
            handful.load("run").predict_into(out, folder, **options)


def test_a_table_has_a_row_for_every_picture_and_the_reasons_of_those_that_cannot_be_read(command, new, tmp_path):
    code, out, _ = command("predict", "run", "new", "--out", "answers.csv")
    table = rows(tmp_path / "answers.csv")
    assert code == 0
    assert len(table) == N_NEW + 1
    assert [row["path"] for row in table] == [each.as_posix() for each in sorted(
        (path.relative_to(tmp_path) for path in new.rglob("*.*")), key=lambda path: (path.parent.parts, path.name)
    )]  # fmt: skip
    failed = {row["path"]: row for row in table if row["error"]}
    assert failed.keys() == {"new/circle/003.png", "new/zz.jpg"}
    assert failed["new/zz.jpg"]["error"] == "the file is empty"
    assert all(row["predicted"] == row["confidence"] == row["p_circle"] == "" for row in failed.values())
    assert f"{N_NEW - 1} answers in answers.csv" in out
    assert "Could not be read, with the reason in the column error: 2. " in out
    assert sorted(path.name for path in tmp_path.glob("answers*")) == ["answers.csv"]


def test_the_table_has_the_answers_of_the_call_in_memory(command, new, tmp_path):
    command("predict", "run", "new", "--out", "answers.csv")
    found = {row["path"]: row for row in rows(tmp_path / "answers.csv") if not row["error"]}
    model = handful.load("run")
    few = model.predict("new")
    assert [answer.path for answer in few] == list(found)
    for answer in few:
        row = found[answer.path]
        assert [float(row[f"p_{name}"]) for name in model.classes] == answer.proba.tolist()
        assert (row["predicted"], float(row["confidence"])) == (answer.label, answer.proba.max())
        assert row["unsure"] == str(int(answer.unsure))
        assert row["unlike"] == ("" if answer.unlike is None else str(int(answer.unlike)))
        assert row["named"] == " | ".join(answer.named)
    assert {skipped.path for skipped in few.skipped} == {"new/circle/003.png", "new/zz.jpg"}


def test_every_format_holds_the_same(command, new, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("answers.csv", "answers.jsonl", "answers.parquet"):
        assert command("predict", "run", "new", "--out", name)[0] == 0
    table = rows(tmp_path / "answers.csv")
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    columns = parquet.read_table(tmp_path / "answers.parquet").to_pylist()
    assert [row["path"] for row in table] == [line["path"] for line in lines] == [row["path"] for row in columns]
    for row, line, column in zip(table, lines, columns, strict=True):
        assert (row["error"] or None) == line["error"] == column["error"]
        if not line["error"]:
            assert row["predicted"] == line["predicted"] == column["predicted"]
            assert float(row["p_circle"]) == line["proba"]["circle"] == column["p_circle"]
            assert row["unsure"] == str(int(line["unsure"])) == str(int(column["unsure"]))
            assert row["named"] == " | ".join(line["named"])
            assert line["named"] == column["named"]


def test_the_most_probable_classes_are_given_first_and_alone(command, new, tmp_path):
    command("predict", "run", "new", "--out", "all.jsonl")
    command("predict", "run", "new", "--out", "two.jsonl", "--top", 2)
    command("predict", "run", "new", "--out", "two.csv", "--top", 2)
    whole, two = ([json.loads(x) for x in (tmp_path / n).read_text().splitlines()] for n in ("all.jsonl", "two.jsonl"))
    table = rows(tmp_path / "two.csv")
    assert list(table[0])[-3:] == ["error", "predicted_2", "confidence_2"]
    for every, best, row in zip(whole, two, table, strict=True):
        if not every["error"]:
            expected = sorted(every["proba"].items(), key=lambda pair: -pair[1])[:2]
            assert list(best["proba"].items()) == expected
            assert (row["predicted_2"], float(row["confidence_2"])) == expected[1]
    code, out, _ = command("predict", "run", new / "circle" / "000.png", "--top", 3)
    assert (code, len(out.split("%")) - 1) == (0, 3)


@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
@pytest.mark.parametrize("n_portions", [0, 1, 3])
def test_what_was_stopped_goes_on_to_the_same_bytes(command, new, tmp_path, monkeypatch, portions, name, n_portions):
    handful.load("run").predict_into("whole-" + name, "new")
    interrupted(monkeypatch, "new", name, n_portions=n_portions)
    assert not (tmp_path / name).exists()
    assert (tmp_path / f"{name}.partial").exists()
    code, out, _ = command("predict", "run", "new", "--out", name)
    assert code == 0
    assert (f"({8 * n_portions} of them before it was stopped)" in out) == bool(n_portions)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    assert not list(tmp_path.glob("*.partial*"))


def test_only_what_is_missing_is_computed_again(new, tmp_path, monkeypatch, portions):
    interrupted(monkeypatch, "new", "answers.csv", n_portions=3)
    seen = []
    original = portions_room.answer_portion

    def counting(model, found, **options):
        seen.extend(each.name for each in found)
        return original(model, found, **options)

    monkeypatch.setattr(portions_room, "answer_portion", counting)
    written = handful.load("run").predict_into("answers.csv", "new")
    assert (written.n_before, len(seen)) == (24, N_NEW + 1 - 24)
    assert len(set(seen)) == len(seen)


def test_a_killed_process_goes_on_to_the_same_bytes(command, new, tmp_path):
    for number in range(400):
        os.link(new / "circle" / f"{number % 3:03d}.png", new / f"{number:04d}.png")
    assert command("predict", "run", "new", "--out", "whole.csv")[0] == 0
    program = (
        "import sys, time; from handful.api import bulk, load; from handful.testing import backbone\n"
        "from handful.backbones import catalog\n"
        "catalog.SPECS = (*catalog.SPECS, backbone.toy_spec())\n"
        "bulk.PORTION = 16\n"
        "save = bulk.Unfinished.save\n"
        "def slow(*given): save(*given); print('saved', flush=True); time.sleep(0.05)\n"
        "bulk.Unfinished.save = slow\n"
        "load('run').predict_into('killed.csv', 'new')\n"
    )
    for n_saved in (1, 4):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(n_saved):
            assert process.stdout.readline() == "saved\n"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "killed.csv").exists()
    with sqlite3.connect(tmp_path / "killed.csv.partial") as database:
        (n_answers,) = database.execute("SELECT count(*) FROM answers").fetchone()
    database.close()
    assert n_answers >= 5 * 16
    written = handful.load("run").predict_into("killed.csv", "new")
    assert written.n_before == n_answers
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_stopping_by_a_signal_says_that_the_same_command_goes_on(command, new, tmp_path, monkeypatch, portions):
    def terminate(*_, **__):
        raise SystemExit(143)

    with monkeypatch.context() as patch:
        patch.setattr(portions_room, "answer_portion", terminate)
        code, _, err = command("predict", "run", "new", "--out", "answers.csv")
    assert code == 143
    assert "the answers so far are kept beside answers.csv, and the same command goes on" in err
    assert command("predict", "run", "new", "--out", "answers.csv")[0] == 0


def changed_folder(new):
    (new / "circle" / "000.png").unlink()
    shutil.copy(new / "circle" / "001.png", new / "circle" / "new.png")
    Image.fromarray(np.zeros((32, 32), dtype=np.uint8)).save(new / "circle" / "002.png")


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        (
            changed_folder,
            {},
            "new pictures: 1 (new/circle/new.png); pictures that are gone: 1 (new/circle/000.png); ",
        ),
        (None, {"top": 2}, "--top is 2, and was null"),
        (None, {"pictures": ["new/circle"]}, 'what is predicted is ["new/circle"], and was ["new"]'),
    ],
)
def test_another_folder_or_option_is_noticed_and_said(new, monkeypatch, portions, change, options, expected):
    interrupted(monkeypatch, "new", "answers.csv")
    if change:
        change(new)
    with pytest.raises(handful.DataError, match=r"\.partial holds answers of a run that was stopped") as raised:
        handful.load("run").predict_into("answers.csv", **{"pictures": "new", **options})
    assert expected in str(raised.value)


def test_another_model_is_noticed_and_the_first_can_still_go_on(command, new, photos, tmp_path, monkeypatch, portions):
    interrupted(monkeypatch, "new", "answers.csv")
    command("train", photos, "--out", "other", "--backbone", "toy", "--seed", 3)
    code, _, err = command("predict", "other", "new", "--out", "answers.csv")
    assert (code, "the model is " in err) == (2, True)
    (tmp_path / "moved").mkdir()
    (tmp_path / "run").rename(tmp_path / "moved" / "run")
    assert command("predict", "moved/run", "new", "--out", "answers.csv")[0] == 0


def test_two_processes_never_make_one_table(new, tmp_path, monkeypatch, portions):
    model, other = handful.load("run"), bulk.open_unfinished(tmp_path / "answers.csv.partial")
    with other, pytest.raises(handful.HandfulError, match="made by another process"):
        model.predict_into("answers.csv", "new")
    assert not (tmp_path / "answers.csv.partial").exists()


def test_a_damaged_file_of_answers_is_told(new, tmp_path):
    (tmp_path / "answers.csv.partial").write_bytes(b"no database" * 100)
    with pytest.raises(handful.HandfulError, match=r"was damaged and cannot be gone on with .*Remove it"):
        handful.load("run").predict_into("answers.csv", "new")


def test_a_table_that_exists_is_never_overwritten(command, new, tmp_path):
    (tmp_path / "answers.csv").write_text("mine")
    code, _, err = command("predict", "run", "new", "--out", "answers.csv")
    assert (code, "answers.csv exists already" in err) == (2, True)
    assert (tmp_path / "answers.csv").read_text() == "mine"


@pytest.mark.parametrize(("n_portions", "left"), [(None, []), (3, ["answers.csv.partial"])])
def test_what_is_left_of_a_finished_table_is_removed_and_of_an_unfinished_one_kept(
    command, new, tmp_path, monkeypatch, portions, n_portions, left
):
    if n_portions is None:  # stopped between its last two steps
        with monkeypatch.context() as patch:
            patch.setattr(bulk, "unfinished_path", lambda out: Stubborn(out.with_name(f"{out.name}.partial")))
            with pytest.raises(KeyboardInterrupt):
                handful.load("run").predict_into("answers.csv", "new")
    else:
        interrupted(monkeypatch, "new", "answers.csv", n_portions=n_portions)
        (tmp_path / "answers.csv").write_text("mine")
    before = (tmp_path / "answers.csv").read_bytes()
    assert "exists already" in command("predict", "run", "new", "--out", "answers.csv")[2]
    assert (tmp_path / "answers.csv").read_bytes() == before
    assert [path.name for path in tmp_path.glob("*.partial*")] == left


class Stubborn(type(Path())):
    """A path at which somebody presses Ctrl+C when it is to be removed."""

    def unlink(self, missing_ok=False):
        if self.suffix == ".partial":
            raise KeyboardInterrupt


def test_what_cannot_work_is_refused_and_leaves_nothing(command, new, tmp_path):
    (tmp_path / "empty").mkdir()
    before = set(tmp_path.iterdir())
    for arguments, expected in (
        (("new", "--out", "up.png"), "ends in .csv, .jsonl, .parquet"),
        (("empty", "--out", "answers.csv"), "no pictures in empty"),
        (("gone", "--out", "answers.csv"), "there is no gone"),
        (("new", "--out", "answers.csv", "--sort-into", "new/sorted"), "would be found as new ones"),
    ):
        code, _, err = command("predict", "run", *arguments)
        assert (code, expected in err) == (2, True), err
    assert set(tmp_path.iterdir()) == before


def test_a_table_of_paths_is_answered_row_by_row(command, new, tmp_path):
    listed = ["square/deep/001.png", "circle/000.png", "gone.png", "circle/000.png"]
    (new / "list.csv").write_text("\n".join(["id,file", *(f"{n},{name}" for n, name in enumerate(listed))]) + "\n")
    assert command("predict", "run", "new/list.csv", "--out", "answers.csv")[0] == 0
    table = rows(tmp_path / "answers.csv")
    assert [row["path"] for row in table] == listed[:3]
    assert [bool(row["error"]) for row in table] == [False, False, True]


def test_pictures_are_sorted_into_class_folders_and_the_doubtful_set_apart(command, new, tmp_path):
    code, out, _ = command("predict", "run", "new", "--sort-into", "sorted", "--json")
    found, table = json.loads(out), rows(tmp_path / "sorted" / "predictions.csv")
    assert code == 0
    sorted_files = {p.relative_to(tmp_path / "sorted").as_posix() for p in (tmp_path / "sorted").rglob("*.png")}
    expected = set()
    for row in table:
        if not row["error"]:
            doubtful = row["unsure"] == "1" or row["unlike"] == "1"
            expected.add(f"{'_unsure' if doubtful else row['predicted']}/{row['path'].removeprefix('new/')}")
    assert sorted_files == expected
    assert len(sorted_files) == N_NEW - 1
    assert found["n_set_apart"] == sum(name.startswith("_unsure/") for name in expected)
    assert len(list(new.rglob("*.png"))) == N_NEW
    code, _, err = command("predict", "run", "new", "--out", "again.csv", "--sort-into", "sorted")
    assert (code, err) == (0, "")


def test_sorting_that_was_stopped_goes_on(new, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        original = stop_after(patch, 11, bulk.Sorter, "put")
        with pytest.raises(Stopped):
            handful.load("run").predict_into("answers.csv", "new", sort_into="sorted")
    assert original is bulk.Sorter.put
    assert len(list((tmp_path / "sorted").rglob("*.png"))) == 11
    written = handful.load("run").predict_into("answers.csv", "new", sort_into="sorted")
    assert (written.n_before, written.n_unsorted) == (N_NEW + 1, 0)
    assert len(list((tmp_path / "sorted").rglob("*.png"))) == N_NEW - 1


def test_when_nothing_can_be_read_the_table_tells_why(command, new, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.png").write_bytes(b"no picture")
    code, _, err = command("predict", "run", "bad", "--out", "answers.csv")
    assert (code, "none of the 1 files could be read" in err) == (2, True)
    assert "not a picture" in rows(tmp_path / "answers.csv")[0]["error"]


def test_time_is_not_spent_on_a_model_before_a_table_is_refused(command, new, tmp_path):
    (tmp_path / "answers.csv").write_text("mine")
    start = time.monotonic()
    with pytest.raises(handful.HandfulError, match="exists already"):
        handful.load("run").predict_into("answers.csv", "new")
    assert time.monotonic() - start < 2.0
