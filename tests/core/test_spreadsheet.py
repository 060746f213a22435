from hypothesis import given
from hypothesis import strategies as st

from handful.core.spreadsheet import RUNS_IN_A_SPREADSHEET, protect, unprotect


@given(st.text(alphabet="=+-@'\t\r\na", max_size=6))
def test_what_is_protected_can_be_found_again_and_runs_nowhere(text):
    assert unprotect(protect(text)) == text
    assert not protect(text).startswith(RUNS_IN_A_SPREADSHEET)


def test_every_beginning_of_a_formula_is_protected():
    for first in "=+-@\t\r\n'":
        assert protect(f"{first}1") == f"'{first}1"
    assert protect("1=1") == "1=1"


def test_what_handful_never_writes_is_left_alone():
    assert unprotect("'s Gravenhage") == "'s Gravenhage"
