"""Drawn pictures, the toy network, and the pieces of a small training."""

import numpy as np
import pytest
import torch

from handful.core.config import ReadingConfig
from handful.features import Preprocessing
from handful.finetune.activations import Activations, lower_pass
from handful.finetune.pictures import Shown
from handful.images import read
from handful.testing.backbone import toy_network
from handful.testing.pictures import draw_folder


@pytest.fixture(autouse=True)
def one_thread():
    """Threads cost small tensors more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    return read(draw_folder(tmp_path_factory.mktemp("drawn") / "shapes", per_class=10), ReadingConfig(), threads=1)


@pytest.fixture
def network():
    return toy_network()


@pytest.fixture
def preprocessing(network):
    return Preprocessing(network.spec.input_size, "crop", "bilinear", network.spec.mean, network.spec.std)


@pytest.fixture
def shown(table, preprocessing):
    return Shown(table, table.pictures, preprocessing, "ksh", seed=0, threads=1)


def activations_at(lower, shown, *, n_views, precision="float32"):
    """Returns activations below some layers, in these layers' own precision and without rounding."""
    wanted = [(row, view) for row in range(len(shown.pictures)) for view in range(n_views)]
    squares = np.stack(list(shown.squares(wanted)))
    values = lower_pass(lower, squares, shown.preprocessing, precision=precision)
    return Activations(values.reshape(-1, n_views, *values.shape[1:]))
