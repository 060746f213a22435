"""All that handful finds out about 2 000 pictures beside the network's features: 30 s or less, the report included.

Copies, ranking of the networks, cross-validation (5 folds, 3 times), rules, forecasts, doubtful labels, maps of where
the model looks, next steps, model card and page. The features are in the cache from a run before; what reading and the
search for copies remember is removed. Solar cells look alike, which makes the search for copies long.

python -m benchmarks.everything [CIFAR10]    (solar cells; and an archive with train/<class>/, where one is named)
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.record import record
from handful.cli.demo import LabelMap, solar_cells, write_table
from handful.core.files import CACHE_VARIABLE

N_IMAGES, N_RUNS, LIMIT = 2000, 3, 30.0
OPTIONS = ("--backbone", "best", "--folds", "5", "--repeats", "3")


def cells(folder: Path) -> Path:
    """Writes a table of 2 000 solar cells, always the same ones, and returns its path."""
    with write_table(solar_cells(), LabelMap.HALF).open(newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    table = folder / "cells.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *random.Random(0).sample(rows, N_IMAGES)])
    return table


def small_pictures(archive: Path, folder: Path) -> Path:
    """Unpacks the first 200 pictures of each class, and returns their folder."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if "train/" in name and not name.endswith("/"))
        by_class: dict[str, list[str]] = {}
        for name in names:
            by_class.setdefault(Path(name).parent.name, []).append(name)
        for label, own in by_class.items():
            for name in own[: N_IMAGES // len(by_class)]:
                target = folder / "small" / label / Path(name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(opened.read(name))
    return folder / "small"


def train(data: Path, cache: Path) -> tuple[float, dict]:
    """Returns the seconds of one `handful train` in a process of its own, and its JSON."""
    command = [str(Path(sys.executable).with_name("handful")), "train", str(data), "--json", *OPTIONS]
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=place,
            env={**os.environ, CACHE_VARIABLE: str(cache)},
            check=True,
            capture_output=True,
            text=True,
        )
        return time.perf_counter() - start, json.loads(done.stdout)


def main(archive: Path | None) -> None:
    """Measures the data sets and records them."""
    figures: dict[str, object] = {}
    holds = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cache = folder / "cache"
        sets = {"solar cells": cells(folder)}
        if archive:
            sets["CIFAR-10"] = small_pictures(archive, folder)
        for name, data in sets.items():
            train(data, cache)
            seconds = []
            for _ in range(N_RUNS):
                for room in ("reading", "copies"):
                    shutil.rmtree(cache / room)
                spent, result = train(data, cache)
                seconds.append(round(spent, 1))
            holds &= statistics.median(seconds) <= LIMIT
            figures[name] = {
                "seconds": seconds,
                "seconds_of_the_last_run": {stage: round(value, 1) for stage, value in result["seconds"].items()},
                "n_networks": len(result["ranking"]["networks"]),
                "network": result["backbone"],
            }
            print(name, figures[name], flush=True)
    record(
        f"everything about {N_IMAGES} pictures whose features are known: {LIMIT:g} s or less (medians)",
        figures={"options": OPTIONS, **figures},
        holds=holds,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
