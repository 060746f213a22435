import pytest

from handful.export.eight_bits import EightBits


def eight_bits(n_images, n_lost, n_gained):
    return EightBits(n_images, 0.9, (0.8, 0.95), 0.9, n_lost, n_gained, 1.0, 0.1)


def test_the_gain_is_of_pairs():
    gain, low, high = eight_bits(100, n_lost=10, n_gained=4).gain
    assert gain == pytest.approx(-0.06)
    # Agresti and Min 2005: 10.5 and 4.5 of 102, difference -6 / 102, variance (15 / 102 - (6 / 102)^2) / 102
    half = 1.959964 * ((15 / 102 - (6 / 102) ** 2) / 102) ** 0.5
    assert (low, high) == (pytest.approx(-6 / 102 - half), pytest.approx(-6 / 102 + half))


def test_files_that_agree_on_a_few_pictures_are_not_called_equal():
    gain, low, high = eight_bits(40, n_lost=0, n_gained=0).gain
    assert (gain, low, high) == (0.0, pytest.approx(-high), pytest.approx(0.0467, abs=1e-3))
