"""The file in which answers collect until their table is finished."""

from __future__ import annotations

import pytest

from handful.api.unfinished import FILM, open_unfinished
from handful.core.errors import DataError
from handful.images import open_place
from handful.testing.pictures import draw_folder

FACTS = {"the model": "abc", "--top": None}


@pytest.fixture
def places(tmp_path):
    draw_folder(tmp_path / "new", classes=("b", "a/deep"), per_class=2, size=8)
    return [open_place(tmp_path / "new"), open_place(tmp_path / "new" / "b")]


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "answers.csv.partial"


def test_every_picture_is_listed_once_in_the_order_given(partial, places, tmp_path):
    with open_unfinished(partial) as unfinished:
        unfinished.begin(FACTS, [places[0], places[0]])
        (listed,) = unfinished.missing(9)
    inner = ["a/deep/000.png", "a/deep/001.png", "b/000.png", "b/001.png"]
    assert [each.inner for each in listed] == inner
    assert [each.number for each in listed] == [1, 2, 3, 4]
    assert {each.place for each in listed} == {0}
    assert listed[0].name == f"{tmp_path}/new/a/deep/000.png"


def test_films_are_listed_with_the_reason_why_they_are_not_answered_where_the_model_knows_films(partial, tmp_path):
    draw_folder(tmp_path / "new", classes=("a",), per_class=1, size=8)
    (tmp_path / "new" / "a" / "walk.mp4").write_bytes(b"no film")
    place = open_place(tmp_path / "new")
    for films, expected in ((False, [""]), (True, ["", FILM])):
        with open_unfinished(partial.with_name(f"{films}.partial")) as unfinished:
            unfinished.begin(FACTS, [place], films=films)
            assert [each.reason for (each, *_) in unfinished.missing(1)] == expected


def test_answers_are_saved_together_or_not_at_all(partial, places):
    with open_unfinished(partial) as unfinished:
        unfinished.begin(FACTS, places)
        unfinished.save([(1, "one"), (2, "two")])
        with pytest.raises(ZeroDivisionError):
            unfinished.save((number, str(1 / (4 - number))) for number in (3, 4))
    with open_unfinished(partial) as unfinished:
        unfinished.begin(FACTS, places)
        assert (unfinished.n_done, unfinished.n_pictures) == (2, 4)
        assert [(listed.number, record) for listed, record in unfinished.records()] == [(1, "one"), (2, "two")]
        assert [each.number for (each,) in unfinished.missing(1)] == [3, 4]


def test_answers_may_come_in_any_order_and_what_is_missing_is_told_by_portions(partial, places):
    with open_unfinished(partial) as unfinished:
        unfinished.begin(FACTS, places)
        unfinished.save([(3, "three"), (4, "four")])
        assert unfinished.n_done == 2
        assert [[each.number for each in portion] for portion in unfinished.missing(2)] == [[1, 2]]
        unfinished.save([(2, "two")])
        assert [[each.number for each in portion] for portion in unfinished.missing(3)] == [[1]]
        assert [(listed.number, record) for listed, record in unfinished.records()] == [
            (2, "two"),
            (3, "three"),
            (4, "four"),
        ]


def test_no_answer_is_saved_twice(partial, places):
    with open_unfinished(partial) as unfinished:
        unfinished.begin(FACTS, places)
        unfinished.save([(1, "one")])
    with pytest.raises(Exception, match="UNIQUE"), open_unfinished(partial) as unfinished:
        unfinished.save([(1, "again")])
    with open_unfinished(partial) as unfinished:
        assert [record for _, record in unfinished.records()] == ["one"]


def test_nothing_is_left_where_nothing_was_begun(partial, places, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"), open_unfinished(partial) as unfinished:
        unfinished.begin(FACTS, [open_place(tmp_path / "empty")])
    assert not list(tmp_path.glob("answers*"))


def test_other_facts_are_named_and_the_same_are_not(partial, places):
    for facts in (FACTS, FACTS):
        with open_unfinished(partial) as unfinished:
            unfinished.begin(facts, places)
    said = r"--top is 3, and was null; torch is 2\.0, and was null\. Run it as it was"
    with pytest.raises(DataError, match=said), open_unfinished(partial) as unfinished:
        unfinished.begin({**FACTS, "--top": 3, "torch": "2.0"}, places)
