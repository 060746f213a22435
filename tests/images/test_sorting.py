"""Pictures in class folders: links or copies, nothing moved, nothing overwritten."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from handful.core.errors import ConfigError, DataError
from handful.images import open_place, plan_sorting
from handful.testing.pictures import draw_folder


@pytest.fixture
def photos(tmp_path):
    return draw_folder(tmp_path / "photos", classes=("a/deep", "b"), per_class=1, size=8)


def put_all(target, places, *, by="link", class_name="cat"):
    sorter = plan_sorting(target, by, places, ("cat", "dog"))
    return [sorter.put(found, place.root, class_name) for place in places for found in place.find()]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_link_is_the_same_file_and_keeps_its_path_below_what_was_named(photos, tmp_path):
    assert put_all(tmp_path / "sorted", [open_place(photos)]) == ["", ""]
    assert files(tmp_path / "sorted") == ["cat/a/deep/000.png", "cat/b/000.png"]
    assert (tmp_path / "sorted/cat/b/000.png").samefile(photos / "b/000.png")
    assert files(photos) == ["a/deep/000.png", "b/000.png"]


def test_a_copy_is_another_file_with_the_same_bytes_and_time(photos, tmp_path):
    os.utime(photos / "b/000.png", (1e9, 1e9))
    assert put_all(tmp_path / "sorted", [open_place(photos)], by="copy") == ["", ""]
    copy, origin = tmp_path / "sorted/cat/b/000.png", photos / "b/000.png"
    assert not copy.samefile(origin)
    assert (copy.read_bytes(), copy.stat().st_mtime) == (origin.read_bytes(), 1e9)


def test_a_symbolic_link_takes_the_place_of_a_hard_one_that_cannot_be(photos, tmp_path, monkeypatch):
    def another_disk(self, origin):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", another_disk)
    for _ in range(2):
        assert put_all(tmp_path / "sorted", [open_place(photos)]) == ["", ""]
    link = tmp_path / "sorted/cat/b/000.png"
    assert link.is_symlink()
    assert link.samefile(photos / "b/000.png")


@pytest.mark.parametrize("by", ["link", "copy"])
def test_what_is_there_stays_and_is_told_where_it_is_another_file(photos, tmp_path, by):
    mine = tmp_path / "sorted/cat/b/000.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    for _ in range(2):
        first, second = put_all(tmp_path / "sorted", [open_place(photos)], by=by)
        assert (first, mine.read_bytes()) == ("", b"mine")
        assert "another file" in second


def test_pictures_of_several_folders_stay_apart(photos, tmp_path):
    places = [open_place(photos / "a"), open_place(photos / "b")]
    put_all(tmp_path / "sorted", places)
    assert files(tmp_path / "sorted") == ["cat/a/deep/000.png", "cat/b/000.png"]


def test_what_is_in_an_archive_can_be_copied_and_not_linked(photos, tmp_path):
    shutil.make_archive(str(tmp_path / "more"), "zip", photos)
    place = open_place(tmp_path / "more.zip")
    assert put_all(tmp_path / "sorted", [place], by="copy") == ["", ""]
    assert (tmp_path / "sorted/cat/b/000.png").read_bytes() == (photos / "b/000.png").read_bytes()
    with pytest.raises(ConfigError, match="Expected --by copy"):
        put_all(tmp_path / "sorted", [place])


def test_a_row_of_a_table_gets_the_ending_of_its_format_and_a_name_that_has_one_keeps_it(photos, tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    rows = []
    for name in ("PNG", "JPEG", "TIFF"):
        stream = io.BytesIO()
        Image.new("RGB", (8, 8)).save(stream, name)
        rows.append(stream.getvalue())
    parquet.write_table(pyarrow.table({"image": [*rows, b"\xff"]}), tmp_path / "new.parquet")
    (photos / "b/000.png").rename(photos / "b/000.x")
    place, picture = open_place(tmp_path / "new.parquet"), open_place(photos / "b/000.x")
    for _ in range(2):
        assert put_all(tmp_path / "sorted", [place], by="copy") == [""] * 4
    assert put_all(tmp_path / "other", [picture], by="copy") == [""]
    assert files(tmp_path / "sorted") == ["cat/0.png", "cat/1.jpg", "cat/2.tif", "cat/3"]
    assert files(tmp_path / "other") == ["cat/000.x"]


def test_a_file_that_is_gone_is_told(photos, tmp_path):
    place = open_place(photos)
    sorter = plan_sorting(tmp_path / "sorted", "link", [place], ("cat",))
    found = next(iter(place.find()))
    (photos / found.inner).unlink()
    assert "gone" in sorter.put(found, place.root, "cat")


def test_a_folder_among_the_pictures_is_refused(photos):
    with pytest.raises(DataError, match="would be found as new ones"):
        plan_sorting(photos / "sorted", "link", [open_place(photos)], ("cat",))


@pytest.mark.parametrize(
    ("class_name", "folder"),
    [("..", "_"), ("/etc", "_/etc"), ("a/../..", "a/_/_"), ("C:\\x", "C__x"), ("a/b", "a/b"), ("", "_")],
)
def test_no_name_of_a_class_leads_out_of_the_folder(photos, tmp_path, class_name, folder):
    sorter = plan_sorting(tmp_path / "sorted", "link", [open_place(photos)], (class_name,))
    assert sorter.folders[class_name] == folder


@pytest.mark.parametrize("classes", [("a?", "a*"), ("cat", "Cat"), ("_unsure", "cat")])
def test_classes_that_would_share_a_folder_are_refused(photos, tmp_path, classes):
    with pytest.raises(DataError, match="into one folder"):
        plan_sorting(tmp_path / "sorted", "link", [open_place(photos)], classes)
