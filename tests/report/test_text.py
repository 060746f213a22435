import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.report.text import counted, encodable, listed, percent, percent_range, printable, seconds


def test_numbers_as_people_write_them():
    assert percent(0.912) == "91.2 %"
    assert percent(math.nan) == "unknown"
    assert percent_range((0.851, 0.95)) == "85.1 to 95.0 %"
    assert [counted(n, "picture") for n in (0, 1, 1234)] == ["0 pictures", "1 picture", "1,234 pictures"]
    assert counted(2, "class", "classes") == "2 classes"


@pytest.mark.parametrize(
    ("duration", "expected"),
    [(0.04, "0.04 s"), (4.24, "4.2 s"), (43.4, "43 s"), (125, "2 min 5 s"), (119.9, "2 min 0 s")],
)
def test_seconds_as_people_write_them(duration, expected):
    assert seconds(duration) == expected


def test_long_lists_are_cut():
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_what_a_terminal_would_obey_is_spelled_out():
    assert printable("\x1b[2Jcat") == "\\x1b[2Jcat"
    assert printable("cat\u202egpj.exe") == "cat\\u202egpj.exe"
    assert printable("bad\udcff") == "bad\\udcff"
    assert printable("Übergröße 猫") == "Übergröße 猫"


@settings(max_examples=50)
@given(st.text(st.characters(codec=None)))
def test_every_name_can_be_printed_and_written(name):
    assert printable(name).isprintable()
    assert encodable(name).encode("utf-8").decode("utf-8") == encodable(name)
