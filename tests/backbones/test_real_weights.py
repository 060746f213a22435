"""The pip-delivered weights, on photographs whose class is known: they, the padding and the preprocessing are right."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handful import backbones

pytestmark = pytest.mark.real

ONE_PER_CLASS = Path(__file__).parents[2] / ".." / "shared" / "data" / "imagenet-one-per-class.zip"

TABBY, TIGER_CAT, EGYPTIAN_CAT = 281, 282, 285
ESPRESSO, CUP = 967, 968
MISSILE, PROJECTILE = 657, 744


def as_published(picture, spec):
    """float32 (3, S, S): the shorter side to S / crop_fraction, the central S x S, normalised."""
    size = spec.input_size
    scale = round(size / spec.crop_fraction) / min(picture.size)
    filters = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    resized = picture.resize((round(picture.width * scale), round(picture.height * scale)), filters[spec.interpolation])
    left, top = (resized.width - size) // 2, (resized.height - size) // 2
    pixels = np.asarray(resized.crop((left, top, left + size, top + size)), dtype=np.float32)
    return ((pixels - spec.mean) / spec.std).transpose(2, 0, 1).astype(np.float32)


def top_classes(name, pictures, n_classes):
    import torch

    spec = backbones.find(name)
    network = backbones.for_inference(backbones.load(spec, backbones.locate(spec), with_classifier=True))
    backbones.keep_memory()
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), 32):
            batch = np.stack([as_published(picture, spec) for picture in pictures[start : start + 32]])
            found.append(network(torch.from_numpy(batch)).topk(n_classes).indices.numpy())
    return np.concatenate(found)


@pytest.mark.parametrize("name", ["lite0", "lite1", "lite2"])
def test_photographs_get_their_class(name):
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        pytest.skip("scikit-image, which ships the photographs, is not installed")
    folder = Path(package.origin).parent / "data"
    expected = {
        "chelsea.png": {TABBY, TIGER_CAT, EGYPTIAN_CAT},
        "coffee.png": {ESPRESSO, CUP},
        "rocket.jpg": {MISSILE, PROJECTILE},
    }
    pictures = [Image.open(folder / file).convert("RGB") for file in expected]
    for file, top in zip(expected, top_classes(name, pictures, 2), strict=True):
        assert set(top.tolist()) & expected[file], f"{name} takes {file} for {top}"


def test_lite0_names_one_picture_of_each_imagenet_class():
    """0.838 was measured; 0.77 with symmetric padding, 0.76 without the mean, 0.73 with channels swapped."""
    if not ONE_PER_CLASS.is_file():
        pytest.skip("the sample with one picture of each ImageNet class is not beside this repository")
    with zipfile.ZipFile(ONE_PER_CLASS) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        pictures = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    labels = np.array([int(Path(name).name[:4]) for name in names])
    assert (top_classes("lite0", pictures, 1)[:, 0] == labels).mean() >= 0.83
