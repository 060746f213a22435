"""Which pictures train and which test."""

from handful.split.stratified import split, test_size, units

__all__ = ["split", "test_size", "units"]
