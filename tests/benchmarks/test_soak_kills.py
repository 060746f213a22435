"""The short form of `benchmarks/soak/kills.py`, in a process of its own, for it forks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import handful

CODE = """
import signal, sys
from pathlib import Path
from benchmarks.soak.kills import soak
found = soak(Path(sys.argv[1]) / "ground", n_interruptions=6, numbers=[signal.SIGKILL, signal.SIGTERM], seed=0)
print(found)
sys.exit(not found.holds)
"""


def test_commands_that_are_killed_and_stopped_go_on_to_the_same_bits(tmp_path):
    root = Path(handful.__file__).parents[1]
    where = os.pathsep.join([str(root), str(Path(__file__).parents[2])])
    ended = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path],
        env={**os.environ, "PYTHONPATH": where},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
