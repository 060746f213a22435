"""Ten minutes of files that libFuzzer makes up, led by the code that they run: pickles, weights, models, archives.

Nothing but handful's own errors may come out; no file may take more than a second of the processor, or 2 GiB. It needs
atheris (`pip install atheris`), which is no part of any extra: without it this script says so and ends well.

python -m benchmarks.soak.fuzz_loaders [SECONDS]
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import pickle
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import pytest

SECONDS = 600
SLOW, TIMEOUT, MOST_MIB = 1.0, 300, 2048
"""Seconds of the processor for one file, and of the clock, where a machine does other things too; and memory in all."""

INSTRUMENTED = ["handful.core", "handful.export", "handful.images", "handful.backbones", "handful.features.shards"]
"""Imported by the search alone, which has to see them first."""


def loaders(folder: Path, patch: Any) -> list[tuple[bytes, Callable[[bytes], Any]]]:
    """Returns an honest file of each kind, and what reads it; a file's first byte says which."""
    import numpy as np
    import torch

    from benchmarks.soak._documents import documents
    from handful.core.unpickle import read_numpy_pickle, read_torch_state
    from handful.features.shards import pack, read_header
    from handful.images import open_source
    from handful.testing.pictures import draw_folder

    by_name = {document.name: document for document in documents(folder, patch)}
    model, record_of = by_name["model.json"], by_name["record of a network"]
    place = folder / "file"

    def in_model(name: str) -> tuple[bytes, Callable[[bytes], Any]]:
        path = model.path.with_name(name)
        honest = path.read_bytes()

        def read(data: bytes) -> None:
            model.write(path, data)
            try:
                model.read()
            finally:
                model.write(path, honest)

        return honest, read

    def written(read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
        return lambda data: read(place) if place.write_bytes(data) >= 0 else None

    def listed(path: Path) -> None:
        source = open_source(path)
        for name in list(source.names())[:20]:
            if source.size(name) < 1_000_000:
                source.read(name)

    def described(data: bytes) -> None:
        record_of.write(record_of.path, data)
        record_of.read()

    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(2, 3)}, stream)
    packed = {"zip": io.BytesIO(), "tar": io.BytesIO()}
    drawn = draw_folder(folder / "few", per_class=1, size=8)
    with zipfile.ZipFile(packed["zip"], "w") as as_zip, tarfile.open(fileobj=packed["tar"], mode="w") as as_tar:
        for path in sorted(drawn.rglob("*.png")):
            as_zip.write(path, path.relative_to(drawn))
            as_tar.add(path, path.relative_to(drawn))
    array = pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2]}, protocol=2)
    return [
        (array, read_numpy_pickle),
        (stream.getvalue(), written(read_torch_state)),
        (pack(["0" * 64] * 2, np.ones((2, 3), np.float32)), lambda data: read_header(_buffered(data))),
        in_model("model.json"),
        in_model("heads.safetensors"),
        in_model("trunk-0.safetensors"),
        (json.dumps(record_of.honest).encode(), described),
        *((data.getvalue(), written(listed)) for data in packed.values()),
    ]


def _buffered(data: bytes) -> Any:
    return io.BufferedReader(io.BytesIO(data))


def fuzz(corpus: str, seconds: str) -> None:
    """Lets libFuzzer look for a file that troubles a loader; ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        from handful.core.errors import HandfulError
        from handful.images.unreadable import UnreadableError

        patch = pytest.MonkeyPatch()
        folder = Path(corpus).parent
        patch.setenv("HANDFUL_CACHE", str(folder / "cache"))
        known = loaders(folder, patch)
    for number, (honest, _) in enumerate(known):
        (Path(corpus) / str(number)).write_bytes(bytes([number]) + honest)

    def once(data: bytes) -> None:
        if data:
            began = process_time()
            with suppress(HandfulError, UnreadableError):
                known[data[0] % len(known)][1](data[1:])
            if process_time() - began > SLOW:
                raise TimeoutError(f"more than {SLOW} s of the processor")

    limits = [f"-max_total_time={seconds}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MOST_MIB}", "-max_len=30000"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", corpus], once)
    atheris.Fuzz()


def main() -> None:
    """Runs the search in a process of its own, and writes down how far it came."""
    if sys.argv[1:2] == ["fuzz"]:
        fuzz(*sys.argv[2:4])
        return
    if importlib.util.find_spec("atheris") is None:
        print("skipped: atheris is not installed (pip install atheris)")
        return
    from benchmarks.record import record

    seconds = sys.argv[1] if sys.argv[1:] else str(SECONDS)
    with tempfile.TemporaryDirectory() as place:
        corpus = Path(place) / "corpus"
        corpus.mkdir()
        command = [sys.executable, "-m", "benchmarks.soak.fuzz_loaders", "fuzz", str(corpus), seconds]
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
        )
    done = re.search(r"Done (\d+) runs in (\d+) second", ended.stdout)
    grown = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", ended.stdout)
    record(
        "files that libFuzzer makes up for the loaders: only our errors, no crash, no hang, 2 GiB at most",
        figures={
            "files": int(done[1]) if done else 0,
            "seconds": int(done[2]) if done else 0,
            "corpus": int(grown[-1][2]) if grown else 0,
            "said": "" if ended.returncode == 0 else ended.stdout[-1500:],
        },
        holds=ended.returncode == 0 and done is not None,
    )


if __name__ == "__main__":
    main()
