from dataclasses import replace

import pytest

from handful.core.config import SplitConfig
from handful.split import find_leaks, leak_note, split, units
from handful.testing.tables import table_of

PARTS = ["train", "train", "validation", "test", "test", "test"]


@pytest.fixture
def table(tmp_path):
    """Pictures 3 and 4 are tested and have copies outside: one with equal pixels, one without."""
    plain = table_of([0, 1, 0, 0, 1, 1], tmp_path, pixels=list("abcafg"), parts=PARTS)
    looks = ["", "", "one", "", "one", "two"]
    return replace(plain, pictures=tuple(replace(p, look=x) for p, x in zip(plain.pictures, looks, strict=True)))


def test_a_test_picture_with_a_copy_outside_is_a_leak(table):
    assert find_leaks(table) == ((3, 0), (4, 2))


def test_copies_within_one_part_are_none(tmp_path):
    assert find_leaks(table_of([0, 1, 0, 1], tmp_path, pixels=list("aabb"), parts=["train"] * 2 + ["test"] * 2)) == ()
    assert find_leaks(table_of([0, 1, 0, 1], tmp_path, pixels=list("aaaa"))) == ()


def test_a_leak_is_said_loudly_with_its_pairs(table):
    note = leak_note(table, find_leaks(table))
    assert note.startswith("LEAK: 2 of 3 test pictures are copies of pictures outside the test part")
    assert "0/00003.png is 0/00000.png, 1/00004.png is 0/00002.png" in note
    assert "Remove them from one side" in note


def test_a_split_by_the_user_carries_its_leaks(table):
    given = split(table, SplitConfig(), seed=0)
    assert given.leaks == ((3, 0), (4, 2))
    assert leak_note(table, given.leaks) in given.notes


def test_pictures_of_one_look_stay_on_one_side_of_a_drawn_split(tmp_path):
    plain = table_of([0, 1] * 30, tmp_path)
    table = replace(plain, pictures=tuple(replace(p, look=str(i // 5)) for i, p in enumerate(plain.pictures)))
    assert len(set(units(table.pictures).tolist())) == 12
    for seed in range(5):
        drawn = split(table, SplitConfig(), seed=seed)
        assert not {i // 5 for i in drawn.train.tolist()} & {i // 5 for i in drawn.test.tolist()}
        assert drawn.leaks == ()
        assert any(note.startswith("60 pictures are copies of others") for note in drawn.notes)
