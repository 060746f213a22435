"""Which pictures train and which test."""

from handful.split.folds import NO_TWO_OF_A_CLASS, can_be_judged, folds
from handful.split.leaks import find_leaks, leak_note
from handful.split.stratified import can_hold_out, hold_out, split, test_size, units
from handful.split.subset import subset

__all__ = [
    "NO_TWO_OF_A_CLASS",
    "can_be_judged",
    "can_hold_out",
    "find_leaks",
    "folds",
    "hold_out",
    "leak_note",
    "split",
    "subset",
    "test_size",
    "units",
]
