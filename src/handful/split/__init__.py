"""Which pictures train and which test."""

from handful.split.folds import folds
from handful.split.stratified import hold_out, split, test_size, units
from handful.split.subset import subset

__all__ = ["folds", "hold_out", "split", "subset", "test_size", "units"]
