"""Reading pictures and data sets: what is taken, what is skipped, and why."""

from handful.images.decode import READING_VERSION
from handful.images.pixels import pixels
from handful.images.read import read
from handful.images.sorting import Sorter, plan_sorting
from handful.images.sources import open_source
from handful.images.unlabelled import Found, Place, open_place, read_unchecked

__all__ = [
    "READING_VERSION",
    "Found",
    "Place",
    "Sorter",
    "open_place",
    "open_source",
    "pixels",
    "plan_sorting",
    "read",
    "read_unchecked",
]
