"""Data sets that are very large, very small, very unequal, or mean nothing: read, trained, and told for what they are.

1. 10 000 classes of two pictures are read; with one picture less they are refused within two seconds of the processor.
2. Labels drawn at random, and written into the names of the files, 20 times: the cross-validated accuracy is chance.
3. Two to ten classes of two to five pictures: trained, with an interval, and a warning under ten test pictures.
4. Two pictures of one class and 2 000 of the other: one of the rare ones on each side, and both accuracies told.

The toy network, whose features are drawn, stands for a real one.

python -m benchmarks.soak.data_sets
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from PIL import Image

import handful
from benchmarks.record import record
from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.core.records import Run
from handful.images import read
from handful.report.remarks import FEW_PICTURES, remarks
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder

N_CLASSES = 10_000
N_DRAWS, N_PICTURES, SIGMAS = 20, 60, 3.0
FEW_CLASSES, FEW_PER_CLASS = (2, 3, 5, 10), (2, 3, 4, 5)
N_RARE, N_USUAL = 2, 2_000


def many_classes(root: Path) -> dict[str, Any]:
    """Returns what was read of very many classes, and how long their refusal takes."""
    for name, n_pictures in (("all.zip", 2 * N_CLASSES), ("less.zip", 2 * N_CLASSES - 1)):
        with zipfile.ZipFile(root / name, "w") as archive:
            for number in range(n_pictures):
                stream = io.BytesIO()
                Image.new("RGB", (4, 4), (number % 256, number // 256, 7)).save(stream, "PNG")
                archive.writestr(f"class{number // 2:05d}/{number}.png", stream.getvalue())
    table = read(root / "all.zip", ReadingConfig(), threads=2)
    start, refused = process_time(), ""
    try:
        read(root / "less.zip", ReadingConfig())
    except DataError as error:
        refused = str(error)
    return {
        "classes": len(table.classes),
        "pictures": len(table.pictures),
        "refused": "has 1 image" in refused,
        "seconds to refuse": round(process_time() - start, 2),
    }


def trained(data: Path, out: Path, **options: Any) -> Run:
    """Returns a run on the toy network."""
    chosen = {"backbone": "toy", "interpolation": "bilinear", "views": "plain", "head": "ridge", **options}
    return handful.train(data, out, **chosen).run


def chance(root: Path) -> dict[str, Any]:
    """Returns right answers of cross-validation where labels mean nothing."""
    n_right = n_answered = 0
    for seed in range(N_DRAWS):
        folder = draw_folder(root / str(seed), classes=("circle",), per_class=N_PICTURES, size=32, seed=seed) / "circle"
        labels = np.random.default_rng(seed).permutation(np.arange(N_PICTURES) % 2)
        rows = ["path,label"]
        for index, label in enumerate(labels):
            name = f"{index:03d}-class{label}.png"
            (folder / f"{index:03d}.png").rename(folder / name)
            rows.append(f"{folder.relative_to(root)}/{name},class{label}")
        (root / f"{seed}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        run = trained(root / f"{seed}.csv", root / f"run-{seed}", folds=5, seed=seed)
        assert run.trust is not None
        assert run.trust.cross is not None
        for fold in run.trust.cross.folds:
            n_right += round(fold.accuracy * fold.n_test)
            n_answered += fold.n_test
    sigmas = (n_right / n_answered - 0.5) / (0.25 / n_answered) ** 0.5
    return {"right": n_right, "answered": n_answered, "sigmas from chance": round(sigmas, 2)}


def few(root: Path) -> dict[str, Any]:
    """Returns what is wrong with the figures of very small data sets."""
    wrong = []
    sizes = list(product(FEW_CLASSES, FEW_PER_CLASS))
    for n_classes, per_class in sizes:
        name = f"{n_classes}x{per_class}"
        draw_folder(root / name, classes=[f"class{n}" for n in range(n_classes)], per_class=per_class, size=32)
        run = trained(root / name, root / f"run-{name}")
        low, high = run.evaluation.accuracy_interval
        warned = any(each.about == "few" and each.level == "warning" for each in remarks(run))
        if not 0 <= low <= run.evaluation.accuracy <= high <= 1 or high - low < 0.05:
            wrong.append(f"{name}: interval {low} to {high}")
        if warned != (run.evaluation.n_test < FEW_PICTURES):
            wrong.append(f"{name}: {run.evaluation.n_test} test pictures, warned: {warned}")
    return {"data sets": len(sizes), "wrong": wrong}


def unequal(root: Path) -> dict[str, Any]:
    """Returns how one picture in a thousand is split and measured."""
    draw_folder(root, classes=("star",), per_class=N_RARE, size=32)
    draw_folder(root, classes=("circle",), per_class=N_USUAL, size=32)
    run = trained(root, root.parent / "run-unequal")
    labels = run.table.labels
    rare = run.table.classes.index("star")
    told = handful.report.summary(run)
    return {
        "rare to train": int((labels[run.split.train] == rare).sum()),
        "rare to test": int((labels[run.split.test] == rare).sum()),
        "accuracy": round(run.evaluation.accuracy, 4),
        "balanced accuracy": round(run.evaluation.balanced_accuracy, 4),
        "both told": "Balanced accuracy" in told and any("not equally frequent" in each.text for each in remarks(run)),
    }


def main() -> None:
    """Runs all four and writes them down."""
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        root = Path(place)
        patch.setenv("HANDFUL_CACHE", str(root / "cache"))
        patch.setattr("handful.api.training.write_run", lambda *_, **__: None)  # the pages are others' to test
        install_toy_backbone(patch, root)
        figures = {}
        for name, measure in (("many", many_classes), ("chance", chance), ("few", few), ("unequal", unequal)):
            (root / name).mkdir()
            figures[name] = measure(root / name)
            print(name, figures[name], flush=True)
    many, random, small, skewed = figures.values()
    record(
        "data sets that are very large, very small, very unequal or mean nothing are told for what they are",
        figures=figures,
        holds=many["classes"] == N_CLASSES
        and many["refused"]
        and many["seconds to refuse"] <= 2
        and abs(random["sigmas from chance"]) <= SIGMAS
        and not small["wrong"]
        and (skewed["rare to train"], skewed["rare to test"], skewed["both told"]) == (1, 1, True),
    )


if __name__ == "__main__":
    main()
