"""The paper's experiments with the trunk fixed, 3 seeds: 10 minutes from an empty cache, 3 minutes the second time.

python -m benchmarks.reproduction CIFAR10   (an archive or folder with train/<class>/ and test/<class>/)

The second time every training is done anew; features are known. Takes six minutes. Needs: handful backbones --get
alexnet
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.record import record
from handful.backbones import find, locate

COLD_LIMIT, WARM_LIMIT = 600.0, 180.0


def main(data: Path) -> None:
    """Runs the command twice and records its times and verdicts."""
    weights = locate(find("alexnet")).path.parent
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.copytree(weights, root / "cache" / "weights" / weights.name)
        environment = {**os.environ, "HANDFUL_CACHE": str(root / "cache")}
        seconds, found = [], []
        for out in (root / "first", root / "second"):
            command = [sys.executable, "-m", "handful", "reproduce", "all", "--data", str(data), "--out", str(out)]
            began = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds.append(round(time.perf_counter() - began, 1))
            found.append(json.loads((out / "verdicts.json").read_text()))
    verdicts = [{(one["figure"], one["claim"]): one["verdict"] for one in run["verdicts"]} for run in found]
    record(
        f"the paper's experiments, trunk fixed, 3 seeds: {COLD_LIMIT:.0f} s from an empty cache (weights at hand), "
        f"{WARM_LIMIT:.0f} s with features known",
        figures={
            "cold_s": seconds[0],
            "features_known_s": seconds[1],
            "trainings": found[0]["n_trained"],
            "verdicts": dict(Counter(verdicts[0].values())),
            "same_verdicts_both_times": verdicts[0] == verdicts[1],
            "test_accuracy_of_the_best": found[0]["test"],
        },
        holds=seconds[0] <= COLD_LIMIT and seconds[1] <= WARM_LIMIT and verdicts[0] == verdicts[1],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
