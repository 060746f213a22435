import numpy as np
import pytest
from PIL import Image

from handful.images.decode import Decoded
from handful.images.sketch import SIDE, read_sketches, sketch


def decoded(values):
    return Decoded(values, "PNG", ())


def test_a_sketch_holds_the_means_of_the_grey_picture():
    values = np.random.default_rng(0).integers(0, 256, (2 * SIDE, 4 * SIDE, 3), dtype=np.uint8)
    [found] = read_sketches([sketch(decoded(values))])
    grey = np.asarray(Image.fromarray(values).convert("L"), dtype=float)
    np.testing.assert_allclose(found, grey.reshape(SIDE, 2, SIDE, 4).mean(axis=(1, 3)), atol=2.5)  # three roundings


@pytest.mark.parametrize("white", [4095, 65535])
def test_pictures_of_more_than_8_bits_use_their_own_range(white):
    values = np.tile(np.linspace(0, white, SIDE).astype(np.uint16)[None, :, None], (SIDE, 1, 1))
    [found] = read_sketches([sketch(decoded(values))])
    np.testing.assert_allclose(found[0], np.linspace(0, 255, SIDE), atol=1.0)


def test_sketches_come_back_in_their_order():
    images = [np.full((4, 4, 3), value, np.uint8) for value in (3, 200, 90)]
    assert read_sketches([sketch(decoded(image)) for image in images])[:, 0, 0].tolist() == [3, 200, 90]
