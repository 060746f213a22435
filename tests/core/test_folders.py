import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from handful.core.errors import HandfulError
from handful.core.folders import free_name, refuse_held, reserved, staged_folder
from handful.core.owners import Owner

HOST = socket.gethostname()


class Heard:
    """Keeps the remarks."""

    def __init__(self):
        self.remarks = []

    def say(self, message):
        self.remarks.append(message)


def marker(folder):
    return folder.with_name(f".{folder.name}.in-progress")


def ended():
    """Returns a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    owner = replace(Owner.here(), pid=process.pid, born="")
    process.wait()
    return owner


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_staged_folder_appears_only_when_all_is_well(tmp_path):
    with staged_folder(tmp_path / "run") as staging:
        (staging / "file").write_text("x")
        assert not (tmp_path / "run").exists()
    assert names(tmp_path) == ["run", "run/file"]


def test_an_empty_folder_takes_what_was_made(tmp_path):
    (tmp_path / "run").mkdir()
    with staged_folder(tmp_path / "run") as staging:
        (staging / "file").write_text("x")
    assert names(tmp_path) == ["run", "run/file"]


@pytest.mark.parametrize("name", [".", "", "/", "x" * 300])
def test_what_cannot_be_a_new_folder_is_refused_before_any_work(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HandfulError, match="--out"), staged_folder(Path(name)):
        pass


def test_a_place_that_cannot_be_written_to_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(HandfulError, match=r"cannot create .*run: .*with --out"), staged_folder(tmp_path / "file/run"):
        pass


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may write anywhere")
def test_a_folder_that_is_read_only_is_refused_before_any_work(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(HandfulError, match=r"cannot create .*run: Permission"), staged_folder(tmp_path / "run"):
        pass


def test_a_staged_folder_leaves_nothing_behind_when_something_fails(tmp_path):
    with pytest.raises(RuntimeError, match="halfway"), staged_folder(tmp_path / "run"):
        raise RuntimeError("halfway")
    assert names(tmp_path) == []


def test_an_existing_folder_is_not_overwritten_and_a_free_name_is_offered(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("x")
    with pytest.raises(HandfulError, match=r"exists already.*run-2"), staged_folder(tmp_path / "run"):
        pass
    assert free_name(tmp_path / "run") == tmp_path / "run-2"
    assert names(tmp_path) == ["run", "run/mine"]


def test_a_second_process_is_refused_and_told_who_has_the_name(tmp_path):
    second = (
        "import sys, pathlib\n"
        "from handful.core.folders import staged_folder\n"
        "with staged_folder(pathlib.Path(sys.argv[1])): pass\n"
    )
    with staged_folder(tmp_path / "run"):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", second, tmp_path / "run"], capture_output=True, text=True, check=False
        )
        assert time.monotonic() - began < 2.0
        clock = time.strftime("%H:")
        assert f"run is being made by process {os.getpid()} on {HOST} since {clock}" in done.stderr
        assert free_name(tmp_path / "run") == tmp_path / "run-2"
        with pytest.raises(HandfulError, match="Wait for it, or choose another name"):
            refuse_held(tmp_path / "run")
    assert names(tmp_path) == ["run"]


def test_what_a_killed_process_left_is_taken_over_and_said(tmp_path):
    kill = (
        "import os, sys, pathlib\n"
        "from handful.core.folders import staged_folder\n"
        "with staged_folder(pathlib.Path(sys.argv[1])) as staging:\n"
        "    (staging / 'half').write_text('x')\n"
        "    os._exit(9)\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", kill, tmp_path / "run"])
    assert killed.wait() == 9
    assert names(tmp_path) == [".run.in-progress", ".run.partial", ".run.partial/half"]
    assert free_name(tmp_path / "run") == tmp_path / "run"
    heard = Heard()
    with staged_folder(tmp_path / "run", progress=heard) as staging:
        (staging / "whole").write_text("x")
    assert names(tmp_path) == ["run", "run/whole"]
    [remark] = heard.remarks
    assert remark.startswith(f"{tmp_path / 'run'} was left unfinished by process {killed.pid} on {HOST} since ")


def test_a_process_of_another_machine_is_taken_for_alive(tmp_path):
    elsewhere = replace(ended(), host="another", since=0.0)
    marker(tmp_path / "run").write_bytes(elsewhere.written())
    with (
        pytest.raises(HandfulError, match=r"on another since 19\d\d-\d\d-\d\d .*if it is gone, remove .*in-progress"),
        staged_folder(tmp_path / "run"),
    ):
        pass
    assert names(tmp_path) == [".run.in-progress"]


@pytest.mark.skipif(not Owner.here().born, reason="this system does not say when a process began")
def test_a_later_process_of_the_same_number_is_another_one():
    here = Owner.here()
    assert not here.is_gone()
    assert replace(here, born="another start of the machine 1").is_gone()


@pytest.mark.skipif(not Owner.here().born, reason="this system does not say that a process ended")
def test_a_process_that_ended_and_was_not_waited_for_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    owner = replace(Owner.here(), pid=process.pid, born=Owner.here().born.partition(" ")[0] + " 1")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert owner.is_gone()
    finally:
        process.wait()


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"pid": 1}', json.dumps({"pid": -1, "host": HOST, "since": 1.0, "born": ""}).encode(),
     json.dumps({"pid": 1, "host": HOST, "since": 1e300, "born": ""}).encode()],
)  # fmt: skip
def test_a_marker_that_was_not_finished_is_nobodys(tmp_path, text):
    marker(tmp_path / "run").write_bytes(text)
    heard = Heard()
    with reserved(tmp_path / "run", progress=heard):
        assert Owner.read(marker(tmp_path / "run").read_bytes()).pid == os.getpid()
    assert heard.remarks == []
    assert names(tmp_path) == []


def test_one_of_many_takes_over_what_was_left(tmp_path):
    marker(tmp_path / "run").write_bytes(ended().written())
    take = (
        "import sys, pathlib, time\n"
        "from handful.core.errors import HandfulError\n"
        "from handful.core.folders import reserved\n"
        "while time.time() < float(sys.argv[2]): pass\n"
        "try:\n"
        "    with reserved(pathlib.Path(sys.argv[1])): sys.stdin.read()\n"
        "except HandfulError: sys.exit(2)\n"
    )
    start = str(time.time() + 1.0)
    several = [
        subprocess.Popen([sys.executable, "-c", take, tmp_path / "run", start], stdin=subprocess.PIPE) for _ in range(4)
    ]
    deadline = time.monotonic() + 20.0
    while sum(each.poll() is None for each in several) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    for each in several:
        each.communicate()
    assert sorted(each.returncode for each in several) == [0, 2, 2, 2]
