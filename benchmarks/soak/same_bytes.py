"""Same inputs, same bytes: features, weights, predictions, figures and the ONNX file, three times over.

The runs differ in everything that must not matter: where the pictures lie, in which order the disk tells them, Python's
hash seed, and whether their features are kept, partly kept or not. A fourth run has one thread instead of two. Every
way of training takes part but those under a clock (`--time`, strategies auto and best), which do what the time allows.
The engine is named: which is quickest is a measurement, made once on a machine, and kept with the bfloat16 gain.

python -m benchmarks.soak.same_bytes
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.record import record
from handful.testing.pictures import draw_folder, draw_picture

WAYS: dict[str, dict[str, Any]] = {
    "probe": {},
    "probe of views": {"views": "crops", "head": "logistic", "folds": 3},
    "new layers": {"head": "20-C", "epochs": 4},
    "upper layers": {"strategy": "freeze", "freeze": "7", "epochs": 2},
}
SETTING = {"backbone": "efficientnet-lite0", "engine": "fused", "threads": 2, "seed": 0}
PER_CLASS, SIDE = 16, 160
LOGIT = 1e-3
"""What one thread more may change in a logit (row RP3); features may not change at all."""


def main() -> None:
    """Compares the runs, and records how many hashes there are of each thing: one, where the promise holds."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        draw_folder(root / "first", per_class=PER_CLASS, size=SIDE)
        found = three_runs(root, SETTING, WAYS)
        counts = n_hashes(found)
        one_thread = run_apart(root / "first", root / "single", {**SETTING, "threads": 1}, WAYS, cache=root / "alone")
        changed = {way: largest_change(root / "run 0", root / "single", way) for way in WAYS}
        same_features = all(one_thread[way]["features"] == found[0][way]["features"] for way in WAYS if is_frozen(way))
        added = more_pictures(root)
    figures = {
        "pictures": 3 * PER_CLASS,
        "runs": len(found),
        "hashes": counts,
        "one thread": {"same features": same_features, "same answers and largest change of a logit": changed},
        "pictures added": added,
    }
    holds = all(count == 1 for each in counts.values() for count in each.values())
    holds &= same_features and added["bits changed in the others"] == 0
    holds &= all(same and change <= LOGIT for same, change in changed.values())
    record("same inputs give the same bytes, and a thread more changes no answer", figures=figures, holds=holds)


def three_runs(
    root: Path, setting: Mapping[str, Any], ways: Mapping[str, Mapping[str, Any]], *, brief: Sequence[str] = ()
) -> list[dict[str, dict[str, str]]]:
    """Returns the hashes of three runs on the pictures in root/first: with nothing kept, all kept, and half of it."""
    for place in ("second", "deep/er"):
        shutil.copytree(root / "first", root / place)
    caches = [root / "cache 0", root / "cache 1", root / "cache 2"]
    found = [run_apart(root / "first", root / "run 0", setting, ways, cache=caches[0], brief=brief)]
    for cache in caches[1:]:
        shutil.copytree(caches[0], cache)
    kept = sorted((caches[2] / "features").rglob("*.safetensors"))
    for path in kept[::2]:
        path.unlink()
    assert 0 < len(kept[::2]) < len(kept)
    for number, place in ((1, "second"), (2, "deep/er")):
        found.append(run_apart(root / place, root / f"run {number}", setting, ways, cache=caches[number], brief=brief))
    return found


def n_hashes(found: list[dict[str, dict[str, str]]]) -> dict[str, dict[str, int]]:
    """Returns, for each way and each thing it makes, how many different ones there are."""
    return {
        way: {thing: len({run[way][thing] for run in found}) for thing in things} for way, things in found[0].items()
    }


def run_apart(
    photos: Path,
    out: Path,
    setting: Mapping[str, Any],
    ways: Mapping[str, Mapping[str, Any]],
    *,
    cache: Path,
    brief: Sequence[str] = (),
) -> dict[str, dict[str, str]]:
    """Returns hashes by way and thing, of a process of its own with a hash seed of its own.

    Args:
        photos: the data set.
        out: a folder for the runs.
        setting: options of all of them.
        ways: options of each.
        cache: what is kept.
        brief: the ways that are exported, where the toy network is used and no figure is drawn.
    """
    order: dict[str, Any] = {"photos": str(photos), "out": str(out), "setting": setting, "ways": ways}
    order |= {"toy": bool(brief), "exported": list(brief or ways)}
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak.same_bytes", json.dumps(order)],
        env=os.environ | {"HANDFUL_CACHE": str(cache), "PYTHONHASHSEED": "random"},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    found: dict[str, dict[str, str]] = json.loads(told.splitlines()[-1])
    return found


