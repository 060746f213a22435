"""Writes a benchmark's result down, with the machine and the versions, and fails when the claim does not hold."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

from handful.core.machine import count_threads, describe_machine, versions

RESULTS = Path(__file__).parent / "results"


def record(claim: str, *, figures: dict[str, Any], holds: bool) -> None:
    """Appends one line to results/<script>.jsonl and ends the script, with 1 where the claim does not hold.

    The scripts of `benchmarks/soak` share soak.jsonl, and their lines say which of them wrote them.
    """
    script = Path(sys.argv[0])
    soak = {"soak": script.stem} if script.parent.name == "soak" else {}
    line = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **soak,
        "claim": claim,
        "holds": holds,
        **figures,
        "machine": describe_machine(count_threads(None)),
        "versions": versions(),
    }
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{'soak' if soak else script.stem}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print(f"{'holds' if holds else 'DOES NOT HOLD'}: {claim}\n  {json.dumps(figures)}")
    sys.exit(0 if holds else 1)
