"""Similarity to ImageNet: the divergence against closed forms and a sampled one, and the order of kinds of pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from handful import backbones
from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.core.progress import Silent
from handful.images import read
from handful.testing.pictures import draw_folder
from handful.transfer.similarity import BORDER, LANDMARKS, Moments, divergence, measure, neighbours, similarity_of

CIFAR = Path(__file__).parents[2] / ".." / "shared" / "data" / "cifar10-jpeg-sample.zip"


def gaussian_kl(mean, variance, mean0, variance0):
    return 0.5 * (variance / variance0 - 1 - np.log(variance / variance0) + (mean - mean0) ** 2 / variance0)


def layer(mean, variance, *, stored_mean=0.0, stored_variance=1.0):
    mean, variance = np.atleast_2d(mean).astype(float), np.atleast_2d(variance).astype(float)
    n_channels = mean.shape[1]
    return Moments(mean, variance, np.full(n_channels, stored_mean), np.full(n_channels, stored_variance))


def save(folder, pictures):
    for index, picture in enumerate(pictures):
        path = folder / "ab"[index % 2] / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return read(folder, ReadingConfig())


def measured(table, **options):
    return measure(table, table.pictures, **{"seed": 0, "threads": 1, "progress": Silent(), **options})


def test_statistics_as_stored_have_no_divergence():
    assert divergence([layer(np.zeros((5, 3)), np.ones((5, 3)))]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("mean", "variance"), [(0.7, 1.0), (0.0, 3.0), (-1.2, 0.2)])
def test_equal_pictures_give_the_closed_form(mean, variance):
    found = divergence([layer(np.full((4, 2), mean), np.full((4, 2), variance), stored_mean=0.1, stored_variance=2.0)])
    assert found == pytest.approx(gaussian_kl(mean, variance, 0.1, 2.0))


def test_layers_are_averaged_and_the_middle_channel_stands_for_a_layer():
    means = np.tile([0.0, 1.0, 9.0], (3, 1))
    lower, upper = layer(means, np.ones((3, 3))), layer(np.full((3, 1), 2.0), np.ones((3, 1)))
    assert divergence([lower, upper]) == pytest.approx((0.5 + 2.0) / 2)


def test_channels_that_never_fired_on_imagenet_are_left_out():
    alive = layer(np.full((3, 2), 1.0), np.ones((3, 2)))
    with_dead = Moments(
        np.hstack([alive.mean, np.zeros((3, 5))]),
        np.hstack([alive.variance, np.zeros((3, 5))]),
        np.zeros(7),
        np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    )
    assert divergence([with_dead]) == divergence([alive]) == pytest.approx(0.5)


def test_constant_pictures_stay_finite():
    assert np.isfinite(divergence([layer(np.zeros((4, 2)), np.zeros((4, 2)))]))


def test_few_pictures_give_on_average_what_many_give():
    rng = np.random.default_rng(0)
    shift, between, within, n_few = 0.4, 0.09, 0.91, 12
    draws = rng.normal(shift, np.sqrt(between), (4000, n_few, 1))
    few = np.mean([divergence([layer(draw, np.full(draw.shape, within))]) for draw in draws])
    expected = gaussian_kl(shift, within + between, 0.0, 1.0)
    by_chance = 0.5 * between / n_few  # what the mean of so few would add without its correction
    assert abs(few - expected) < 0.4 * by_chance


def test_similarity_falls_as_divergence_grows_and_is_one_half_at_the_border():
    values = [similarity_of(d) for d in (0.0, 0.01, 0.1, BORDER, 1.0, 10.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0
    assert similarity_of(BORDER) == 0.5
    assert 0.0 < values[-1] < 0.02


def test_landmarks_stand_in_order_and_surround_a_divergence():
    distances = [landmark.divergence for landmark in LANDMARKS]
    assert distances == sorted(distances)
    nearer, further = neighbours(0.2)
    assert (nearer.name, further.name) == ("small grey faces", "stained tissue")
    assert neighbours(0.0)[0] is None
    assert neighbours(9.0)[1] is None


def test_line_art_and_noise_are_not_similar(tmp_path):
    rng = np.random.default_rng(0)
    art = []
    for _ in range(8):
        image = Image.new("RGB", (100, 100), "white")
        for _ in range(4):
            (left, right), (top, bottom) = np.sort(rng.integers(0, 100, (2, 2)), axis=1).tolist()
            ImageDraw.Draw(image).rectangle([left, top, right + 1, bottom + 1], outline="black", width=2)
        art.append(image)
    noise = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(8)]
    drawn, drowned = measured(save(tmp_path / "art", art)), measured(save(tmp_path / "noise", noise))
    assert drowned.value < drawn.value < 0.45
    assert drowned.value < 0.2
    assert drawn.interval[0] < drawn.value < drawn.interval[1]


def test_photographs_are_similar(tmp_path):
    spec = importlib.util.find_spec("skimage")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "color.png")
    photographs = [Image.open(folder / name).convert("RGB").resize((256, 256)) for name in names]
    assert measured(save(tmp_path, photographs)).value > 0.6


def test_the_seed_decides_which_pictures_are_measured(tmp_path):
    table = read(draw_folder(tmp_path / "shapes", per_class=3), ReadingConfig())
    first, again, other = (measured(table, seed=seed, n_pictures=4) for seed in (0, 0, 1))
    assert first == again
    assert first.divergence != other.divergence
    assert first.n_pictures == 4


def test_two_pictures_have_a_figure_and_no_spread_and_one_is_refused(tmp_path):
    table = read(draw_folder(tmp_path / "shapes", per_class=2), ReadingConfig())
    pair = measure(table, table.pictures[:2], seed=0, threads=1, progress=Silent())
    assert pair.interval == (0.0, 1.0)
    assert 0.0 < pair.value < 1.0
    with pytest.raises(DataError, match="similarity to ImageNet needs at least 2"):
        measure(table, table.pictures[:1], seed=0, threads=1, progress=Silent())


def test_without_the_judging_network_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    table = read(draw_folder(tmp_path / "shapes", per_class=2), ReadingConfig())
    monkeypatch.setattr(backbones.store, "_places", lambda file: iter(()))
    with pytest.raises(backbones.store.WeightsError, match="efficientnet-lite0 are not on this machine"):
        measured(table)


@pytest.mark.real
def test_five_cifar_classes_are_similar_and_solar_cells_are_not(tmp_path):
    if not CIFAR.exists():
        pytest.skip("the CIFAR-10 sample is not beside the repository")
    from handful.cli.demo import solar_cells

    five = ("airplane", "automobile", "bird", "cat", "deer")
    photographs = read(CIFAR, ReadingConfig(classes=five, per_class=40))
    cells = save(tmp_path, [Image.open(path) for path, _ in solar_cells()[::27]])
    for seed in range(3):
        assert measured(photographs, seed=seed, n_pictures=48).value > 0.55
        assert measured(cells, seed=seed, n_pictures=48).value < 0.4
