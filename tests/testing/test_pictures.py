from pathlib import Path

import numpy as np
from PIL import Image

from handful.testing.pictures import draw_folder, draw_picture


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.png"))}


def test_equal_arguments_draw_equal_files(tmp_path):
    first = files(draw_folder(tmp_path / "a", per_class=3, seed=7))
    second = files(draw_folder(tmp_path / "b", per_class=3, seed=7))
    assert list(first) == [f"{name}/{i:03d}.png" for name in ("circle", "square", "triangle") for i in range(3)]
    assert first == second
    assert first != files(draw_folder(tmp_path / "c", per_class=3, seed=8))


def test_no_two_pictures_are_alike(tmp_path):
    root = draw_folder(tmp_path, classes=("circle", "a/rust", "b/rust"), per_class=8, size=24)
    seen = {np.asarray(Image.open(path)).tobytes() for path in root.rglob("*.png")}
    assert len(seen) == 24


def test_a_picture_has_the_size_asked_for_and_a_shape_on_it():
    image = draw_picture("square", 48, np.random.default_rng(0))
    assert (image.mode, image.size) == ("RGB", (48, 48))
    brightness = np.asarray(image, dtype=float).max(axis=2)
    assert brightness.std() > 30
