"""Files that are none, that lead elsewhere, and that change while they are read: listed, and never waited for."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from functools import partial
from pathlib import Path

import pytest

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.core.progress import Silent
from handful.images import check as checking
from handful.images import find_pictures, open_source, read, read_unchecked
from handful.images.sources import FolderSource
from handful.images.unreadable import UnreadableError
from handful.testing.pictures import draw_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, sockets and devices are files elsewhere")

ALL = ReadingConfig(max_unreadable=1.0)


@pytest.fixture
def photos(tmp_path):
    return draw_folder(tmp_path / "photos", classes=("circle", "square"), per_class=4, size=16)


@pytest.fixture
def secret(tmp_path):
    """A picture outside of the data set."""
    return draw_folder(tmp_path / "outside", classes=("star",), per_class=1, size=16) / "star" / "000.png"


def make_socket(path):
    """Makes a socket's file; its path may be longer than the system takes for one."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    finally:
        os.chdir(here)


SPECIAL = {
    "pipe": (os.mkfifo, "not a regular file"),
    "socket": (make_socket, "not a regular file"),
    "zeros": (lambda path: path.symlink_to("/dev/zero"), "leads out of the folder"),
    "loop": (lambda path: path.symlink_to(path), "cannot be read: Too many levels"),
    "gone": (lambda path: path.symlink_to(path.parent / "nothing.png"), "no such file"),
    "above": (lambda path: path.symlink_to("../../outside/star/000.png"), "leads out of the folder"),
    "folder": (lambda path: path.mkdir(), None),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_is_listed_and_never_read_in_training_and_predicting(photos, secret, kind):
    make, reason = SPECIAL[kind]
    make(photos / "circle" / "odd.png")
    table = read(photos, ALL, threads=2)
    assert len(table.pictures) == 8
    found = [each for each in find_pictures([photos], ALL) if each.name.endswith("odd.png")]
    if reason is None:  # a folder that is named like a picture is a folder
        assert (table.skipped, found) == ((), [])
        return
    assert [each.path for each in table.skipped] == ["circle/odd.png"]
    assert reason in table.skipped[0].reason
    with pytest.raises(UnreadableError, match=reason):
        read_unchecked(found[0], ALL, full_scale=255)


def test_a_table_may_name_devices_and_they_are_not_read(photos):
    names = [f"{name}/{number:03d}.png,{name}" for name in ("circle", "square") for number in range(4)]
    (photos / "list.csv").write_text("\n".join(["path,label", *names, "/dev/zero,circle", "/dev/stdin,circle", ""]))
    table = read(photos / "list.csv", ALL)
    assert len(table.pictures) == 8
    assert {each.reason for each in table.skipped} <= {"not a regular file", "there is no such file"}
    assert len(table.skipped) == 2
    for found in find_pictures([photos / "list.csv"], ALL)[-2:]:
        with pytest.raises(UnreadableError, match=r"not a regular file|no such file"):
            read_unchecked(found, ALL, full_scale=255)


@pytest.mark.parametrize("folder", ["linked", ".linked"])
def test_a_table_in_a_folder_does_not_lead_out_of_it_through_a_linked_folder(photos, secret, folder):
    """Such as one that came in an archive from the internet."""
    (photos / folder).symlink_to(secret.parent)
    shutil.copytree(photos / "square", photos / "circle", dirs_exist_ok=True)
    shutil.rmtree(photos / "square")  # one folder is left, and so the table says what the classes are
    names = [f"circle/{number:03d}.png,{'ab'[number % 2]}" for number in range(4)]
    (photos / "list.csv").write_text("\n".join(["path,label", *names, f"{folder}/000.png,a", ""]))
    table = read(photos, ALL)
    assert f"{folder}/000.png" not in [picture.path for picture in table.pictures]
    assert "a link that leads out of the folder" in {each.path: each.reason for each in table.skipped}[
        f"{folder}/000.png"
    ]  # fmt: skip


def test_a_table_that_the_user_names_may_lie_beside_a_linked_folder(photos, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "photos").symlink_to(photos)
    rows = [f"photos/{name}/{number:03d}.png,{name}" for name in ("circle", "square") for number in range(4)]
    (tmp_path / "here" / "list.csv").write_text("\n".join(["path,label", *rows, ""]))
    table = read(tmp_path / "here" / "list.csv", ReadingConfig())
    assert [picture.path for picture in table.pictures][::4] == ["circle/000.png", "square/000.png"]


def refused(*_, **__):
    raise PermissionError(13, "Permission denied")


def test_files_and_folders_without_permission_are_listed(photos, monkeypatch):
    draw_folder(photos, classes=("closed",), per_class=2, size=16)
    original, scan = os.open, os.scandir
    monkeypatch.setattr(os, "open", lambda path, *rest: (refused if "003.png" in str(path) else original)(path, *rest))
    monkeypatch.setattr(os, "scandir", lambda path: (refused if "closed" in str(path) else scan)(path))
    table = read(photos, ALL)
    assert {each.path: each.reason for each in table.skipped} == {
        "circle/003.png": "cannot be read: Permission denied",
        "square/003.png": "cannot be read: Permission denied",
        "closed": "the folder cannot be read: Permission denied",
    }
    reasons = {each.name.rpartition("photos/")[2]: each.reason for each in find_pictures([photos], ALL)}
    assert reasons["closed"] == "the folder cannot be read: Permission denied"
    [found] = [each for each in find_pictures([photos], ALL) if each.name.endswith("circle/003.png")]
    with pytest.raises(UnreadableError, match="Permission denied"):
        read_unchecked(found, ALL, full_scale=255)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_so_are_real_ones(photos):
    (photos / "circle" / "003.png").chmod(0)
    table = read(photos, ALL)
    assert [each.reason for each in table.skipped] == ["cannot be read: Permission denied"]


def test_a_link_into_a_folder_that_may_not_be_entered_is_listed(photos, tmp_path, monkeypatch):
    (photos / "circle" / "odd.png").symlink_to(tmp_path / "locked" / "1.png")
    original = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **rest: (refused if path.name == "odd.png" else original)(path, **rest)
    )
    assert "circle/odd.png" in [entry.name for entry in open_source(photos).entries()]


