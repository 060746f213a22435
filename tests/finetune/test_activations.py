import numpy as np
import pytest
import torch

from handful.finetune.activations import Activations
from handful.finetune.freeze import split_network
from tests.finetune.conftest import activations_at


def test_activations_are_those_of_the_lower_groups(network, shown):
    cut = split_network(network, 2)
    found = activations_at(cut.lower, shown, n_views=2)
    assert found.values.shape == (30, 2, 8, 8, 12)
    square = next(shown.squares([(17, 1)]))
    with torch.no_grad():
        values = (torch.from_numpy(square.astype(np.float32)) - 127.0) / 128.0
        values = values.permute(2, 0, 1)[None]
        for _, group in network.groups()[:2]:
            values = group(values)
    batch = found.batch(np.array([17]), np.array([1]))
    torch.testing.assert_close(batch, values, rtol=1e-4, atol=1e-5)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_behind_the_pooling_only_the_features_are_kept(network, shown):
    assert activations_at(split_network(network, 3).lower, shown, n_views=1).values.shape == (30, 1, 16)


def test_bfloat16_moves_the_activations_a_little_and_gives_them_in_float32(network, shown):
    lower = split_network(network, 3).lower
    exact, rough = (
        activations_at(lower, shown, n_views=1, precision=precision).values for precision in ("float32", "bfloat16")
    )
    assert rough.dtype == np.float32
    assert 0.0 < np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize("shape", [(6, 2, 5), (6, 2, 3, 3, 5)])
def test_half_precision_is_handed_on_in_single(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float16)
    batch = Activations(values).batch(np.array([4, 1]), np.array([1, 0]))
    assert batch.dtype == torch.float32
    expected = values[[4, 1], [1, 0]].astype(np.float32)
    np.testing.assert_array_equal(batch.permute(0, 2, 3, 1) if batch.ndim == 4 else batch, expected)
