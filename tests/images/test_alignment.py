import numpy as np
import pytest
from PIL import Image

from handful.images.alignment import LARGEST, LIKE_IN_LARGE, Pair, likenesses, square
from handful.images.proposals import WHOLE
from tests.images.scenes import CHANGES, cell, cropped, encoded, mirrored, scene

NEAR = (0.03, 0.03, 0.98, 0.98)


def compared(first, second, box=WHOLE, *, flipped=False):
    (found,) = likenesses([Pair(square(np.asarray(first)), square(np.asarray(second)), box, flipped)])
    return found


@pytest.mark.parametrize("draw", [scene, cell])
@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_confirmed(draw, change):
    image = draw(3, side=240)
    box = (0.05, 0.015, 1, 0.965) if change == "cropped" else WHOLE
    assert compared(image, CHANGES[change](image), box, flipped=change == "mirrored") > 0.97


@pytest.mark.parametrize("draw", [scene, cell])
def test_other_pictures_are_not(draw):
    assert compared(draw(3, side=240), draw(4, side=240)) is None


def test_pictures_that_agree_in_large_are_told_apart_by_their_detail():
    """A bright stage with a dark rim and a little dust, as under a microscope."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(*2 * [np.linspace(-1, 1, 200)])
    stage = 200 - 120 * (x**2 + y**2)
    first, second = (Image.fromarray(np.uint8((stage + rng.normal(0, 3, stage.shape)).clip(0, 255))) for _ in "ab")
    values = [np.asarray(square(np.asarray(image.convert("RGB")))).ravel() for image in (first, second)]
    assert np.corrcoef(*values)[0, 1] > LIKE_IN_LARGE
    assert compared(first.convert("RGB"), second.convert("RGB")) is None
    assert compared(first.convert("RGB"), mirrored(first.convert("RGB")), flipped=True) > 0.99


def test_a_window_that_is_only_about_right_is_found():
    image = scene(5, side=300)
    crop = cropped(image, left=0.0, upper=1.0)
    assert compared(image, crop, NEAR) > 0.97
    assert compared(image, crop, (0, 0.05, 0.95, 1)) == pytest.approx(compared(image, crop, NEAR), abs=2e-3)


def test_brightness_and_contrast_do_not_matter():
    image = scene(6, side=200)
    paler = Image.fromarray(np.uint8(60 + 0.6 * np.asarray(image)))
    assert compared(image, encoded(paler, 90)) > 0.97


def test_a_square_is_grey_and_never_larger_than_the_picture():
    assert square(np.zeros((300, 400, 3), np.uint8)).size == (LARGEST, LARGEST)
    assert square(np.zeros((40, 400, 3), np.uint8)).size == (40, 40)
    assert square(np.zeros((40, 40, 3), np.uint8)).mode == "L"
