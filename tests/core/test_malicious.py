"""Files made to do harm are refused, run nothing, and cost neither memory nor time."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.core.malicious import arrays, weights

READ = """
import json, resource, sys, time
from pathlib import Path
from handful.core.errors import HandfulError
from handful.core.unpickle import read_numpy_pickle, read_torch_state
import torch

resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
megabytes = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
for path in sorted(Path(sys.argv[1]).iterdir()):
    before, start, error = megabytes(), time.process_time(), ""
    try:
        if path.suffix == ".pth":
            read_torch_state(path)
        else:
            data = path.read_bytes()
            read_numpy_pickle(data, encoding="bytes")
    except HandfulError as refused:
        error = str(refused)
    print(json.dumps([path.stem, error, megabytes() - before, time.process_time() - start]), flush=True)
"""
HARMLESS = {"a table of 60 GB", "a frame that claims a terabyte"}
"""Read without what they ask for, which costs other unpicklers all the memory there is."""


def test_files_made_to_do_harm_are_refused_within_seconds_and_megabytes(tmp_path):
    canary, folder = tmp_path / "canary", tmp_path / "files"
    folder.mkdir()
    names = []
    for suffix, made in (("bin", arrays), ("pth", weights)):
        for name, data in made(canary):
            (folder / f"{name}.{suffix}").write_bytes(data)
            names.append(name)
    done = subprocess.run([sys.executable, "-c", READ, folder], capture_output=True, text=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(name for name, *_ in found) == sorted(names), done.stderr
    assert {name for name, error, *_ in found if not error} == HARMLESS
    assert max(grown for *_, grown, _ in found) < 300
    assert max(seconds for *_, seconds in found) < 5
    assert all(len(error) < 1000 for _, error, *_ in found)
    assert not canary.exists()
