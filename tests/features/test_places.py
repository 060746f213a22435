"""Maps of places, against the network's own numbers and against automatic differentiation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from handful.backbones import find, locate
from handful.core.config import ReadingConfig
from handful.core.progress import Silent
from handful.features import Preprocessing, extract, place_maps, prepare, seen_part, trunk_from_weights
from handful.images import pixels, read
from handful.testing.backbone import random_network


@pytest.fixture
def table(photos):
    return read(photos, ReadingConfig(), threads=1)


def trunk_of(toy, tap=0):
    spec = dataclasses.replace(toy, taps=(toy.taps[tap],))
    return trunk_from_weights(spec, locate(toy), threads=1, progress=Silent())


def shown(spec, size=None):
    return Preprocessing(size or spec.input_size, "crop", "bilinear", spec.mean, spec.std)


def features(trunk, table, pictures, preprocessing):
    return extract(
        trunk,
        table,
        pictures,
        preprocessing=preprocessing,
        views=("plain",),
        threads=1,
        progress=Silent(),
        use_cache=False,
    ).values[:, 0]


def maps(trunk, table, pictures, gradients, preprocessing, **options):
    return place_maps(
        trunk, table, pictures, gradients, preprocessing=preprocessing, threads=1, progress=Silent(), **options
    )


@pytest.mark.parametrize("tap", [0, 2], ids=["average", "flatten"])
def test_a_map_sums_to_the_score_less_the_bias(toy, table, tap):
    trunk, pictures = trunk_of(toy, tap), table.pictures[:11]
    weights = np.random.default_rng(0).normal(size=(11, trunk.tap.n_features))
    found = maps(trunk, table, pictures, weights, shown(toy))
    assert (found.shape, found.dtype) == ((11, 4, 4), np.float32)
    scores = (features(trunk, table, pictures, shown(toy)) * weights).sum(axis=1)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), scores, rtol=1e-4, atol=1e-4)


def test_a_map_of_several_taps_sums_to_the_share_of_the_highest_group(toy, table):
    trunk, pictures = trunk_of(toy, 3), table.pictures[:5]
    weights = np.random.default_rng(0).normal(size=(5, 28))
    rows = features(trunk, table, pictures, shown(toy))
    found = maps(trunk, table, pictures, weights, shown(toy))
    np.testing.assert_allclose(found.sum(axis=(1, 2)), (rows * weights)[:, 12:].sum(axis=1), rtol=1e-4, atol=1e-5)


def squares_of(table, pictures, preprocessing):
    made = [prepare(pixels(table, each, shortest=preprocessing.size), preprocessing) for each in pictures]
    x = torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).float()
    return (x - torch.tensor(preprocessing.mean).view(1, 3, 1, 1)) / torch.tensor(preprocessing.std).view(1, 3, 1, 1)


def test_with_averages_it_is_the_class_activation_map(toy, table):
    trunk, pictures = trunk_of(toy), table.pictures[:3]
    weights = np.random.default_rng(0).normal(size=(3, 16))
    with torch.no_grad():
        values = squares_of(table, pictures, shown(toy))
        for _, group in trunk.network().groups()[:3]:
            values = group(values)
    expected = np.einsum("nc,nchw->nhw", weights, values.numpy()) / 16
    np.testing.assert_allclose(maps(trunk, table, pictures, weights, shown(toy)), expected, rtol=1e-4, atol=1e-5)


def test_below_layers_without_places_it_is_gradient_times_activation(toy, table):
    # AlexNet's second fully connected layer: the last places are those of conv5, two layers below the tap.
    spec = find("alexnet:fc7")
    network = random_network(spec)
    trunk = dataclasses.replace(
        trunk_from_weights(toy, locate(toy), threads=1, progress=Silent()),
        spec=spec,
        tap=spec.default_tap,
        weights_sha256="drawn",
        network=lambda: network,
    )
    pictures, preprocessing = table.pictures[:2], shown(spec, 67)
    weights = np.random.default_rng(0).normal(size=(2, 4096)).astype(np.float32)
    groups = dict(network.groups())
    with torch.no_grad():
        values = squares_of(table, pictures, preprocessing)
        for name in ("conv1", "conv2", "conv3", "conv4", "conv5"):
            values = groups[name](values)
    values = values.clone().requires_grad_()
    score = (groups["fc7"](groups["fc6"](values)) * torch.from_numpy(weights)).sum()
    score.backward()
    expected = (values.grad * values).sum(dim=1).detach().numpy()
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(
        maps(trunk, table, pictures, weights, preprocessing), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max()
    )


def test_known_maps_do_not_open_the_network(toy, table):
    def closed():
        raise AssertionError("the network was opened")

    trunk, pictures = trunk_of(toy), table.pictures[:3]
    weights = np.random.default_rng(0).normal(size=(3, 16))
    first = maps(trunk, table, pictures, weights, shown(toy))
    again = maps(dataclasses.replace(trunk, network=closed), table, pictures, weights, shown(toy))
    np.testing.assert_array_equal(first, again)
    with pytest.raises(AssertionError, match="opened"):
        maps(dataclasses.replace(trunk, network=closed), table, pictures, -weights, shown(toy))


@pytest.mark.parametrize(
    ("size", "fit", "expected"),
    [
        ((400, 200), "crop", (0.25, 0.0, 0.75, 1.0)),
        ((200, 400), "crop", (0.0, 0.25, 1.0, 0.75)),
        ((400, 200), "squash", (0.0, 0.0, 1.0, 1.0)),
        ((400, 200), "pad", (0.0, -0.5, 1.0, 1.5)),
    ],
)
def test_the_square_lies_where_it_was_cut(size, fit, expected):
    preprocessing = Preprocessing(32, fit, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert seen_part(*size, preprocessing) == expected
