"""Hostile and odd pictures: training, predicting and serving read the same ones, and say the same of the others."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from PIL import Image

import handful
from handful.core.config import ReadingConfig
from handful.images import decode, pixels, read
from handful.testing.hostile import hostile_pictures, turned
from handful.testing.pictures import draw_folder

ALL = ReadingConfig(max_unreadable=1.0)
BY_ITS_SIZE = "empty.jpg", "cut-0.jpeg", "cut-0.png", "cut-0.webp"
"""Files without a byte: a request cannot bring one."""


@pytest.fixture(scope="module")
def files():
    return {each.name: each for each in hostile_pictures()}


@pytest.fixture(scope="module")
def folder(files, tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile") / "photos"
    draw_folder(root, classes=("circle", "square"), per_class=6, size=32)
    for name, each in files.items():
        (root / "circle" / name).write_bytes(each.data)
    return root


@pytest.fixture(scope="module")
def reasons(folder):
    """What reading for training says of each; "" where it is used."""
    table = read(folder, ALL, threads=2)
    skipped = {each.path.removeprefix("circle/"): each.reason for each in table.skipped}
    used = {picture.path.removeprefix("circle/") for picture in table.pictures}
    assert not used & skipped.keys()
    return dict.fromkeys(used, "") | skipped


def test_there_are_at_least_forty_kinds(files):
    kinds = {re.split(r"-\d|\.", name)[0] for name in files}
    assert len(files) > 100
    assert len(kinds) >= 40


def test_training_reads_what_can_be_read_and_lists_the_others_with_their_reason(files, reasons):
    for name, each in files.items():
        assert bool(reasons[name]) == bool(each.refused), name
        assert re.search(each.refused, reasons[name]), name


def test_predicting_says_the_same(run, folder, files, reasons):
    found = handful.load(run).predict(folder)
    skipped = {each.path.rpartition("/")[2]: each.reason for each in found.skipped}
    assert skipped == {name: reason for name, reason in reasons.items() if reason}
    assert len(found.answers) + len(skipped) == len(files) + 12
    assert all(np.isfinite(answer.proba).all() for answer in found)


def test_serving_says_the_same(server, files, reasons):
    for name, each in files.items():
        if name in BY_ITS_SIZE:
            continue
        status, _, answer = server("POST", "/predict", each.data)
        if each.refused:
            assert status == (413 if "million" in reasons[name] or " a side" in reasons[name] else 422), name
            assert answer == {"error": f"the picture cannot be read: {reasons[name]}."}, name
        else:
            assert status == 200, name
            assert sum(answer["probabilities"].values()) == pytest.approx(1.0)


def test_reasons_for_an_answer_are_given_for_any_shape(server, files):
    for name in ("1x1.png", "1x20000.png", "65500x1.png", "3x5.png", "mode-LAB.tif", "frames.gif"):
        assert server("POST", "/explain", files[name].data)[0] == 200, name


def test_a_model_is_trained_from_them_and_the_report_lists_what_was_skipped(toy, folder, files, tmp_path):
    result = handful.train(folder, tmp_path / "run", backbone="toy", head="ridge", max_unreadable=1.0, threads=2)
    with (result.folder / "skipped.csv").open(newline="") as stream:
        listed = {row["path"]: row["reason"] for row in csv.DictReader(stream)}
    assert listed.keys() == {f"circle/{name}" for name, each in files.items() if each.refused}
    assert all(listed.values())
    assert "65500x1.png" in next(f.message for f in result.run.table.findings if f.code == "odd-shape")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_eight_orientations_are_one_picture_of_one_class(run, kind, tmp_path):
    (tmp_path / "turned").mkdir()
    for orientation in range(1, 9):
        (tmp_path / "turned" / f"{orientation}.{kind.lower()}").write_bytes(turned(kind, orientation))
    answers = handful.load(run).predict(tmp_path / "turned").answers
    assert len(answers) == 8
    assert {answer.label for answer in answers} == {answers[0].label}
    upright = decode(turned(kind, 1), max_pixels=1e6).values.astype(int)
    for orientation in range(2, 9):
        assert np.abs(decode(turned(kind, orientation), max_pixels=1e6).values - upright).max() <= 2


def test_no_decoder_outside_the_list_is_ever_asked(files, folder, monkeypatch):
    """Neither for the beginning of a file nor for its name."""
    Image.init()
    allowed = {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "MPO"}
    asked = []
    for name, (factory, accept) in list(Image.OPEN.items()):
        if name not in allowed:
            if isinstance(factory, type):
                monkeypatch.setattr(factory, "_open", lambda *_, name=name: asked.append(name))
            monkeypatch.setitem(Image.OPEN, name, (lambda *_, name=name: asked.append(name), accept))
    table = read(folder, ALL)
    for picture in table.pictures:
        pixels(table, picture)
    assert asked == []
    assert {"eps.jpg", "pdf.jpg", "svg.jpg", "psd.jpg", "fits.jpg"} < {each.path[7:] for each in table.skipped}
