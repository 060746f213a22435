from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.core.config import SplitConfig
from handful.core.errors import DataError
from handful.split import hold_out, split, test_size, units
from handful.testing.tables import table_of

test_size.__test__ = False


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize(("n_images", "share", "expected"), [(2400, 0.2, 400), (120, 0.2, 20), (100, 1.0, 50)])
def test_the_test_part_is_a_share_of_the_training_part(root, n_images, share, expected):
    assert test_size(n_images, share) == expected
    drawn = split(table_of(list(np.arange(n_images) % 4), root), SplitConfig(test=share), seed=0)
    assert len(drawn.test) == expected
    assert len(drawn.test) / len(drawn.train) == pytest.approx(share, abs=0.01)


def test_every_class_gives_its_share(root):
    labels = np.repeat([0, 1, 2], [300, 60, 12])
    drawn = split(table_of(list(labels), root), SplitConfig(), seed=3)
    assert np.bincount(labels[drawn.test]).tolist() == [50, 10, 2]


def test_the_parts_hold_every_picture_once(root):
    drawn = split(table_of([0, 1] * 30, root), SplitConfig(), seed=1)
    assert sorted([*drawn.train, *drawn.test]) == list(range(60))


def test_equal_seeds_draw_equal_parts_and_others_do_not(root):
    table = table_of([0, 1] * 50, root)
    first, again, other = (split(table, SplitConfig(), seed=seed).test.tolist() for seed in (7, 7, 8))
    assert first == again != other


