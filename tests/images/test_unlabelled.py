"""Finding pictures without classes, and reading them once."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.images import open_place, read_unchecked
from handful.images.channels import DEFAULT_FULL_SCALE
from handful.images.unreadable import UnreadableError
from handful.testing.pictures import draw_folder

CONFIG = ReadingConfig()


@pytest.fixture
def photos(tmp_path):
    return draw_folder(tmp_path / "photos", per_class=3, size=8)


def names(*paths):
    return [found.name for path in paths for found in open_place(Path(path)).find()]


def pixels_of(found, full_scale=DEFAULT_FULL_SCALE, config=CONFIG):
    return read_unchecked(found, config, full_scale=full_scale)


def test_pictures_are_named_as_the_user_named_them(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.make_archive("more", "zip", photos)
    shutil.copy(photos / "circle" / "000.png", tmp_path / "noname")
    (photos / "notes.txt").write_text("no picture")
    assert names("photos/square") == [f"photos/square/{number:03d}.png" for number in range(3)]
    assert set(names("more.zip")) == {name.replace("photos", "more.zip") for name in names("photos")}
    assert len(names("more.zip")) == 9
    assert names("noname", "photos/circle/001.png") == ["noname", "photos/circle/001.png"]
    for path in ("photos", "more.zip"):
        found = next(each for each in open_place(Path(path)).find() if each.name.endswith("circle/000.png"))
        np.testing.assert_array_equal(pixels_of(found), np.asarray(Image.open(photos / "circle" / "000.png")))


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="there is no "):
        open_place(tmp_path / "gone.jpg")


def test_a_table_needs_no_labels_and_may_name_files_anywhere(photos, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(photos / "circle" / "000.png", elsewhere / "far.png")
    listed = ["circle/001.png", "square\\002.png", str(elsewhere / "far.png"), "../elsewhere/far.png", "gone.png"]
    (photos / "list.csv").write_text("\n".join(["note;File", *(f"x;{name}" for name in listed)]) + "\n")
    found = list(open_place(photos / "list.csv").find())
    assert [each.name for each in found] == listed
    assert [pixels_of(each).shape for each in found[:-1]] == [(8, 8, 3)] * 4
    with pytest.raises(UnreadableError, match="there is no such file"):
        pixels_of(found[-1])


def test_a_parquet_table_is_read_like_text(photos):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [f"circle/{number:03d}.png" for number in range(3)]
    parquet.write_table(pyarrow.table({"id": [1, 2, 3], "path": rows}), photos / "list.parquet")
    assert names(photos / "list.parquet") == rows


def test_a_table_without_paths_says_what_was_expected(photos):
    (photos / "list.csv").write_text("name,label\na.png,cat\n")
    with pytest.raises(DataError, match=r"has no column path; its header is 'name, label'. Expected a column path"):
        names(photos / "list.csv")


def test_a_picture_is_read_as_in_training(tmp_path):
    deep = np.full((4, 4), 100, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    (found,) = open_place(tmp_path / "deep.png").find()
    assert (pixels_of(found, full_scale=1023) == round(100 * 255 / 1023)).all()


def test_the_limits_on_size_hold_for_unchecked_pictures_too(tmp_path):
    Image.new("RGB", (2000, 600)).save(tmp_path / "large.png")
    (found,) = open_place(tmp_path / "large.png").find()
    with pytest.raises(UnreadableError, match="the limit is 1 "):
        pixels_of(found, config=ReadingConfig(max_megapixels=1))
    (tmp_path / "large.png").write_bytes(bytes(1_000_001))
    with pytest.raises(UnreadableError, match="--max-file-mb"):
        pixels_of(found, config=ReadingConfig(max_file_mb=1))


def test_a_changed_file_has_another_stamp_and_so_have_all_in_a_changed_archive(photos, tmp_path):
    shutil.make_archive(str(tmp_path / "more"), "zip", photos)
    for path, inner in ((photos, "circle/000.png"), (tmp_path / "more.zip", "circle/000.png")):
        place = open_place(path)
        before = place.stamp(inner)
        changed = photos / inner if path.is_dir() else path
        changed.write_bytes(changed.read_bytes() + b" ")
        assert before
        assert place.stamp(inner) != before
    assert open_place(photos).stamp("gone.png") == ""


def test_a_long_table_is_not_held_in_memory(tmp_path):
    from handful.images.listing import read_paths

    class Counting(io.BytesIO):
        n_read = 0

        def read1(self, size=-1):
            data = super().read1(size)
            Counting.n_read += len(data)
            return data

        read = read1

    stream = Counting(b"path\n" + b"".join(b"%06d.png\n" % number for number in range(100_000)))
    paths = read_paths(stream, "list.csv")
    assert next(paths) == "000000.png"
    assert 0 < Counting.n_read < 100_000
