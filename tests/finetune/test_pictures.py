import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from handful.core.errors import MissingExtraError
from handful.features import prepare
from handful.finetune.pictures import crop_and_mirror, enlarged, strong_change
from handful.images import pixels

ramp = np.stack(np.broadcast_arrays(np.arange(64)[:, None] * 3, np.arange(64)[None] * 3, 0), axis=-1).astype(np.uint8)


def crops(preprocessing, n=200):
    return [crop_and_mirror(ramp, preprocessing, np.random.default_rng(index)) for index in range(n)]


def test_a_crop_is_a_part_of_the_larger_square_mirrored_or_not(preprocessing):
    preprocessing = replace(preprocessing, size=56)
    square = prepare(ramp, enlarged(preprocessing))
    assert square.shape == (64, 64, 3)
    mirrored = 0
    for crop in crops(preprocessing, 20):
        candidates = [
            (square[top : top + 56, left : left + 56], step)
            for top in range(9)
            for left in range(9)
            for step in (1, -1)
        ]
        found = [step for part, step in candidates if np.array_equal(crop[:, ::step], part)]
        assert len(found) == 1
        mirrored += found[0] == -1
    assert 0 < mirrored < 20


def test_crops_reach_every_place_and_mirror_half_the_time(preprocessing):
    preprocessing = replace(preprocessing, size=56)
    drawn = crops(preprocessing)
    tops = {int(crop[0, 0, 0]) for crop in drawn}
    assert len(tops) == 9
    mirrored = np.mean([crop[0, 0, 1] > crop[0, -1, 1] for crop in drawn])
    assert 0.4 < mirrored < 0.6  # 200 draws: three standard errors are 0.1


def test_the_224_crop_comes_from_256(preprocessing):
    assert enlarged(replace(preprocessing, size=224)).size == 256


def test_without_augmentation_a_picture_is_prepared_as_for_prediction(shown, table, preprocessing):
    plain = replace(shown, augmentation="none")
    squares = list(plain.squares([(3, 0), (3, 1), (7, 0)]))
    expected = [prepare(pixels(table, table.pictures[row]), preprocessing) for row in (3, 3, 7)]
    np.testing.assert_array_equal(squares, expected)


def test_a_view_depends_on_seed_picture_and_number_alone(shown):
    wanted = [(row, view) for row in (4, 2) for view in (0, 1)]
    first = dict(zip(wanted, shown.squares(wanted), strict=True))
    fewer = replace(shown, pictures=shown.pictures[2:5], threads=3)
    np.testing.assert_array_equal(next(fewer.squares([(2, 1)])), first[4, 1])
    assert not np.array_equal(first[4, 0], first[4, 1])
    assert not np.array_equal(next(replace(shown, seed=1).squares([(4, 1)])), first[4, 1])


def test_more_pictures_than_are_decoded_ahead_come_in_order(shown, monkeypatch):
    monkeypatch.setattr("handful.finetune.pictures.AHEAD", 3)
    wanted = [(row, 0) for row in reversed(range(len(shown.pictures)))]
    squares = list(shown.squares(wanted))
    np.testing.assert_array_equal(squares[::-1], list(shown.squares(wanted[::-1])))


def test_strong_augmentation_without_its_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia.augmentation.auto", None)
    with pytest.raises(MissingExtraError, match=r"augmentation 'randaugment' needs .*handful\[augment\]"):
        strong_change(ramp, "randaugment", seed=0)


@pytest.mark.skipif(importlib.util.find_spec("kornia") is None, reason="the extra 'augment' is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("augmentation", ["randaugment", "trivialaugment"])
def test_strong_augmentation_is_decided_by_its_seed_and_leaves_torchs_generator(augmentation):
    state = torch.random.get_rng_state()
    drawn = [strong_change(ramp, augmentation, seed=seed) for seed in range(8)]
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(strong_change(ramp, augmentation, seed=3), drawn[3])
    assert len({picture.tobytes() for picture in drawn}) > 4
    assert drawn[0].shape == ramp.shape
    assert drawn[0].dtype == np.uint8
