import numpy as np
import pytest

from handful.cli.predict import _line
from handful.core.records import Prediction


@pytest.mark.parametrize(
    ("doubts", "expected"),
    [
        ({}, "a.jpg  cat  75.0 %"),
        ({"unlike": False}, "a.jpg  cat  75.0 %"),
        ({"unsure": True}, "a.jpg  cat  75.0 %  unsure"),
        ({"unsure": True, "unlike": True}, "a.jpg  cat  75.0 %  unsure, unlike the training pictures"),
    ],
)
def test_a_line_says_what_makes_an_answer_doubtful(doubts, expected):
    assert _line(Prediction("a.jpg", "cat", np.array([0.75, 0.25]), **doubts), ("cat", "dog"), 1) == expected


def test_a_line_names_as_many_classes_as_were_asked_for():
    answer = Prediction("a.jpg", "cat", np.array([0.25, 0.7, 0.05]), unsure=True)
    assert _line(answer, ("dog", "cat", "elk"), 2) == "a.jpg  cat  70.0 %  dog  25.0 %  unsure"
