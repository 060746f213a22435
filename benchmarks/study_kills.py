"""A study killed at ten random moments resumes to the same files as one that was left alone.

The moments are spread over the trials: each kill comes shortly after a number of them, drawn at random, is done.

python -m benchmarks.study_kills
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import record
from handful.testing.pictures import draw_folder

KILLS = 10
STUDY = (
    *("--vary", "lr=1e-5..1e-1:log9", "--vary", "l2=0,1e-4,1e-2", "--vary", "batch=8,32", "--vary", "head=C,16-C"),
    *("--seeds", "3", "--optimizer", "sgd", "--augmentation", "none", "--epochs", "60"),
)
N_TRIALS = 324


def main() -> None:
    """Runs the study whole, then another one that is killed and resumed, and compares their files."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        photos = draw_folder(root / "shapes", per_class=30)
        begin(photos, root / "warm").wait()
        start = time.monotonic()
        assert begin(photos, root / "whole").wait() == 0
        seconds = time.monotonic() - start
        draws = random.Random(0)
        found = []
        for number in range(KILLS):
            process = begin(photos, root / "killed")
            aimed = N_TRIALS * (number + draws.random()) / KILLS
            while len(list((root / "killed" / "trials").glob("*.json"))) < aimed and process.poll() is None:
                time.sleep(0.001)
            time.sleep(0.05 * draws.random())
            process.send_signal(signal.SIGKILL)
            process.wait()
            found.append(len(files(root / "killed")))
        assert begin(photos, root / "killed").wait() == 0
        same = files(root / "killed") == files(root / "whole")
        n_files = len(files(root / "whole"))
    record(
        f"a study killed at {KILLS} random moments resumes to the same files, byte by byte",
        figures={"trials": n_files, "seconds_alone": round(seconds, 1), "trials_found_after_each_kill": found},
        holds=same and n_files == N_TRIALS and found[0] > 0 and len(set(found)) > KILLS // 2,
    )


def begin(photos: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Starts the study, or goes on with it."""
    command = [sys.executable, "-m", "handful", "study", str(photos), *STUDY, "--resume", "--out", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def files(folder: Path) -> dict[str, bytes]:
    """Returns the trials' files by name."""
    return {path.name: path.read_bytes() for path in (folder / "trials").glob("*.json")}


if __name__ == "__main__":
    main()
