import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handful.images.layout import find_layout, looks_like_picture, some, suffix_of
from handful.images.selection import check_classes
from handful.images.sources import Entry

ROOT = Path("photos")


def laid_out(*names, **options):
    return find_layout([Entry(name) for name in names], ROOT, **options)


def test_ten_thousand_classes_are_laid_out_and_checked_within_two_seconds():
    start = time.perf_counter()
    layout = laid_out(*(f"class{i // 2:05d}/{i}.png" for i in range(20_000)))
    checked = check_classes(layout, ROOT, drop_small=False)
    assert time.perf_counter() - start < 2
    assert len({placed.class_name for placed in checked.placed}) == 10_000
    assert checked.findings == ()


@pytest.mark.parametrize(
    ("level", "classes"),
    [(None, ["a", "a/b/c", "d/e"]), (1, ["a", "a", "d"]), (2, ["a", "a/b", "d/e"]), (9, ["a", "a/b/c", "d/e"])],
)
def test_the_class_is_as_many_folders_as_asked_for(level, classes):
    layout = laid_out("a/1.jpg", "a/b/c/2.jpg", "d/e/3.jpg", class_level=level)
    assert [placed.class_name for placed in layout.placed] == classes


@pytest.mark.parametrize(
    ("name", "suffix", "picture"),
    [
        ("a/b.JPG", ".jpg", True),
        ("a.b/c", "", False),
        ("a/.png", "", False),
        ("x.tar.gz", ".gz", False),
        ("x.Heic", ".heic", True),
        ("photo.avif", ".avif", True),
        ("photo.", ".", False),
    ],
)
def test_pictures_are_known_by_the_ends_of_their_names(name, suffix, picture):
    assert suffix_of(name) == suffix
    assert looks_like_picture(name) == picture


def test_only_the_topmost_of_nested_empty_folders_is_reported():
    entries = [
        Entry("a/1.jpg"),
        Entry("b/2.jpg"),
        Entry("x", is_folder=True),
        Entry("x/y", is_folder=True),
        Entry("x/y/n.txt"),
    ]
    layout = find_layout(entries, ROOT)
    [empty] = [finding.message for finding in layout.findings if finding.code == "empty-class"]
    assert "folder x;" in empty


def test_a_few_names_stand_for_many():
    assert some(["a", "b"]) == "a, b"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


names = st.lists(
    st.lists(st.sampled_from(["a", "b", "train", "test", "val", "x y"]), min_size=1, max_size=3).map("/".join),
    min_size=1,
    max_size=12,
    unique=True,
)


@given(names)
def test_every_picture_is_placed_or_set_aside_exactly_once(folders):
    pictures = [f"{folder}/{i}.png" for i, folder in enumerate(folders)]
    try:
        layout = laid_out(*pictures)
    except Exception as error:
        assert type(error).__name__ == "DataError"  # noqa: PT017
        return
    told = [placed.name for placed in layout.placed] + [skipped.path for skipped in layout.set_aside]
    assert sorted(told) == sorted(pictures)
    assert all(placed.class_name for placed in layout.placed)
