"""Similarity to ImageNet tells photographs from solar cells, line art and noise, from 24 pictures on.

Also prints the landmarks that `handful.transfer.similarity` holds, and how the divergence varies between draws.

python -m benchmarks.similarity DATA    (a folder with imagenet-one-per-class.zip, dog-cat.zip, cifar10-jpeg-sample.zip)
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from benchmarks.record import record
from handful.cli.demo import solar_cells
from handful.core.config import ReadingConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.images import read
from handful.transfer.similarity import BORDER, LANDMARKS, Moments, divergence, observe

DRAWS, SIZES = 10, (24, 48, 96, 192)
MARGIN = 1.4
"""How far, as a factor, the mean divergence of each set below has to stay from the border."""

SIMILAR = ("ImageNet photographs", "cats and dogs", "CIFAR-10, five classes")
DIFFERENT = ("solar cells", "drawn line art", "noise")
FIVE = {"airplane", "automobile", "bird", "cat", "deer"}

Pictures = list[Image.Image]


def zipped(path: Path, n: int, rng: np.random.Generator, *, wanted: Callable[[str], bool] = bool) -> Pictures:
    """Returns some pictures of an archive."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg") and wanted(name))
        return [Image.open(io.BytesIO(archive.read(names[i]))) for i in rng.permutation(len(names))[:n]]


def patches(name: str, side: int, n: int, rng: np.random.Generator) -> Pictures:
    """Returns squares from one of scikit-image's pictures."""
    whole = Image.open(Path(skimage.data.__file__).parent / name)
    corners = rng.integers(0, np.array(whole.size) - side + 1, (n, 2))
    return [whole.crop((x, y, x + side, y + side)) for x, y in corners.tolist()]


def line_art(n: int, rng: np.random.Generator) -> Pictures:
    """Returns black lines, ellipses and rectangles on white."""
    pictures = []
    for _ in range(n):
        image = Image.new("RGB", (200, 200), "white")
        draw = ImageDraw.Draw(image)
        for _ in range(rng.integers(3, 9)):
            (left, right), (top, bottom) = np.sort(rng.integers(0, 200, (2, 2)), axis=1).tolist()
            kind, width = rng.integers(0, 3), int(rng.integers(1, 5))
            if kind == 0:
                draw.line([left, top, right, bottom], fill="black", width=width)
            else:
                shape = draw.ellipse if kind == 1 else draw.rectangle
                shape([left, top, right + 1, bottom + 1], outline="black", width=width)
        pictures.append(image)
    return pictures


def sets(data: Path, rng: np.random.Generator) -> dict[str, Pictures]:
    """Returns the landmarks' pictures by name."""
    cells = [path for path, _ in solar_cells()]
    faces = np.load(Path(skimage.data.__file__).parent / "lfw_subset.npy")[:100]
    return {
        "ImageNet photographs": zipped(data / "imagenet-one-per-class.zip", 400, rng),
        "cats and dogs": zipped(data / "dog-cat.zip", 400, rng),
        "CIFAR-10, five classes": zipped(
            data / "cifar10-jpeg-sample.zip", 400, rng, wanted=lambda name: name.split("/")[-2] in FIVE
        ),
        "small grey faces": [Image.fromarray((255 * face).astype(np.uint8)) for face in faces],
        "stained tissue": patches("ihc.png", 160, 96, rng),
        "drawn line art": line_art(200, rng),
        "solar cells": [Image.open(cells[i]) for i in rng.permutation(len(cells))[:400]],
        "brick, grass and gravel": [
            patch for name in ("brick.png", "grass.png", "gravel.png") for patch in patches(name, 224, 64, rng)
        ],
        "deep sky": patches("hubble_deep_field.jpg", 224, 96, rng),
        "handwritten digits": [Image.fromarray((15 * digit).astype(np.uint8)) for digit in load_digits().images[:200]],
        "printed text": patches("page.png", 160, 96, rng),
        "noise": [Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)) for _ in range(96)],
    }


def moments(pictures: Pictures) -> list[Moments]:
    """Returns what the judging network does on pictures, read as a user's would be."""
    with tempfile.TemporaryDirectory() as folder:
        for index, picture in enumerate(pictures):
            path = Path(folder) / "ab"[index % 2] / f"{index:04d}.png"
            path.parent.mkdir(exist_ok=True)
            picture.convert("RGB").save(path)
        threads = count_threads(None)
        table = read(Path(folder), ReadingConfig(), threads=threads)
        return observe(table, table.pictures, threads=threads, progress=Silent())


def draws(layers: list[Moments], n: int, rng: np.random.Generator) -> list[float]:
    """Returns the divergences of random draws of n pictures."""
    rows = [rng.permutation(len(layers[0].mean))[:n] for _ in range(DRAWS)]
    return [
        divergence([replace(layer, mean=layer.mean[row], variance=layer.variance[row]) for layer in layers])
        for row in rows
    ]


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    figures: dict[str, dict[str, list[float]]] = {}
    holds = True
    for name, pictures in sets(Path(sys.argv[1]), rng).items():
        layers = moments(pictures)
        found = {n: draws(layers, n, rng) for n in SIZES if n <= len(pictures)}
        figures[name] = {
            str(n): [round(float(f), 4) for f in (np.mean(d), np.std(d, ddof=1))] for n, d in found.items()
        }
        average = figures[name]["96"][0]
        every = [one for values in found.values() for one in values]
        holds &= name not in SIMILAR or (max(every) < BORDER and average * MARGIN < BORDER)
        holds &= name not in DIFFERENT or (min(every) > BORDER and average > BORDER * MARGIN)
        print(f"{name:24} {figures[name]}")
    kept = {landmark.name: landmark.divergence for landmark in LANDMARKS}
    holds &= all(abs(kept[name] - figures[name]["96"][0]) < 0.1 * kept[name] + 0.005 for name in kept)
    record(
        "similarity to ImageNet tells photographs from solar cells, line art and noise, from 24 pictures on",
        figures={"divergence: mean and standard deviation of draws, by the number of pictures": figures},
        holds=bool(holds),
    )
