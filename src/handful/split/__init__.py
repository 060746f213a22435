"""Which pictures train and which test."""

from handful.split.folds import SINGLE, can_be_judged, folds
from handful.split.leaks import find_leaks, leak_note
from handful.split.stratified import hold_out, split, test_size, units
from handful.split.subset import subset

__all__ = [
    "SINGLE",
    "can_be_judged",
    "find_leaks",
    "folds",
    "hold_out",
    "leak_note",
    "split",
    "subset",
    "test_size",
    "units",
]
