"""Reading pictures and data sets: what is taken, what is skipped, and why."""

from handful.images.decode import READING_VERSION
from handful.images.given import Given, from_pictures
from handful.images.pixels import pixels
from handful.images.read import read
from handful.images.sources import open_source
from handful.images.unlabelled import read_unlabelled

__all__ = ["READING_VERSION", "Given", "from_pictures", "open_source", "pixels", "read", "read_unlabelled"]
