"""The pictures of a data set that is put together on a page."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from handful.serve.photos import add_class, add_picture, small_picture


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (4095, 255)])
def test_a_picture_of_more_than_8_bits_is_shown_small_at_its_scale_even_where_it_is_all_black(
    tmp_path, value, expected
):
    stream = io.BytesIO()
    Image.fromarray(np.full((20, 30), value, dtype=np.uint16)).save(stream, "PNG")
    add_class(tmp_path, "night")
    name = add_picture(tmp_path, "night", stream.getvalue(), max_pixels=1e6)
    small = np.asarray(Image.open(io.BytesIO(small_picture(tmp_path, "night", name))))
    np.testing.assert_allclose(small, expected, atol=2)
