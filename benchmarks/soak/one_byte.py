"""One byte changed, cut off or added, in any file that handful keeps, is noticed.

A damaged model, run, exported folder, study or file of weights is told by its path. A damaged file of the caches is
dropped and found out again, with the same numbers.

python -m benchmarks.soak.one_byte
"""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import handful
from benchmarks.record import record
from handful import export
from handful.backbones import locate
from handful.backbones.store import cache_path
from handful.core.config import ReadingConfig
from handful.core.errors import HandfulError
from handful.core.files import write_bytes
from handful.core.progress import Silent
from handful.core.sealed import MANIFEST, changed
from handful.features.engines import choose
from handful.images import read
from handful.study.store import load_plan, load_results
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder
from handful.transfer import examine

EACH = 130
"""Damages of each kind of thing; eight kinds."""

Check = Callable[[Path], bool]
"""Uses a thing whose file is damaged, and returns whether that was noticed."""


def main() -> None:
    """Damages one file after another, and counts what was noticed."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        root = Path(name)
        patch.setenv("HANDFUL_CACHE", str(root / "cache"))
        patch.setattr(choose, "OTHERS", ())
        toy = install_toy_backbone(patch, root / "packages")
        photos = draw_folder(root / "shapes", per_class=16)
        handful.train(photos, root / "run", backbone="toy", threads=1)
        handful.export_onnx(root / "run", root / "exported", threads=1)
        study = root / "study"
        handful.run_study(photos, study, vary=["lr=1e-4,1e-3"], head="C", epochs=2, backbone="toy", threads=1)
        shutil.rmtree(root / "cache")  # what follows looks at what it made itself
        write_bytes(cache_path(toy.weights[0]), locate(toy).path.read_bytes())
        draws, noticed, all_damages = random.Random(0), Counter(), Counter()
        for kind, folder, check in (
            ("model", root / "run" / "model", lambda path: refused(path, lambda: export.load(root / "run"))),
            ("run", root / "run", lambda path: told(path, root / "run")),
            ("exported folder", root / "exported", lambda path: told(path, root / "exported")),
            ("study", study / "trials", lambda path: refused(path, lambda: load_trials(study))),
            ("weights", cache_path(toy.weights[0]).parent, lambda path: locate(toy).path != path),
            ("features", root / "cache" / "features", same(lambda: answers(root / "run", photos))),
            ("reading", root / "cache" / "reading", same(lambda: facts(photos))),
            ("copies", root / "cache" / "copies", same(lambda: facts(photos))),
        ):
            files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "space.json"]
            assert files, kind
            for _ in range(EACH):
                with damaged(files[draws.randrange(len(files))], draws) as path:
                    noticed[kind] += check(path)
                    all_damages[kind] += 1
            print(kind, noticed[kind], "of", all_damages[kind], flush=True)
        n_damages, n_noticed = all_damages.total(), noticed.total()
    record(
        "one byte changed, cut off or added, in any file that handful keeps, is noticed",
        figures={"damages": n_damages, "noticed": n_noticed, "noticed_by_kind": dict(noticed)},
        holds=n_noticed == n_damages >= 1000,
    )


@contextlib.contextmanager
def damaged(path: Path, draws: random.Random) -> Iterator[Path]:
    """Changes a byte of a file, cuts it off or adds to it, at a place that is drawn; afterwards it is whole again."""
    whole = path.read_bytes()
    place = draws.randrange(len(whole))
    ways = (
        whole[:place] + bytes([whole[place] ^ (1 << draws.randrange(8))]) + whole[place + 1 :],
        whole[:place],
        whole + draws.randbytes(1 + draws.randrange(9)),
    )
    path.write_bytes(ways[draws.choice((0, 0, 0, 0, 1, 2))])
    try:
        yield path
    finally:
        path.write_bytes(whole)


def refused(path: Path, use: Callable[[], object]) -> bool:
    """Returns whether a use of a damaged file is refused by its path; of a manifest that of what it vouches for."""
    try:
        use()
    except HandfulError as error:
        return str(path.parent if path.name == MANIFEST else path) in str(error)
    return False


def told(path: Path, folder: Path) -> bool:
    """Returns whether a damaged file of a folder, and only that, is told; with a manifest what it vouches for."""
    try:
        found = changed(folder)
        return len(found) == 1 and path in (*found, found[0].parent / MANIFEST, folder / MANIFEST)
    except HandfulError as error:
        return str(path) in str(error)


def load_trials(study: Path) -> None:
    """Reads all of a study."""
    plan, _, _ = load_plan(study)
    load_results(study, data=plan.data_sha256)


def same(use: Callable[[], bytes]) -> Check:
    """Returns a check that a use drops a damaged file of the caches, or writes it again, and comes to the same."""
    before = use()

    def check(path: Path) -> bool:
        data = path.read_bytes()
        return use() == before and (not path.exists() or path.read_bytes() != data)

    return check


def answers(run: Path, photos: Path) -> bytes:
    """Returns what a model answers for all pictures, by features from the cache."""
    table = read(photos, ReadingConfig(), threads=1)
    found = examine(export.load(run), table, table.pictures, threads=1, progress=Silent(), use_cache=True)
    return found.proba.tobytes()


def facts(photos: Path) -> bytes:
    """Returns what reading finds out about all pictures."""
    return repr(read(photos, ReadingConfig(), threads=1)).encode()


if __name__ == "__main__":
    main()
