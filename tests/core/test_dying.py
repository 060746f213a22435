"""Killed, and out of room, at every step on the disk."""

import errno
import os
import sys

import pytest

from handful.core.errors import HandfulError
from handful.core.files import staged_file, write_bytes, write_json
from handful.core.folders import staged_folder
from handful.testing.disk import watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and asks /proc for the name of what is flushed")


def steps_of(work):
    """Returns the steps that a piece of work takes."""
    steps = []
    with watched(steps.append):
        work()
    return steps


def at(number, act):
    """Returns what to do at the step of a number, and only there."""
    n_seen = 0

    def see(step):
        nonlocal n_seen
        n_seen += 1
        if n_seen == number:
            act(step)

    return see


def killed(work, number):
    """Does a piece of work in a process that ends at once at its step of a number."""
    child = os.fork()
    if not child:
        with watched(at(number, lambda step: os._exit(9))):
            work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def full(step):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def small_run(folder):
    """Makes a folder as a run does: files, folders, a manifest last."""

    def make():
        with staged_folder(folder) as staging:
            write_bytes(staging / "model" / "weights", b"weights" * 9)
            write_json(staging / "figures" / "one.json", [1, 2])
            write_json(staging / "result.json", {"whole": True})

    return make


RUN = ["run", "run/figures", "run/figures/one.json", "run/model", "run/model/weights", "run/result.json"]


def test_killed_at_any_step_of_a_file_the_old_one_or_the_new_one_is_there(tmp_path):
    old, new = b"old" * 100, b"new" * 200
    target = tmp_path / "sub" / "file"

    def work():
        write_bytes(target, new)

    work()
    n_steps = len(steps_of(work))
    assert n_steps == 6  # open, write, half of it, flush, name, flush the names
    found = set()
    for number in range(1, n_steps + 1):
        write_bytes(target, old)
        killed(work, number)
        found.add(target.read_bytes())
        assert found <= {old, new}
        work()
        assert target.read_bytes() == new
    assert found == {old, new}


def test_killed_at_any_step_of_a_folder_the_same_again_makes_it_or_says_that_it_is_whole(tmp_path):
    n_steps = len(steps_of(small_run(tmp_path / "first" / "run")))
    n_whole = 0
    for number in range(1, n_steps + 1):
        place = tmp_path / str(number)
        work = small_run(place / "run")
        killed(work, number)
        is_whole = (place / "run").exists()
        n_whole += is_whole
        assert not is_whole or names(place / "run") == [name.removeprefix("run/") for name in RUN[1:]]
        if is_whole:
            with pytest.raises(HandfulError, match="exists already"):
                work()
        else:
            work()
        assert names(place) == RUN, number
    assert 0 < n_whole < 6 < n_steps


@pytest.mark.parametrize("number", range(1, 6))
def test_a_full_disk_leaves_the_old_file_and_says_how_much_is_missing(tmp_path, number):
    old, new = b"old" * 100, b"new" * 200
    write_bytes(tmp_path / "file", old)
    with (
        watched(at(number, full)),
        pytest.raises(
            HandfulError, match=r"could not write .*file: No space left.* needs 600 bytes, and [\d,]+ are free"
        ),
    ):
        write_bytes(tmp_path / "file", new)
    assert (tmp_path / "file").read_bytes() == old
    assert names(tmp_path) == ["file"]


def test_a_disk_that_is_full_at_any_step_of_a_folder_leaves_nothing_of_it(tmp_path):
    n_steps = len(steps_of(small_run(tmp_path / "first" / "run")))
    n_whole = 0
    for number in range(1, n_steps - 1):  # the last two tidy up
        place = tmp_path / str(number)
        with watched(at(number, full)), pytest.raises(HandfulError, match="No space left"):
            small_run(place / "run")()
        n_whole += names(place) == RUN
        assert names(place) in ([], RUN)
    assert n_whole <= 1
    assert n_steps > 20


def test_a_disk_that_is_full_behind_what_was_written_so_far_says_so_too(tmp_path):
    with pytest.raises(HandfulError, match=r"No space left.* needs more than 0 bytes"), staged_file(tmp_path / "file"):
        full(None)
    assert names(tmp_path) == []
