import numpy as np
import pytest

from handful.features import VIEWS, Preprocessing, prepare

GREY = (127.0, 127.0, 127.0)


def preprocessing(**changes):
    return Preprocessing(**{"size": 8, "fit": "crop", "interpolation": "bilinear", "mean": GREY, "std": GREY} | changes)


def stripes(height, width):
    """A picture whose red channel is the column and whose green channel is the row."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(width)[None, :], np.arange(height)[:, None]
    return pixels


def test_the_central_square_is_kept_as_it_is():
    square = prepare(stripes(8, 20), preprocessing())
    np.testing.assert_array_equal(square, stripes(8, 20)[:, 6:14])


def test_squash_keeps_all_of_the_picture():
    square = prepare(stripes(8, 16), preprocessing(fit="squash"))
    assert square[0, :, 0].tolist() == pytest.approx(np.arange(8) * 2 + 0.5, abs=1.0)


def test_pad_adds_a_border_in_the_mean_colour():
    square = prepare(stripes(4, 8), preprocessing(fit="pad"))
    np.testing.assert_array_equal(square[2:6], stripes(4, 8))
    assert (square[[0, 1, 6, 7]] == 127).all()


def test_the_mirror_view_is_the_plain_view_mirrored():
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        prepare(picture, preprocessing(), "mirror"), prepare(picture, preprocessing())[:, ::-1]
    )


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_every_view_is_a_square_and_no_two_are_alike(fit):
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    squares = [prepare(picture, preprocessing(fit=fit), view) for view in VIEWS["crops"]]
    assert {square.shape for square in squares} == {(8, 8, 3)}
    assert len({square.tobytes() for square in squares}) == len(squares)


def test_a_corner_view_shows_its_corner():
    square = prepare(stripes(64, 64), preprocessing(), "bottom-right")
    assert square[0, 0, 0] == pytest.approx(64 - 56 + 3, abs=1)
    assert square[-1, -1, 1] == pytest.approx(64 - 4, abs=1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 5)])
@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_odd_shapes_become_squares(shape, fit):
    assert prepare(stripes(*shape), preprocessing(fit=fit)).shape == (8, 8, 3)


def test_shrinking_is_antialiased():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    square = prepare(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8), preprocessing())
    assert np.abs(square.astype(int) - 127).max() <= 2
