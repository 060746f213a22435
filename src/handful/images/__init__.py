"""Reading pictures and data sets: what is taken, what is skipped, and why."""

from handful.images.decode import READING_VERSION
from handful.images.foreign import from_labelled, rows_of
from handful.images.given import Given, from_pictures, lay_out
from handful.images.pixels import pixels
from handful.images.read import read
from handful.images.sources import open_source
from handful.images.unlabelled import read_unlabelled

__all__ = [
    "READING_VERSION",
    "Given",
    "from_labelled",
    "from_pictures",
    "lay_out",
    "open_source",
    "pixels",
    "read",
    "read_unlabelled",
    "rows_of",
]
