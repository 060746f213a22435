"""How a search trains a network: squares and epochs."""

from __future__ import annotations

from handful.backbones import find
from handful.transfer.lpft import n_epochs, squares


def test_few_pictures_are_shown_more_often_and_large_ones_larger():
    assert [n_epochs(n) for n in (20, 400, 1600, 2000, 100_000)] == [40, 40, 10, 8, 5]
    lite0 = find("efficientnet-lite0")
    assert [squares(lite0, side) for side in (32.0, 159.0, 160.0, 4000.0)] == [128, 128, 160, 160]
    assert [squares(lite0, 32.0, lap=lap) for lap in range(4)] == [128, 160, 224, 224]
    assert [squares(lite0, 4000.0, lap=lap) for lap in range(3)] == [160, 224, 224]
