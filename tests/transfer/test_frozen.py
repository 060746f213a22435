"""Activations below the layers that are trained, at any cut, from the cache."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from handful.backbones import load, locate
from handful.core.config import ReadingConfig, TrainConfig
from handful.core.errors import TrainingError
from handful.core.progress import Silent
from handful.features import Preprocessing
from handful.finetune.freeze import split_network
from handful.finetune.pictures import Shown
from handful.images import read
from handful.transfer.frozen import frozen_activations, frozen_trunk
from tests.finetune.conftest import activations_at


class Listener(Silent):
    def __init__(self):
        self.said, self.computed = [], 0

    def say(self, message):
        self.said.append(message)

    def stage(self, label, total):
        from contextlib import nullcontext

        def advance(n_done, note=""):
            self.computed += n_done

        return nullcontext(advance)


@pytest.fixture
def trunk(toy):
    return frozen_trunk((toy, locate(toy)), TrainConfig(), threads=1, progress=Silent())


@pytest.fixture
def shown(toy, photos):
    table = read(photos, ReadingConfig(), threads=1)
    preprocessing = Preprocessing(toy.input_size, "crop", "bilinear", toy.mean, toy.std)
    return Shown(table, table.pictures[:10], preprocessing, "ksh", seed=0, threads=1)


@pytest.mark.parametrize("n_frozen", [1, 2])
def test_places_at_a_cut_are_those_of_the_layers_to_half_precision(toy, trunk, shown, n_frozen):
    network = load(toy, locate(toy))
    expected = activations_at(split_network(network, n_frozen).lower, shown, n_views=2).values
    group = toy.groups[n_frozen - 1]
    found = frozen_activations(trunk, shown, n_views=2, progress=Silent(), group=group).values
    assert (found.shape, found.dtype) == (expected.shape, np.float16)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    batch = frozen_activations(trunk, shown, n_views=2, progress=Silent(), group=group).batch(
        np.array([3]), np.array([1])
    )
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_with_all_layers_frozen_they_are_the_features(toy, trunk, shown):
    network = load(toy, locate(toy))
    expected = activations_at(split_network(network, 3).lower, shown, n_views=3).values
    found = frozen_activations(trunk, shown, n_views=3, progress=Silent()).values
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_another_training_at_the_same_cut_computes_nothing(trunk, shown):
    first, second, third = Listener(), Listener(), Listener()
    one = frozen_activations(trunk, shown, n_views=2, progress=first, group="stage1")
    other = frozen_activations(trunk, shown, n_views=2, progress=second, group="stage1")
    more = frozen_activations(trunk, shown, n_views=3, progress=third, group="stage1")
    assert (first.computed, second.computed, third.computed) == (20, 0, 10)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.values, more.values[:, :2])


def test_the_size_is_said_before_work_starts_and_large_ones_lie_in_a_file(trunk, shown, monkeypatch, tmp_path):
    listener = Listener()
    in_memory = frozen_activations(trunk, shown, n_views=1, progress=listener, group="stem", use_cache=False)
    monkeypatch.setattr(sys.modules["handful.features.shelf"], "MEMORY_LIMIT", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    in_file = frozen_activations(trunk, shown, n_views=1, progress=listener, group="stem", use_cache=False)
    assert isinstance(in_file.values, np.memmap)
    np.testing.assert_array_equal(in_file.values, in_memory.values)
    assert listener.said[0] == "Activations at stem of 10 pictures, 1 views each: 0 MiB, in memory."
    assert listener.said[1].endswith(f"in a temporary file in {tmp_path}.")
    del in_file
    assert not list(tmp_path.iterdir())


def test_activations_that_half_precision_cannot_hold_are_an_error(trunk, shown):
    enlarged = replace(shown.preprocessing, std=(1e-6, 1e-6, 1e-6))
    with pytest.raises(TrainingError, match="float16 holds at most"):
        frozen_activations(
            trunk, replace(shown, preprocessing=enlarged), n_views=1, progress=Silent(), group="stem", use_cache=False
        )
