"""With the default network's own weights and pictures that install with pip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HANDFUL = Path(sys.executable).with_name("handful")


@pytest.mark.real
def test_the_demo_finds_defective_cells_and_a_second_run_computes_nothing(tmp_path, own_caches):
    pytest.importorskip("elpv_dataset", reason="the extra `demo` is not installed")
    environment = {**os.environ, "HANDFUL_CACHE": str(own_caches)}
    results = []
    for _ in range(2):
        done = subprocess.run(
            [HANDFUL, "demo", "--json"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        results.append(json.loads(done.stdout))
    first, again = results
    assert (first["n_train"], first["n_test"]) == (2187, 437)
    assert first["accuracy_interval"][0] > first["majority_baseline"] + 0.1
    assert first["accuracy"] == pytest.approx(0.86, abs=0.03)  # benchmarks/results/solar_cells.jsonl: 0.858
    assert (again["accuracy"], again["log_loss"]) == (first["accuracy"], first["log_loss"])
    assert again["seconds"]["test"] < 0.2 * first["seconds"]["test"]
    assert "defective when the experts' probability of a defect is 0.5 or more" in (
        tmp_path / "demo-run" / "report.html"
    ).read_text(encoding="utf-8").replace("&#39;", "'")
