"""Changed metadata files, in short; the long form is benchmarks/soak/metadata.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ATTACK = "import json; from benchmarks.soak.metadata import attack; print(json.dumps(attack(300)))"


def test_whatever_metadata_says_nothing_is_imported_or_opened_elsewhere_and_only_our_errors_come_out():
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", ATTACK], cwd=root, capture_output=True, text=True, check=False)
    figures = json.loads(done.stdout or "{}")
    assert figures.get("faults") == {}, done.stderr
    assert figures["cases"] >= 300
    assert len(figures["files"]) == sum(count > 0 for count in figures["files"].values())
    assert figures["refused"] > 50
    assert figures["read"] > 50
