"""Which pictures train and which test."""

from handful.split.folds import folds
from handful.split.stratified import split, test_size, units

__all__ = ["folds", "split", "test_size", "units"]
