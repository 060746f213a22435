import numpy as np
import pytest

from handful.images.decode import Decoded
from handful.images.proposals import FLAT, NEAREST, propose
from handful.images.sketch import read_sketches, sketch
from tests.images.scenes import CHANGES, cell, cropped, mirrored, scene


def sketches(*images):
    return read_sketches([sketch(Decoded(np.asarray(image), "PNG", ())) for image in images])


@pytest.fixture(scope="module")
def scenes():
    return [scene(seed) for seed in range(20)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_proposed_and_nothing_else(scenes, change):
    [found] = propose(sketches(*scenes, CHANGES[change](scenes[7])), threads=1)
    assert {found.first, found.second} == {7, 20}
    assert found.mirrored == (change == "mirrored")


def test_the_window_of_a_crop_is_where_it_was_taken(scenes):
    [found] = propose(sketches(*scenes, cropped(scenes[3], left=1.0, upper=0.0)), threads=1)
    assert (found.first, found.second) == (3, 20)
    np.testing.assert_allclose(found.box, (0.05, 0, 1, 0.95), atol=0.018)


def test_the_window_of_a_mirrored_crop_is_given_after_mirroring(scenes):
    [found] = propose(sketches(*scenes, cropped(mirrored(scenes[3]), left=1.0, upper=1.0)), threads=1)
    assert (found.first, found.second, found.mirrored) == (3, 20, True)
    np.testing.assert_allclose(found.box, (0.05, 0.05, 1, 1), atol=0.018)


def test_the_proposals_do_not_depend_on_blocks_and_threads(scenes, monkeypatch):
    many = sketches(*scenes, *(cropped(image) for image in scenes), *(mirrored(image) for image in scenes))
    first = propose(many, threads=1)
    monkeypatch.setattr("handful.images.proposals.BLOCK", 7)
    assert propose(many, threads=3) == first
    assert len(first) == 60


def test_bars_that_all_pictures_share_propose_nothing():
    found = propose(sketches(*(cell(seed) for seed in range(60)), mirrored(cell(9))), threads=1)
    assert (9, 60) in [tuple(sorted((each.first, each.second))) for each in found]
    assert len(found) < 10  # of 1 830 pairs, which all correlate at 0.9 and more


def test_each_picture_is_proposed_with_few_others_however_alike_they_are():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (32, 32))
    alike = (base + rng.integers(0, 3, (50, 32, 32))).clip(0, 255).astype(np.uint8)
    assert 50 <= len(propose(alike, threads=1)) <= 50 * NEAREST


def test_pictures_of_one_colour_are_no_copies():
    rng = np.random.default_rng(0)
    flat = (120 + rng.normal(0, FLAT / 2, (12, 32, 32))).astype(np.uint8)
    assert propose(flat, threads=1) == []
    assert propose(flat[:0], threads=1) == []
