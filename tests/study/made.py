"""Made-up studies with results as trainings give them: no network is run."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from handful.core.study import Axis, Setting, Status, Study, StudyPlan, Trial, TrialResult, Value
from handful.core.training import Checkpoint

CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
BASE: dict[str, Value] = {"backbone": "alexnet", "optimizer": "sgd", "momentum": 0.9, "epochs": 20, "head": "C"}
FAILS = -1.0
"""Skill of a setting whose loss becomes NaN."""

Skill = Callable[[Mapping[str, Value]], float]
"""Gives a setting's true accuracy; `FAILS` where its training breaks off."""


def result(
    right: Sequence[bool] = (True,),
    *,
    options: Mapping[str, Value] | None = None,
    seed: int = 0,
    status: Status = "done",
    n_epochs: int = 20,
    gap: float = 0.05,
) -> TrialResult:
    """Returns a trial that ends with these answers, on curves that rise to them."""
    final = float(np.mean(right)) if len(right) else 0.2
    n_done = n_epochs if status == "done" else max(n_epochs // 4, 1)
    rng = np.random.default_rng((seed, n_epochs, round(1e4 * final)))
    gap = gap * rng.uniform(0.8, 1.2)
    curve = []
    for epoch in range(1, n_done + 1):
        share = 1.0 - math.exp(-4.0 * epoch / n_epochs)
        wobble = 0.012 * rng.normal() if epoch < n_done else 0.0
        validation = final if epoch == n_epochs else min(max(0.2 + (final - 0.2) * share + wobble, 0.0), 1.0)
        training = min(max(validation + gap * epoch / n_epochs, 0.0), 1.0)
        loss = (1.9 - 1.8 * training) * (1.0 + 0.03 * rng.normal())
        curve.append(Checkpoint(epoch, 16 * epoch, loss, training, loss + 2.0 * gap * epoch / n_epochs, validation))
    stopped = {
        "done": f"all {n_epochs} epochs are done",
        "failed": f"the loss was nan at update {16 * n_done + 7}",
        "pruned": f"given up after epoch {n_done}: below the median of the others",
    }
    return TrialResult(
        trial=Trial({**BASE, **(options or {})}, seed),
        status=status,
        stopped=stopped[status],
        curve=tuple(curve),
        failed_at=16 * n_done + 7 if status == "failed" else None,
        n_train=2000,
        right=() if status == "failed" else tuple(bool(each) for each in right),
    )


def setting(options: Mapping[str, Value], results: Sequence[TrialResult]) -> Setting:
    """Returns the setting with its mean and spread."""
    accuracies = [each.accuracy for each in results]
    done = [each for each in accuracies if each is not None]
    whole = len(done) == len(results)
    return Setting(
        options=dict(options),
        results=tuple(results),
        accuracy=float(np.mean(done)) if whole else None,
        spread=float(np.std(done, ddof=1)) if len(done) > 1 else None,
    )


def study(settings: Sequence[Setting], axes: Sequence[Axis], *, seeds: Sequence[int], **plan: Any) -> Study:
    """Returns the study of these settings."""
    tried = [(each.accuracy, -index) for index, each in enumerate(settings) if each.accuracy is not None]
    facts: dict[str, Any] = {
        "data": "/home/ana/pictures/cifar-five",
        "data_sha256": "0" * 64,
        "axes": tuple(axes),
        "base": BASE,
        "seeds": tuple(seeds),
        "search": "grid",
        "n_trials": 0,
        "prune": "none",
        "classes": CLASSES,
        "n_learn": 2400,
        "n_validation": 400,
        "n_test": 400,
    }
    return Study(
        plan=StudyPlan(**(facts | plan)),
        settings=tuple(settings),
        best=-max(tried)[1] if tried else None,
        versions={"handful": "0.1.0", "torch": "2.13.0", "numpy": "2.4.0"},
        machine="2 cores, 2 threads",
        command="handful study pictures/cifar-five --vary lr=1e-5,1e-4,1e-3,0.01,0.1 --seeds 3",
        seconds=83.4,
    )


def grid_study(axes: Sequence[Axis], skill: Skill, *, n_seeds: int = 3, n_pictures: int = 400) -> Study:
    """Returns a grid over the axes' values, in which every setting answers as its skill says."""
    names = [axis.option for axis in axes]
    settings = [
        setting(options, _trained(options, skill, seeds=range(n_seeds), n_pictures=n_pictures))
        for values in itertools.product(*(axis.values for axis in axes))
        for options in [dict(zip(names, values, strict=True))]
    ]
    return study(settings, axes, seeds=range(n_seeds))


def one_axis(*, n_seeds: int = 3) -> Study:
    """Returns the paper's Figure 7a: five rates, of which the two highest are no better than chance and one fails."""
    skill = {1e-5: 0.61, 1e-4: 0.832, 1e-3: 0.84, 0.01: 0.21, 0.1: FAILS}
    axis = Axis("lr", (1e-5, 1e-4, 1e-3, 0.01, 0.1))
    return grid_study([axis], lambda options: skill[options["lr"]], n_seeds=n_seeds)


def two_axes(*, n_seeds: int = 3) -> Study:
    """Returns weight decay against mini-batch: one of them matters."""

    def skill(options: Mapping[str, Value]) -> float:
        decay = {0: 0.805, 5e-5: 0.81, 5e-4: 0.825, 2.5e-3: 0.815, 0.05: 0.70}[options["l2"]]
        if options == {"l2": 0.05, "batch": 8}:
            return FAILS
        return decay - 0.004 * abs(math.log2(options["batch"]) - 5)

    axes = [Axis("l2", (0, 5e-5, 5e-4, 2.5e-3, 0.05)), Axis("batch", (8, 32, 128))]
    return grid_study(axes, skill, n_seeds=n_seeds)


def search_study(*, n_trials: int = 60, n_seeds: int = 1, seed: int = 0) -> Study:
    """Returns a search over two ranges and two lists, in which the rate matters most; some are pruned, some fail."""
    axes = (
        Axis("lr", low=1e-5, high=1.0, log=True),
        Axis("momentum", low=0.5, high=0.99),
        Axis("batch", (16, 32, 64, 128)),
        Axis("nonlinearity", ("rectifier", "tanh", "sigmoid")),
    )
    rng = np.random.default_rng(seed)
    settings = []
    for number in range(n_trials):
        options: dict[str, Value] = {
            "lr": float(10 ** rng.uniform(-5, 0)),
            "momentum": float(rng.uniform(0.5, 0.99)),
            "batch": int(rng.choice([16, 32, 64, 128])),
            "nonlinearity": str(rng.choice(["rectifier", "tanh", "sigmoid"])),
        }
        skill = _searched_skill(options)
        pruned = number > 15 and 0.0 < skill < 0.55
        status: Status = "failed" if skill == FAILS else "pruned" if pruned else "done"
        results = [
            result(rng.random(400) < skill, options=options, seed=each, status=status) for each in range(n_seeds)
        ]
        settings.append(setting(options, results))
    return study(settings, axes, seeds=range(n_seeds), search="tpe", n_trials=n_trials, prune="median")


def _searched_skill(options: Mapping[str, Any]) -> float:
    rate = math.log10(options["lr"] / (1.0 - options["momentum"]))
    if rate > 0.4:
        return FAILS
    skill = 0.84 - 0.045 * (rate + 2.2) ** 2 - 0.01 * abs(math.log2(options["batch"]) - 5)
    return max(skill - (0.08 if options["nonlinearity"] == "sigmoid" else 0.0), 0.2)


def _trained(options: Mapping[str, Value], skill: Skill, *, seeds: Sequence[int], n_pictures: int) -> list[TrialResult]:
    """Returns one result per seed; pictures are as hard for every setting, as they are in truth."""
    truth = skill(options)
    results = []
    for seed in seeds:
        hardness = np.random.default_rng(seed).random(n_pictures)
        own = np.random.default_rng((seed, zlib.crc32(repr(options).encode())))
        right = hardness + 0.08 * own.normal(size=n_pictures) < truth
        status: Status = "failed" if truth == FAILS else "done"
        overfitting = max(truth - 0.6, 0.0) ** 2 * 2
        results.append(result(right, options=options, seed=seed, status=status, gap=overfitting))
    return results
