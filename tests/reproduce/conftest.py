"""A small reproduction on drawn pictures with the toy network, made once."""

from __future__ import annotations

import pytest
import torch

from handful.reproduce import Request, experiments, reproduce
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder

CLASSES = ("circle", "flower", "hexagon", "square", "star", "triangle")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The pictures are tiny; threads that wait for each other cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    return draw_folder(tmp_path_factory.mktemp("drawn") / "shapes", classes=CLASSES, per_class=12, size=32)


@pytest.fixture(scope="session")
def cells(tmp_path_factory):
    return draw_folder(tmp_path_factory.mktemp("cells") / "cells", classes=("defective", "functional"), per_class=9)


@pytest.fixture
def request_for(shapes, tmp_path, toy):
    """Returns a request that tests change one thing of."""

    def make(**changes):
        given = {
            "data": shapes, "out": tmp_path / "out", "figures": (), "n_seeds": 2, "mode": "features", "classes": (),
            "backbone": "toy", "unlike": None, "threads": 1, "offline": True,
        }  # fmt: skip
        return Request(**{**given, **changes})

    return make


@pytest.fixture(scope="session")
def whole(shapes, cells, tmp_path_factory):
    """Everything once: the reproduction, and its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDFUL_CACHE", str(tmp_path_factory.mktemp("cache")))
        install_toy_backbone(patch, tmp_path_factory.mktemp("packages"))
        patch.setattr(experiments, "OTHER_NETWORK", "toy:stage1")
        out = tmp_path_factory.mktemp("whole") / "out"
        request = Request(
            data=shapes,
            out=out,
            figures=("all",),
            n_seeds=2,
            mode="features",
            classes=(),
            backbone="toy",
            unlike=cells,
            threads=1,
            offline=True,
        )
        return reproduce(request), out