# Changed meanwhile.


def become_pipe(path, _):
    path.unlink()
    os.mkfifo(path)


def become_link(path, secret):
    path.unlink()
    path.symlink_to(secret)


def vanish(path, _):
    path.unlink()


def grow(path, _):
    with path.open("ab") as stream:
        stream.truncate(200_000_000)


CHANGES = {
    become_pipe: "not a regular file",
    become_link: "Too many levels of symbolic links",
    vanish: "no such file",
    grow: "the limit is 50 MB",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_between_being_looked_at_and_opened_is_skipped(photos, secret, monkeypatch, change):
    original = FolderSource._real
    looked_at = []

    def swapped(source, name):
        found = original(source, name)
        if name == "circle/001.png":
            looked_at.append(name)
            if len(looked_at) == swap_at:
                change(found, secret)
        return found

    monkeypatch.setattr(FolderSource, "_real", swapped)
    swap_at = 3  # its size was asked for twice, and it is being read
    table = read(photos, ALL)
    assert [each.path for each in table.skipped] == ["circle/001.png"]
    assert CHANGES[change] in table.skipped[0].reason


@pytest.mark.parametrize("change", [become_pipe, vanish])
def test_a_file_that_changes_after_it_was_listed_is_skipped_in_predicting(photos, secret, change):
    found = find_pictures([photos], ALL)[1]
    change(photos / "circle" / "001.png", secret)
    with pytest.raises(UnreadableError, match=CHANGES[change]):
        read_unchecked(found, ALL, full_scale=255)


def test_files_that_vanish_while_all_are_checked_are_skipped(photos, monkeypatch):
    decode = checking.decode

    def vanishing(data, **options):
        (photos / "square" / "003.png").unlink(missing_ok=True)
        return decode(data, **options)

    monkeypatch.setattr(checking, "decode", vanishing)
    table = read(photos, ALL)
    assert [(each.path, each.reason) for each in table.skipped] == [("square/003.png", "there is no such file")]


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "nul\0.png", "x" * 300 + ".csv"])
def test_names_that_no_file_can_have_are_not_there(name, tmp_path, photos):
    for ask in (partial(read, tmp_path / name, ALL), partial(find_pictures, [tmp_path / name], ALL)):
        with pytest.raises(DataError, match="there is no "):
            ask()
    (photos / "list.csv").write_text(f"path\ncircle/000.png\n{name}\n")
    missing = find_pictures([photos / "list.csv"], ALL)[1]
    with pytest.raises(UnreadableError):
        read_unchecked(missing, ALL, full_scale=255)


def test_a_pipe_or_a_device_is_no_data_set(tmp_path):
    os.mkfifo(tmp_path / "list.csv")
    for path in (tmp_path / "list.csv", Path("/dev/zero")):
        with pytest.raises(DataError, match="neither a folder nor a file"):
            read(path, ALL)
        with pytest.raises(DataError, match="neither a folder nor a file"):
            find_pictures([path], ALL, progress=Silent())
