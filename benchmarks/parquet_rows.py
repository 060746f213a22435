"""A Parquet table of pictures is read in memory that does not grow with it, though it is one row group.

python -m benchmarks.parquet_rows

Two tables of random bytes, 50 KB a row, of which the second is eight times as long; a process for each reads all rows
in their order, and tells the most memory that it had and how long it took.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.record import record
from handful.images import open_place

ROW_BYTES, FEW, MANY = 50_000, 1_500, 12_000
GROWTH = 1.10
"""What memory may be, as a multiple of that for the short table."""


def main() -> None:
    """Reads a short and a long table, each in a process of its own."""
    peaks, seconds = {}, {}
    with tempfile.TemporaryDirectory() as name:
        for number in (FEW, MANY):
            path = write(Path(name) / f"{number}.parquet", number)
            done = subprocess.run(
                [sys.executable, "-m", __spec__.name, path], capture_output=True, text=True, check=True
            )
            peaks[number], seconds[number] = map(float, done.stdout.split())
            path.unlink()
    record(
        f"{MANY} pictures in one row group of a Parquet table need at most {GROWTH} times the memory of {FEW}",
        figures={
            "mb_of_the_tables": [number * ROW_BYTES / 1e6 for number in (FEW, MANY)],
            "peak_mb": [round(peak) for peak in peaks.values()],
            "ms_per_picture": [round(1e3 * seconds[number] / number, 3) for number in (FEW, MANY)],
        },
        holds=peaks[MANY] <= GROWTH * peaks[FEW],
    )


def write(path: Path, number: int) -> Path:
    """Writes a table of one row group, a batch at a time."""
    rng = np.random.default_rng(0)
    column = pyarrow.chunked_array([[rng.bytes(ROW_BYTES) for _ in range(500)] for _ in range(number // 500)])
    pyarrow.parquet.write_table(pyarrow.table({"image": column}), path, row_group_size=number)
    return path


def read_all(path: Path) -> None:
    """Reads all rows, and prints the most memory in MB and the seconds."""
    start, place = time.perf_counter(), open_place(path)
    for found in place.find():
        assert len(found.source.read(found.inner)) == ROW_BYTES
    seconds = time.perf_counter() - start
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 1024, seconds)


if __name__ == "__main__":
    read_all(Path(sys.argv[1])) if sys.argv[1:] else main()