def test_duplicates_stay_on_one_side_of_the_split(root):
    pixels = [str(index // 3) for index in range(90)]
    drawn = split(table_of([index // 3 % 2 for index in range(90)], root, pixels=pixels), SplitConfig(), seed=0)
    assert not {pixels[i] for i in drawn.train} & {pixels[i] for i in drawn.test}
    assert abs(len(drawn.test) - 15) <= 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_groups=st.integers(4, 12))
def test_groups_stay_on_one_side_and_the_size_is_near(root, seed, n_groups):
    rng = np.random.default_rng(seed)
    groups = [str(group) for group in np.r_[np.arange(n_groups), rng.integers(0, n_groups, 200)]]
    labels = list(np.r_[np.zeros(n_groups, int), rng.integers(0, 2, 200)])
    drawn = split(table_of(labels, root, groups=groups), SplitConfig(test=0.5), seed=seed)
    assert not {groups[i] for i in drawn.train} & {groups[i] for i in drawn.test}
    assert set(np.array(labels)[drawn.train]) == {0, 1}


def test_pictures_are_joined_through_others(root):
    table = table_of([0] * 4, root, pixels=["a", "a", "b", "c"], groups=["", "g", "g", ""])
    joined = units(table.pictures)
    assert joined[0] == joined[1] == joined[2] != joined[3]


def test_two_pictures_a_class_leave_one_to_train_and_one_to_test(root):
    drawn = split(table_of([0, 0, 1, 1], root), SplitConfig(), seed=0)
    assert len(drawn.train) == len(drawn.test) == 2


def test_a_class_that_is_one_group_is_not_tested_and_this_is_said(root):
    table = table_of([0] * 10 + [1] * 10, root, groups=[""] * 10 + ["patient"] * 10)
    drawn = split(table, SplitConfig(), seed=0)
    assert any("no test picture for 'class 1'" in note for note in drawn.notes)


def test_the_users_parts_are_kept(root):
    drawn = split(
        table_of([0, 1] * 3, root, parts=["train", "train", "validation", "test", "test", "train"]),
        SplitConfig(),
        seed=0,
    )
    assert (drawn.train.tolist(), drawn.validation.tolist(), drawn.test.tolist()) == ([0, 1, 5], [2], [3, 4])
    assert drawn.given


def test_a_leak_between_the_users_parts_is_said_loudly(root):
    table = table_of([0, 1, 0, 1], root, pixels=["a", "b", "a", "c"], parts=["train", "train", "test", "test"])
    assert any(note.startswith("LEAK: 1 of 2") for note in split(table, SplitConfig(), seed=0).notes)


def test_a_group_on_both_sides_of_the_users_parts_is_said_loudly(root):
    table = table_of([0, 1, 0, 1], root, groups=["p1", "p2", "p1", ""], parts=["train", "train", "test", "test"])
    assert any(note.startswith("LEAK: 1 groups") and "p1" in note for note in split(table, SplitConfig(), seed=0).notes)


def test_a_class_without_training_pictures_is_an_error(root):
    table = table_of([0, 1, 1], root, parts=["train", "test", "test"])
    with pytest.raises(DataError, match="no training picture for class 'class 1'"):
        split(table, SplitConfig(), seed=0)


def test_nothing_to_test_with_is_an_error(root):
    with pytest.raises(DataError, match="no picture is left to test with"):
        split(table_of([0, 1], root), SplitConfig(), seed=0)


def test_a_part_set_apart_has_the_papers_size_and_keeps_units_whole(tmp_path):
    table = table_of([0, 1] * 60, tmp_path, groups=[str(index // 6) for index in range(120)])
    apart = hold_out(table.pictures, share=0.2, seed=1)
    assert apart.sum() == 18  # of test_size(120, 0.2) = 20, in groups of six
    groups = np.array([picture.group for picture in table.pictures])
    assert not set(groups[apart]) & set(groups[~apart])
    assert hold_out(table.pictures, share=0.2, seed=2).tolist() != apart.tolist()


def test_pictures_without_a_part_beside_others_are_learnt_from_and_counted(root):
    drawn = split(table_of([0, 1, 0, 1, 0], root, parts=["train", "train", "", "test", ""]), SplitConfig(), seed=0)
    assert drawn.train.tolist() == [0, 1, 2, 4]
    assert "2 pictures without a part were taken for training" in drawn.notes


def test_of_a_class_in_large_groups_the_smallest_that_can_be_spared_is_tested(root):
    groups = [""] * 40 + ["big"] * 5 + ["small"] * 3
    for seed in range(4):
        drawn = split(table_of([0] * 40 + [1] * 8, root, groups=groups), SplitConfig(), seed=seed)
        assert [i for i in drawn.test.tolist() if i >= 40] == [45, 46, 47]


def test_the_largest_remainders_get_what_is_left_over_and_of_equal_ones_the_first(root):
    labels = np.repeat(np.arange(20), [9, 10] * 10)  # a share of 32 test pictures: 1.52 and 1.68 of each class
    drawn = split(table_of(labels.tolist(), root), SplitConfig(), seed=0)
    assert np.bincount(labels[drawn.test]).tolist() == [2, 2, 2, 2, *([1, 2] * 8)]


def test_nothing_is_said_of_copies_where_there_are_none(root):
    (note,) = split(table_of([0, 1] * 12, root), SplitConfig(), seed=5).notes
    assert note == (
        "test part drawn with seed 5: 4 of 24 pictures, 0.2 times the size of the training part, stratified by class"
    )


def test_added_pictures_are_learnt_from_unless_they_are_copies_of_tested_ones(root):
    plain = table_of([0, 1] * 12, root)
    without = split(plain, SplitConfig(), seed=0)
    tested = int(without.test[0])
    more = table_of([0, 1] * 14, root)
    pixels = {24: plain.pictures[tested].pixel_sha256}
    pictures = tuple(
        replace(one, added=index >= 24, pixel_sha256=pixels.get(index, one.pixel_sha256))
        for index, one in enumerate(more.pictures)
    )
    drawn = split(replace(more, pictures=pictures), SplitConfig(), seed=0)
    assert drawn.test.tolist() == without.test.tolist()
    assert drawn.train.tolist() == [*without.train.tolist(), 25, 26, 27]
    assert drawn.notes[:-2] == without.notes
    assert drawn.notes[-2].startswith("3 pictures were added to the training part")
    assert drawn.notes[-1].startswith("1 added pictures are copies of test or validation pictures")
