"""handful, with its time limit: one call, whose run measures the test part itself and writes the predictions down.

Its report is within the time. The table names the pictures that every peer has; the test part's labels are read for the
report alone, after the last choice (decision 8 in ARCHITECTURE.md).
"""

from __future__ import annotations

import csv
from pathlib import Path

import handful
from benchmarks.peers.job import read_job, write_answers


def main() -> None:
    """Trains, tests and reports within the budget."""
    job = read_job()
    run = job.out.with_name("run")
    seconds = int(job.clock.left())
    options = {} if job.backbone == "own" else {"backbone": job.backbone}
    search = handful.train(job.table, run, time=f"{seconds}s", seed=job.seed, threads=job.threads, **options).run.search
    tried = [
        {
            **{name: getattr(each, name) for name in ("what", "backbone", "size", "taken")},
            **{name: round(getattr(each, name), 4) for name in ("accuracy", "loss", "seconds")},
        }
        for each in (search.attempts if search else ())
    ]
    with (run / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [Path(row["path"]).name for row in rows]
    write_answers(job, names, [row["predicted"] for row in rows], {"time": f"{seconds}s", "tried": tried})


if __name__ == "__main__":
    main()