def run_here(order: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Trains and exports in every way, and returns what came out by its hashes."""
    import handful
    from handful import export
    from handful.core.files import sha256_bytes, sha256_file
    from handful.report.compared import hashes

    out = Path(order["out"])
    if order["toy"]:
        _install_toy(out)
    found: dict[str, dict[str, str]] = {}
    with shuffled_folders():
        for way, options in order["ways"].items():
            result = handful.train(order["photos"], out / way, **{**order["setting"], **options})
            features = features_of(export.load(out / way), result.run.table, threads=order["setting"]["threads"])
            found[way] = {
                **hashes(out / way),
                "features": sha256_bytes(features.tobytes()),
            }
            if way in order["exported"]:
                handful.export_onnx(out / way, out / f"{way} as onnx", threads=order["setting"]["threads"])
                found[way]["onnx"] = sha256_file(out / f"{way} as onnx" / "model.onnx")
    return found


def features_of(model: Any, table: Any, *, threads: int) -> Any:
    """Returns float32 (N, V, D): the features of all pictures, computed anew; those that are kept are equal."""
    import numpy as np

    from handful.core.progress import Silent
    from handful.features import extract

    (member,) = model.members
    kept, new = (
        extract(
            member.trunk,
            table,
            table.pictures,
            preprocessing=member.preprocessing,
            views=member.views,
            threads=threads,
            progress=Silent(),
            use_cache=use_cache,
        ).values
        for use_cache in (True, False)
    )
    np.testing.assert_array_equal(kept, new)
    return new


def more_pictures(root: Path) -> dict[str, int]:
    """Returns how many bits of other pictures' features a new picture changes, from whatever place in the order."""
    import numpy as np

    from handful import export
    from handful.core.config import ReadingConfig
    from handful.images import read

    model = export.load(root / "run 0" / "probe")
    before = read(root / "first", ReadingConfig())
    for name in ("circle/0000.png", "square/0105.png", "triangle/zzz.png"):
        draw_picture("star", SIDE, np.random.default_rng(len(name))).save(root / "first" / name)
    after = read(root / "first", ReadingConfig())
    rows = {picture.path: row for row, picture in enumerate(after.pictures)}
    old = features_of(model, before, threads=2)
    new = features_of(model, after, threads=2)[[rows[picture.path] for picture in before.pictures]]
    bits = int(np.unpackbits(old.view(np.uint8) ^ new.view(np.uint8)).sum())
    return {"added": len(after.pictures) - len(before.pictures), "bits changed in the others": bits}


def largest_change(first: Path, second: Path, way: str) -> tuple[bool, float]:
    """Returns whether two runs give the same answers, and the largest difference of a logit, the mean taken off."""
    tables = []
    for folder in (first, second):
        with (folder / way / "predictions.csv").open(encoding="utf-8", newline="") as stream:
            tables.append(list(csv.DictReader(stream)))
    change = 0.0
    for rows in zip(*tables, strict=True):
        logits = [[math.log(float(row[name])) for name in row if name.startswith("p_")] for row in rows]
        centred = [[value - sum(each) / len(each) for value in each] for each in logits]
        change = max(change, *(abs(a - b) for a, b in zip(*centred, strict=True)))
    return all(a["predicted"] == b["predicted"] for a, b in zip(*tables, strict=True)), change


def is_frozen(way: str) -> bool:
    """Returns whether the network of a way stays as it was."""
    return "strategy" not in WAYS[way]


@contextmanager
def shuffled_folders() -> Iterator[None]:
    """Makes folders tell what is in them in an order that is another in each process."""
    scandir, draws = os.scandir, random.Random()

    class Shuffled:
        def __init__(self, path: Any = ".") -> None:
            with scandir(path) as found:
                entries = list(found)
            draws.shuffle(entries)
            self.entries = iter(entries)

        def __iter__(self) -> Iterator[Any]:
            return self.entries

        def __next__(self) -> Any:
            return next(self.entries)

        def __enter__(self) -> Shuffled:
            return self

        def __exit__(self, *_: object) -> None: ...

        def close(self) -> None: ...

    replaced: Callable[..., Any] = Shuffled
    os.scandir = replaced
    try:
        yield
    finally:
        os.scandir = scandir


def _install_toy(folder: Path) -> None:
    """Installs the toy network, and leaves out all drawing, for as long as the process lives."""
    from handful.report import run_folder
    from handful.testing.backbone import install_toy_backbone

    class Lasting:
        def setattr(self, target: object, name: str, value: object) -> None:
            setattr(target, name, value)

        def syspath_prepend(self, path: str) -> None:
            sys.path.insert(0, path)

    install_toy_backbone(Lasting(), folder / "packages")
    for name, made in (("figures", {}), ("reliance_figures", {}), ("render_page", "")):
        setattr(run_folder, name, lambda *_, made=made, **__: made)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(run_here(json.loads(sys.argv[1]))))
    else:
        main()
