"""A second folder of class folders beside the data set."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest

from handful.core.config import ReadingConfig, SplitConfig
from handful.core.errors import DataError
from handful.images import open_again, pixels, read
from handful.split import split
from handful.testing.pictures import draw_folder


@pytest.fixture
def more(tmp_path):
    """New pictures of two of the classes."""
    return draw_folder(tmp_path / "more", classes=("circle", "square"), per_class=3, seed=9)


def reading(*add, **options):
    return ReadingConfig(add=tuple(str(each) for each in add), **options)


def test_added_pictures_are_named_as_the_user_named_their_folder(photos, more, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    table = read(photos, reading("more"))
    added = [picture for picture in table.pictures if picture.added]
    assert [picture.path for picture in added] == [
        f"more/{name}/00{number}.png" for name in ("circle", "square") for number in range(3)
    ]
    assert [table.classes[picture.label] for picture in added] == ["circle"] * 3 + ["square"] * 3
    assert pixels(table, added[0]).shape == (64, 64, 3)
    assert any(finding.code == "added" and "6 pictures" in finding.message for finding in table.findings)


def test_an_archive_can_be_added(photos, more, tmp_path):
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        for path in more.rglob("*.png"):
            archive.write(path, path.relative_to(more))
    table = read(photos, reading(tmp_path / "more.zip"))
    assert sum(picture.added for picture in table.pictures) == 6


def test_added_pictures_take_no_other_s_place_where_the_first_of_each_class_are_asked_for(photos, more):
    plain, extended = read(photos, ReadingConfig(per_class=4)), read(photos, reading(more, per_class=4))
    own = [picture.path for picture in extended.pictures if not picture.added]
    assert own == [picture.path for picture in plain.pictures]
    assert len(extended.pictures) == len(plain.pictures) + 6


@pytest.mark.parametrize("seed", range(5))
def test_the_test_part_is_the_same_with_and_without_them(photos, more, seed):
    plain, extended = read(photos, ReadingConfig()), read(photos, reading(more))
    parts = split(plain, SplitConfig(), seed=seed), split(extended, SplitConfig(), seed=seed)
    tested = [
        [table.pictures[index].path for index in part.test]
        for table, part in zip((plain, extended), parts, strict=True)
    ]
    assert tested[0] == tested[1]
    added = {index for index, picture in enumerate(extended.pictures) if picture.added}
    assert added <= set(parts[1].train.tolist())
    assert len(parts[1].train) == len(parts[0].train) + 6


def test_a_corrected_copy_of_a_test_picture_is_not_learnt_from(photos, tmp_path):
    plain = read(photos, ReadingConfig())
    parts = split(plain, SplitConfig(), seed=0)
    tested, learnt = (plain.pictures[rows[0]].path for rows in (parts.test, parts.train))
    (tmp_path / "more" / "square").mkdir(parents=True)
    shutil.copy(photos / tested, tmp_path / "more" / "square" / "tested.png")
    shutil.copy(photos / learnt, tmp_path / "more" / "square" / "learnt.png")
    table = read(photos, reading(tmp_path / "more"))
    found = split(table, SplitConfig(), seed=0)
    used = {table.pictures[index].path.rpartition("/")[2] for index in found.train}
    assert "learnt.png" in used
    assert "tested.png" not in used
    assert [table.pictures[index].path for index in found.test] == [plain.pictures[index].path for index in parts.test]
    assert any("1 added pictures are copies of test" in note for note in found.notes)


def test_own_parts_stay_and_take_the_added_pictures_for_training(tmp_path, more):
    for number, part in enumerate(("train", "test")):
        draw_folder(tmp_path / "photos" / part, classes=("circle", "square"), per_class=6, seed=number)
    shutil.copy(tmp_path / "photos" / "test" / "circle" / "000.png", more / "circle" / "copy.png")
    table = read(tmp_path / "photos", reading(more))
    found = split(table, SplitConfig(), seed=0)
    assert (len(found.train), len(found.test), found.leaks) == (12 + 6, 12, ())


def test_a_class_that_only_the_addition_has_is_told(photos, tmp_path):
    draw_folder(tmp_path / "more", classes=("star",), per_class=4)
    table = read(photos, reading(tmp_path / "more"))
    assert "star" in table.classes
    (finding,) = [finding for finding in table.findings if finding.code == "added-class"]
    assert "star" in finding.message
    assert not np.isin(split(table, SplitConfig(), seed=0).test, np.flatnonzero(table.labels == 2)).all()


def test_what_cannot_be_added_is_an_error(photos, more, tmp_path):
    whole = shutil.copytree(photos, tmp_path / "whole")
    with pytest.raises(DataError, match=r"lies in .* belong to that data set already"):
        read(whole, reading(whole / "circle"))
    with pytest.raises(DataError, match="twice"):
        read(photos, reading(more, more))
    with pytest.raises(DataError, match="there is no"):
        read(photos, reading(tmp_path / "gone"))


def test_the_pictures_are_found_again_under_their_names(photos, more):
    table = read(photos, reading(more))
    source = open_again(photos, {more.as_posix(): str(more)})
    assert all(source.read(picture.path) == table.source.read(picture.path) for picture in table.pictures)
