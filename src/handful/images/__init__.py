"""Reading pictures and data sets: what is taken, what is skipped, and why."""

from handful.images.additions import open_again
from handful.images.decode import READING_VERSION, decode
from handful.images.pixels import pixels
from handful.images.read import read
from handful.images.sources import open_source
from handful.images.unlabelled import read_unlabelled
from handful.images.unreadable import TooManyPixelsError, UnreadableError

__all__ = [
    "READING_VERSION",
    "TooManyPixelsError",
    "UnreadableError",
    "decode",
    "open_again",
    "open_source",
    "pixels",
    "read",
    "read_unlabelled",
]
