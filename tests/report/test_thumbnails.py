import base64
import io

import numpy as np
import pytest
from PIL import Image

from handful.core.files import sha256_bytes
from handful.core.records import ImageTable, Picture
from handful.report.thumbnails import thumbnail


class Memory:
    def __init__(self, data):
        self.data = data

    def names(self):
        return iter(["a.png"])

    def read(self, name):
        return self.data


def thumbnail_of(tmp_path, width, height):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, format="PNG")
    picture = Picture("a.png", 0, sha256_bytes(stream.getvalue()), "", width, height)
    url = thumbnail(ImageTable(tmp_path, Memory(stream.getvalue()), ("a",), (picture,)), picture)
    return Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/jpeg;base64,")))), len(url)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(480, 480, (240, 240)), (640, 480, (320, 240)), (32, 32, (32, 32)), (3000, 30, (360, 4)), (1, 900, (1, 360))],
)
def test_a_thumbnail_is_small_and_keeps_its_shape(tmp_path, width, height, expected):
    small, _ = thumbnail_of(tmp_path, width, height)
    assert small.size == expected


def test_twenty_of_the_worst_fit_into_the_page(tmp_path):
    # JPEG compresses noise worst, 360 x 240 is the largest thumbnail, and the page should stay under 1.5 MB.
    _, n_characters = thumbnail_of(tmp_path, 720, 480)
    assert 20 * n_characters < 1_300_000
