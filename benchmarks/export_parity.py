"""An exported ONNX file answers as the model: 2 000 pictures of mixed sizes, modes, formats and orientations.

python -m benchmarks.export_parity [PICTURES [N]]

PICTURES is a folder or archive of class folders; shapes are drawn without it. Three models are trained on 120 pictures
of each class: a new output layer on EfficientNet-Lite0, the average of such on Lite0 and Lite1 (two picture sizes), and
Lite0 with its upper layers trained. The N pictures are made from those of PICTURES. Claim: no probability differs by
more than 1e-4 between the model and the file.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import handful
from benchmarks.record import record
from handful.core.config import ReadingConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.export import load, open_exported
from handful.export.golden import LARGEST_DIFFERENCE, compare, encoded
from handful.export.onnx_file import to_onnx
from handful.images import pixels, read
from handful.testing.pictures import draw_folder

N_PICTURES = 2000
SIDES = 16, 1400
"""Least and largest side in pixels; the logarithm of each side is drawn evenly between them."""

KINDS = (
    ("RGB", "JPEG"),
    ("RGB", "JPEG"),
    ("RGB", "JPEG"),
    ("L", "JPEG"),
    ("CMYK", "JPEG"),
    ("RGB", "PNG"),
    ("RGBA", "PNG"),
    ("LA", "PNG"),
    ("I;16", "PNG"),
    ("P", "GIF"),
    ("1", "BMP"),
    ("RGBA", "WEBP"),
    ("RGB", "TIFF"),
)
TURNED = ("JPEG", "TIFF", "PNG", "WEBP")
WAYS = {
    "Lite0, new output layer": {},
    "Lite0 and Lite1, averaged": {"backbone": "lite0+lite1"},
    "Lite0, upper layers trained": {"strategy": "freeze", "freeze": "7", "epochs": 2},
}


def make_pictures(photos: Path, folder: Path, n: int) -> None:
    """Writes n picture files made from the pictures of a data set."""
    table = read(photos, ReadingConfig(), threads=count_threads(None), progress=Silent())
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(n):
        mode, kind = KINDS[number % len(KINDS)]
        width, height = np.exp(rng.uniform(*np.log(SIDES), 2)).astype(int).tolist()
        source = pixels(table, table.pictures[int(rng.integers(len(table.pictures)))])
        picture = in_mode(Image.fromarray(source).resize((width, height), Image.Resampling.BICUBIC), mode)
        orientation = int(rng.integers(1, 9)) if kind in TURNED else 1
        (folder / f"{number:04d}.{kind.lower()}").write_bytes(encoded(picture, kind, orientation=orientation))


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """Returns an RGB picture in another mode; where that can be seen through, its lightness says how far."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        through = picture.convert("RGBA")
        through.putalpha(picture.convert("L"))
        return through.convert(mode)
    return picture.convert(mode)


def main() -> None:
    """Trains, exports, compares, and records."""
    named, n = sys.argv[1] if len(sys.argv) > 1 else "", int(sys.argv[2]) if len(sys.argv) > 2 else N_PICTURES
    found = {}
    with tempfile.TemporaryDirectory() as place:
        photos = Path(named) if named else draw_folder(Path(place) / "shapes", per_class=120, size=160)
        make_pictures(photos, Path(place) / "mixed", n)
        for number, (way, options) in enumerate(WAYS.items()):
            run = handful.train(photos, Path(place) / f"run-{number}", per_class=120, **options).folder
            model = load(run)
            start = time.perf_counter()
            data = to_onnx(model)
            seconds = time.perf_counter() - start
            threads = count_threads(None)
            opened = open_exported(data, threads=threads)
            answers = compare(model, opened, Path(place) / "mixed", threads=threads, progress=Silent())
            each = np.abs(answers.bundle - answers.file).max(axis=1)
            found[way] = {
                "n_pictures": len(answers.paths),
                "largest_difference": float(each.max()),
                "median_difference": float(np.median(each)),
                "other_labels": int((answers.bundle.argmax(axis=1) != answers.file.argmax(axis=1)).sum()),
                "file_mb": len(data) / 1e6,
                "seconds_to_export": seconds,
            }
            print(way, found[way], flush=True)
    record(
        f"an exported file's probabilities are the model's to {LARGEST_DIFFERENCE:g} on {n} pictures of mixed sizes, "
        "modes, formats and orientations",
        figures={"pictures": Path(named).name if named else "drawn shapes", "models": found},
        holds=all(
            each["largest_difference"] <= LARGEST_DIFFERENCE and each["n_pictures"] == n for each in found.values()
        ),
    )


if __name__ == "__main__":
    main()
