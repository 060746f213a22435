"""The way that handful recommends is within one standard error of the best of the paper's three ways.

python -m benchmarks.three_ways cifar CIFAR10   (an archive or folder with train/<class>/ and test/<class>/)
python -m benchmarks.three_ways solar

AlexNet, 500 training pictures, 5 draws of them. Each way with the options that `handful advise` plans for it: a new
output layer on fixed features, some layers frozen and the others trained, and architecture only (random weights). About
an hour a set on two cores; every run is written down as it ends. Needs: handful backbones --get alexnet
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import handful
from benchmarks.paired import standard_error
from benchmarks.record import record
from handful.cli.demo import LabelMap, solar_cells, write_table
from handful.core.advice import Decision, TransferPlan
from handful.core.config import TrainConfig
from handful.core.machine import count_threads
from handful.core.progress import Silent
from handful.images import read
from handful.split import split
from handful.transfer.choose import decide
from handful.transfer.plan import choose_backbones

N_IMAGES, SEEDS, BACKBONE = 500, range(5), "alexnet"
WAYS = ("features", "freeze", "scratch")
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer")


def main(which: str, data: Path) -> None:
    """Measures one set."""
    base = {"backbone": BACKBONE, "images": N_IMAGES}
    if which == "cifar":
        base["classes"] = CIFAR_CLASSES
    runs: list[dict[str, object]] = []
    for seed in SEEDS:
        options = {**base, "seed": seed}
        decision = advice(data, TrainConfig.of(options))
        plans = {plan.strategy: plan for plan in (decision.plan, *(other.plan for other in decision.alternatives))}
        for way in WAYS:
            plan = plans.get(way) or scratch_plan(decision)
            with tempfile.TemporaryDirectory() as folder:
                run = handful.train(data, Path(folder) / "run", **{**options, **plan.options}).run
            runs.append(
                {
                    "way": way,
                    "seed": seed,
                    "recommended": way == decision.plan.strategy,
                    "accuracy": round(run.evaluation.accuracy, 4),
                    "held_out": run.held_out and round(run.held_out.accuracy, 4),
                    "n_test": run.evaluation.n_test,
                    "freeze": plan.freeze,
                    "updates": [(t.best_step, len(t.iterations)) for t in run.training],
                    "seconds": round(sum(stage.seconds for stage in run.stages)),
                }
            )
            print(runs[-1], flush=True)
    conclude(which, runs)


def advice(data: Path, config: TrainConfig) -> Decision:
    """Returns the decision for the pictures that this seed draws."""
    threads = count_threads(None)
    table = read(data, config.reading, threads=threads)
    parts = split(table, config.split, seed=config.run.seed)
    specs, _ = choose_backbones(config)
    return decide(table, parts, config, specs=specs, threads=threads, progress=Silent())


def scratch_plan(decision: Decision) -> TransferPlan:
    """Returns the plan for random weights, which the advice names only for large sets."""
    from handful.transfer.choose import plan_way

    return plan_way("scratch", decision.plan.backbone, n_images=decision.n_images, frozen=0)


def conclude(which: str, runs: list[dict[str, object]]) -> None:
    """Records the mean and the standard error of each way, and whether the recommended one is as good as the best."""
    scores = {way: np.array([float(run["accuracy"]) for run in runs if run["way"] == way]) for way in WAYS}
    means = {way: float(np.mean(values)) for way, values in scores.items()}
    errors = {way: standard_error(values) for way, values in scores.items()}
    recommended = {str(run["way"]) for run in runs if run["recommended"]}
    best = max(means, key=means.__getitem__)
    behind = max(means[best] - means[way] for way in recommended)
    record(
        f"{which}: the recommended way is within one standard error of the best of three (AlexNet, {N_IMAGES} training "
        f"pictures, {len(SEEDS)} draws)",
        figures={
            "recommended": sorted(recommended),
            "best": best,
            "accuracy": {way: round(mean, 4) for way, mean in means.items()},
            "standard_error": {way: round(error, 4) for way, error in errors.items()},
            "behind_the_best": round(behind, 4),
            "runs": runs,
        },
        holds=behind <= errors[best],
    )


if __name__ == "__main__":
    name = sys.argv[1]
    if name == "cifar":
        main(name, Path(sys.argv[2]))
    else:
        main(name, write_table(solar_cells(), LabelMap.HALF))
