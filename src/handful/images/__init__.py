"""Reading pictures and data sets: what is taken, what is skipped, and why."""

from handful.images.additions import open_again
from handful.images.decode import READING_VERSION, decode
from handful.images.foreign import from_labelled, rows_of
from handful.images.given import Given, from_pictures, lay_out
from handful.images.held import carried
from handful.images.pixels import pixels
from handful.images.read import read
from handful.images.remote import path_or_address
from handful.images.sorting import Sorter, plan_sorting
from handful.images.sources import Found, open_source
from handful.images.unlabelled import (
    Place,
    find_pictures,
    name_none,
    open_place,
    read_unchecked,
    read_unlabelled,
)
from handful.images.unreadable import TooManyPixelsError, UnreadableError

__all__ = [
    "READING_VERSION",
    "Found",
    "Given",
    "Place",
    "Sorter",
    "TooManyPixelsError",
    "UnreadableError",
    "carried",
    "decode",
    "find_pictures",
    "from_labelled",
    "from_pictures",
    "lay_out",
    "name_none",
    "open_again",
    "open_place",
    "open_source",
    "path_or_address",
    "pixels",
    "plan_sorting",
    "read",
    "read_unchecked",
    "read_unlabelled",
    "rows_of",
]
