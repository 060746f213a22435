"""How a network is shown the pictures."""

from __future__ import annotations

import pytest

from handful.core.config import FeaturesConfig
from handful.testing.backbone import toy_spec
from handful.testing.tables import table_of
from handful.transfer.plan import plan_features


@pytest.fixture
def pictures(tmp_path):
    return table_of([0, 1, 0, 1], tmp_path).pictures  # 8 pixels, smaller than the toy's 32


def plan(pictures, *, held_out_loss=None, **options):
    return plan_features(FeaturesConfig(**options), toy_spec(), pictures, held_out_loss=held_out_loss)


def test_pixels_are_shown_as_the_network_knows_them_or_from_0_to_1(pictures):
    shown = plan(pictures).preprocessing
    assert (shown.mean, shown.std) == ((127.0,) * 3, (128.0,) * 3)
    shown = plan(pictures, input="unit").preprocessing
    assert [(value - shown.mean[0]) / shown.std[0] for value in (0, 51, 255)] == [0.0, 0.2, 1.0]
    assert len(set(shown.mean)) == len(set(shown.std)) == 1


def test_the_filter_is_tried_where_it_matters_and_something_can_be_tried(pictures):
    losses = {"bilinear": 0.7, "bicubic": 0.5}
    tried = plan(pictures, held_out_loss=lambda shown: losses[shown.interpolation])
    assert tried.preprocessing.interpolation == "bicubic"
    assert "0.5000, against 0.7000" in tried.options["interpolation"].reason
    untried = plan(pictures, held_out_loss=None)
    assert untried.preprocessing.interpolation == "bilinear"
    assert "nothing could be tried" in untried.options["interpolation"].reason
