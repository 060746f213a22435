import sys

import numpy as np
import pytest
import torch

from handful.core.progress import Silent
from handful.finetune.activations import activations_at, normalised
from handful.finetune.freeze import split_network


def test_activations_are_those_of_the_lower_groups(network, shown):
    cut = split_network(network, 2)
    found = activations_at(cut.lower, shown, n_views=2, progress=Silent())
    assert found.values.shape == (30, 2, 8, 8, 12)
    assert found.values.dtype == np.float32
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
    assert activations_at(split_network(network, 3).lower, shown, n_views=1, progress=Silent()).values.shape == (
        30,
        1,
        16,
    )


def test_without_frozen_layers_the_pictures_themselves_are_kept_in_a_byte_per_value(network, shown):
    found = activations_at(split_network(network, 0).lower, shown, n_views=1, progress=Silent())
    assert found.values.dtype == np.uint8
    squares = np.stack(list(shown.squares([(3, 0), (9, 0)])))
    batch = found.batch(np.array([3, 9]), np.array([0, 0]))
    assert torch.equal(batch, normalised(squares, shown.preprocessing))


def test_bfloat16_moves_the_activations_a_little_and_keeps_them_in_float32(network, shown):
    lower = split_network(network, 3).lower
    exact, rough = (
        activations_at(lower, shown, n_views=1, progress=Silent(), precision=precision).values
        for precision in ("float32", "bfloat16")
    )
    assert rough.dtype == np.float32
    assert 0.0 < np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()


class Listener(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


def test_large_activations_lie_in_a_temporary_file_and_are_the_same(network, shown, monkeypatch, tmp_path):
    lower, listener = split_network(network, 2).lower, Listener()
    in_memory = activations_at(lower, shown, n_views=1, progress=listener)
    monkeypatch.setattr(sys.modules["handful.finetune.activations"], "MEMORY_LIMIT", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    in_file = activations_at(lower, shown, n_views=1, progress=listener)
    assert isinstance(in_file.values, np.memmap)
    np.testing.assert_array_equal(in_file.values, in_memory.values)
    assert listener.said[0].endswith("30 pictures, 1 views each: 0 MiB in memory.")
    assert listener.said[1].endswith("in a temporary file.")
    del in_file
    assert not list(tmp_path.iterdir())


def test_no_pictures_have_no_activations(network, shown):
    from dataclasses import replace

    with pytest.raises(ValueError, match="no pictures"):
        activations_at(split_network(network, 2).lower, replace(shown, pictures=()), n_views=1, progress=Silent())
