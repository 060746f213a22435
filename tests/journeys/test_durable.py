"""What becomes of a command when the disk is full, cannot be written to, or holds what is not what was written."""

import errno
import os
import shutil

from handful.cli import report
from handful.core.folders import reserved
from handful.testing.disk import watched


def full_at(name):
    """Returns what refuses to write a file of a name for want of room, half way."""

    def see(step):
        if step.call == "half" and f".{name}." in step.path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return see


def test_a_full_disk_ends_a_run_with_one_message_and_leaves_nothing(command, photos, tmp_path):
    assert command("train", photos, "--out", "old", "--backbone", "toy")[0] == 0
    for name in ("manifest.json", "report.html"):
        with watched(full_at(name)):
            code, _, error = command("train", photos, "--out", "run", "--backbone", "toy")
        assert code == 2
        assert f"/{name}: No space left on device. It needs " in error
        assert "are free there. Make room" in error
        assert [path.name for path in tmp_path.iterdir()] == ["old"]
    picture = sorted(photos.rglob("*.png"))[0]
    assert command("predict", "old", picture)[0] == 0


def test_a_place_that_cannot_be_written_to_is_refused_before_pictures_are_read(command, tmp_path):
    (tmp_path / "file").write_text("x")
    code, _, error = command("train", tmp_path / "no-pictures", "--out", "file/run", "--backbone", "toy")
    assert code == 2
    assert "cannot create file/run" in error


def test_a_run_that_changed_is_told_or_refused_by_its_path(command, photos, monkeypatch, capsys):
    command("train", photos, "--out", "run", "--backbone", "toy")
    monkeypatch.setattr(report.webbrowser, "open", lambda address: True)
    assert command("report", "run")[::2] == (0, "")
    shutil.copytree("run", "other")
    with open("run/figures/confusion.csv", "a") as stream:  # noqa: PTH123
        stream.write("1")
    code, _, error = command("report", "run")
    assert (code, error) == (
        0,
        "handful: warning: run/figures/confusion.csv changed since it was written, or is gone.\n",
    )
    with open("other/report.html", "a") as stream:  # noqa: PTH123
        stream.write(" ")
    code, _, error = command("report", "other")
    assert code == 2
    assert "other/report.html changed since it was written. Copy the run folder again" in error
    for name in ("manifest.json", "model.json"):
        shutil.copytree("run/model", f"model-{name}")
        with open(f"model-{name}/{name}", "a") as stream:  # noqa: PTH123
            stream.write(" ")
        code, _, error = command("predict", f"model-{name}", sorted(photos.rglob("*.png"))[0])
        assert code == 2
        assert f"model-{name}/{name} changed since it was written" in error


def test_a_study_and_a_reproduction_that_are_under_way_are_refused_before_pictures_are_read(command, tmp_path):
    for words in (("study", "nowhere", "--vary", "lr=1e-4,1e-3"), ("reproduce", "6", "--data", "nowhere")):
        with reserved(tmp_path / "made"):
            code, _, error = command(*words, "--out", "made")
        assert code == 2
        assert f"made is being made by process {os.getpid()} on " in error
