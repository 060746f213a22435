"""Figures of parts that are changed alone."""

from __future__ import annotations

import pytest
from benchmarks.paired import compared


def test_differences_are_of_the_same_draws():
    found = compared({"whole": [0.5, 0.7], "other": [0.6, 0.7]})
    assert found["other"] == {
        "mean": pytest.approx(0.65),
        "difference": pytest.approx(0.05),
        "standard_error": pytest.approx(0.05),
    }
    assert found["whole"]["difference"] == found["whole"]["standard_error"] == 0.0


def test_one_draw_has_no_standard_error():
    assert compared({"whole": [0.5], "other": [0.6]})["other"]["standard_error"] is None
