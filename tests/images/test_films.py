"""Video files as pictures."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from handful.core.config import TrainConfig
from handful.core.errors import MissingExtraError
from handful.images import films, pixels, read, read_unlabelled
from handful.images.films import upright
from handful.split import split
from handful.testing.pictures import draw_folder

RATE = 10


def film(path, *, seconds=2, shade=0, size=32):
    """Writes a film whose frames get brighter by the second."""
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(seconds * RATE):
            values = np.full((size, size, 3), shade + 40 * (number // RATE), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        film(tmp_path / "films" / "bright" / f"{number}.mp4", shade=120 + 10 * number)
        film(tmp_path / "films" / "dark" / f"{number}.mp4", shade=10 * number)
    return tmp_path / "films"


def reading(**options):
    return TrainConfig.of(options).reading


def test_frames_stand_in_place_of_films_and_show_their_seconds(folder):
    table = read(folder, reading(fps=1.0))
    assert len(table.pictures) == 16
    assert table.classes == ("bright", "dark")
    own = [one for one in table.pictures if one.group == "dark/1.mp4"]
    assert [one.path for one in own] == ["dark/1.mp4/00000.000s.png", "dark/1.mp4/00001.000s.png"]
    assert [round(float(pixels(table, one).mean())) for one in own] == pytest.approx([10, 50], abs=4)
    assert "16 frames were taken from 8 video files" in next(f.message for f in table.findings if f.code == "films")


@pytest.mark.parametrize(("fps", "expected"), [(0.5, 1), (2.0, 4), (5.0, 10), (1000.0, 20)])
def test_so_many_frames_of_every_second_are_taken(fps, expected, tmp_path):
    path = film(tmp_path / "one.mp4")
    assert len(read_unlabelled([path], reading(fps=fps)).pictures) == expected


@pytest.mark.parametrize("seed", range(5))
def test_frames_of_a_film_are_never_on_both_sides_of_a_split(folder, seed):
    table = read(folder, reading(fps=3.0))
    parts = split(table, TrainConfig().split, seed=seed)
    groups = [{table.pictures[index].group for index in rows} for rows in (parts.train, parts.test)]
    assert groups[0] & groups[1] == set()
    assert len(groups[1]) >= 2


def test_a_group_from_the_path_goes_before_the_film(folder):
    table = read(folder, reading(fps=1.0, group_by=r"/[01]\.mp4"))
    assert {one.group for one in table.pictures if one.path.startswith("dark/")} == {
        "/0.mp4", "/1.mp4", "dark/2.mp4", "dark/3.mp4",
    }  # fmt: skip


def test_a_table_may_list_films_beside_pictures(folder):
    draw_folder(folder.parent / "more", classes=("dark",), per_class=2, size=24)
    table = folder.parent / "all.csv"
    rows = [f"{path.relative_to(folder.parent)},{path.parent.name}" for path in sorted(folder.rglob("*.mp4"))]
    table.write_text("\n".join(["path,label", *rows, "more/dark/000.png,dark"]))
    assert len(read(table, reading(fps=1.0)).pictures) == 17


def test_frames_are_taken_once(folder, monkeypatch):
    first = read(folder, reading(fps=1.0))
    monkeypatch.setattr(films, "_frames", None)
    assert read(folder, reading(fps=1.0)).pictures == first.pictures


def test_without_the_option_films_are_pointed_at(tmp_path):
    draw_folder(tmp_path / "photos", classes=("a", "b"), per_class=3, size=24)
    (tmp_path / "photos" / "a" / "x.mp4").write_bytes(b"film")
    table = read(tmp_path / "photos", reading())
    assert "--fps 1" in next(finding.message for finding in table.findings if finding.code == "films")


def test_a_damaged_film_is_skipped_with_the_reason(folder):
    (folder / "dark" / "9.mp4").write_bytes(b"no film")
    table = read(folder, reading(fps=1.0, max_unreadable=0.2))
    assert [(one.path, "no film that can be read" in one.reason) for one in table.skipped] == [("dark/9.mp4", True)]


def test_large_frames_are_refused(tmp_path):
    path = film(tmp_path / "one.mp4")
    (skipped,) = read_unlabelled([path], reading(fps=1.0, max_megapixels=0.001)).skipped
    assert "32 x 32 pixels" in skipped.reason


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "x.mp4").write_bytes(b"film")
    with pytest.raises(MissingExtraError, match=r"handful\[av\]"):
        read_unlabelled([tmp_path / "x.mp4"], reading(fps=1.0))


def test_a_frame_is_turned_as_its_film_asks_for():
    image = Image.new("RGB", (4, 2))
    image.putpixel((0, 0), (255, 0, 0))
    frame = SimpleNamespace(to_image=lambda: image, rotation=-90)
    turned = upright(frame)
    assert turned.size == (2, 4)
    assert turned.getpixel((1, 0)) == (255, 0, 0)
    assert upright(SimpleNamespace(to_image=lambda: image)).size == (4, 2)
