"""Five CIFAR-10 classes, 400 training pictures each: 0.86 with one network, 0.88 with the average of three.

python -m benchmarks.cifar_five CIFAR10   (an archive or folder with train/<class>/ and test/<class>/)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import handful
from benchmarks.record import record

CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
LIMITS = {
    "efficientnet-lite0": None,  # the default network, for comparison
    "efficientnet-lite2": 0.86,
    "efficientnet-lite0+efficientnet-lite1+efficientnet-lite2": 0.88,
}

if __name__ == "__main__":
    data = Path(sys.argv[1])
    figures: dict[str, object] = {}
    holds = True
    for backbone, limit in LIMITS.items():
        with tempfile.TemporaryDirectory() as folder:
            run = handful.train(data, Path(folder) / "run", backbone=backbone, classes=CLASSES, per_class=400).run
        holds &= limit is None or run.evaluation.accuracy >= limit
        figures[backbone] = {
            "accuracy": run.evaluation.accuracy,
            "interval": run.evaluation.accuracy_interval,
            "held_out": run.held_out and run.held_out.accuracy,
            "n_train": len(run.split.train),
            "n_test": run.evaluation.n_test,
            "options": {name: run.options[name].value for name in ("interpolation", "views", "head")},
            "seconds": round(sum(stage.seconds for stage in run.stages), 1),
        }
    claim = "five CIFAR-10 classes: 0.86 with one network (Lite2), 0.88 with the average of Lite0, Lite1 and Lite2"
    record(claim, figures=figures, holds=holds)
