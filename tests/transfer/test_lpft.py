"""How a search trains a network: squares, epochs, and whether pictures have an up."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from handful.backbones import find
from handful.core.config import TrainConfig
from handful.core.progress import Silent
from handful.images import read
from handful.split import split
from handful.transfer import locate_weights
from handful.transfer.frozen import frozen_trunk
from handful.transfer.lpft import choose_augmentation, n_epochs, squares
from handful.transfer.plan import plan_features


def test_few_pictures_are_shown_more_often_and_large_ones_larger():
    assert [n_epochs(n) for n in (20, 400, 1600, 2000, 100_000)] == [40, 40, 10, 8, 5]
    lite0 = find("efficientnet-lite0")
    assert [squares(lite0, side) for side in (32.0, 159.0, 160.0, 4000.0)] == [128, 128, 160, 160]
    assert [squares(lite0, 32.0, lap=lap) for lap in range(4)] == [128, 160, 224, 224]
    assert [squares(lite0, 4000.0, lap=lap) for lap in range(3)] == [160, 224, 224]


def draw(folder, *, has_up, per_class):
    """Two classes: a dark picture whose upper, or left, half is bright, and one whose other half is."""
    rng = np.random.default_rng(0)
    for name, first in (("one", True), ("other", False)):
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            values = rng.integers(0, 60, (32, 32, 3))
            half = slice(0, 16) if first else slice(16, 32)
            values[(half, slice(None)) if has_up else (slice(None), half)] += 150
            Image.fromarray(values.astype(np.uint8)).save(folder / name / f"{number}.png")


@pytest.mark.parametrize(
    ("has_up", "per_class", "wanted"), [(True, 80, "ksh"), (False, 80, "flips"), (False, 20, "ksh")]
)
def test_pictures_are_turned_upside_down_only_where_that_is_shown_to_be_harmless(
    toy, tmp_path, has_up, per_class, wanted
):
    draw(tmp_path / "data", has_up=has_up, per_class=per_class)
    config = TrainConfig.of({"backbone": "toy", "interpolation": "bilinear"})
    table = read(tmp_path / "data", config.reading, threads=1, progress=Silent())
    parts = split(table, config.split, seed=0)
    (backbone,) = locate_weights(config)
    pictures = [table.pictures[index] for index in parts.train]
    preprocessing = plan_features(config.features, backbone[0], pictures, held_out_loss=None).preprocessing
    trunk = frozen_trunk(backbone, config, threads=1, progress=Silent())
    found = choose_augmentation(trunk, preprocessing, table=table, split=parts, seed=0, threads=1, progress=Silent())
    assert found.value == wanted
    if per_class == 20:
        assert found.reason == f"{len(parts.train)} training pictures cannot show that they have no up"
    else:
        assert f"of {len(parts.train) // 2} training pictures upside down" in found.reason
