"""Predicting into a table takes no more memory for a hundred times as many pictures.

python -m benchmarks.predict_memory [N ...]

One folder holds 2 000, 20 000 and 200 000 pictures of 32 px, hard links to ten drawn ones, each predicted in a process
of its own, by the toy network of the tests, so that it takes minutes. Most of what that process needs is PyTorch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import handful
from benchmarks.engines import peak_memory
from benchmarks.record import record
from handful.backbones import catalog
from handful.testing.backbone import install_toy_backbone, toy_spec
from handful.testing.pictures import draw_folder

NUMBERS, N_DRAWN, SIZE, LIMIT = (2_000, 20_000, 200_000), 10, 32, 1.10


def main(numbers: tuple[int, ...]) -> None:
    """Trains, predicts each number of pictures, records the most memory that each needed."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["HANDFUL_CACHE"] = str(root / "cache")
        (root / "packages").mkdir()
        install_toy_backbone(pytest.MonkeyPatch(), root / "packages")
        handful.train(draw_folder(root / "shapes", per_class=60, size=SIZE), root / "run", backbone="toy")
        drawn = sorted(draw_folder(root / "new", classes=("circle",), per_class=N_DRAWN, size=SIZE).rglob("*.png"))
        found = {}
        for number in numbers:
            folder = root / f"{number}"
            folder.mkdir()
            for place in range(number):
                os.link(drawn[place % N_DRAWN], folder / f"picture-{place:07d}.png")
            command = [sys.executable, "-m", "benchmarks.predict_memory", "--one", str(root / "run"), str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[number] = json.loads(done.stdout)
            print(number, found[number], flush=True)
    peaks = [each["peak_mb"] for each in found.values()]
    record(
        f"predicting {numbers[-1]} pictures needs at most {LIMIT:g} times the memory of predicting {numbers[0]}",
        figures={"ratio": round(peaks[-1] / peaks[0], 3), "by_pictures": found},
        holds=peaks[-1] <= LIMIT * peaks[0] and all(each["rows"] == number for number, each in found.items()),
    )


def one(run: str, folder: str) -> None:
    """Predicts a folder in this process, and prints what that took."""
    catalog.SPECS = (*catalog.SPECS, toy_spec())
    start = time.perf_counter()
    written = handful.load(run).predict_into(f"{folder}.csv", folder)
    seconds, peak = time.perf_counter() - start, peak_memory()
    with Path(f"{folder}.csv").open("rb") as stream:
        n_rows = sum(1 for _ in stream) - 1
    print(json.dumps({"peak_mb": round(peak / 1e6), "seconds": round(seconds, 1), "rows": n_rows}))
    assert n_rows == written.n_pictures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(tuple(map(int, sys.argv[1:])) or NUMBERS)
