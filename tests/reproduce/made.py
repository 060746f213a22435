"""Made-up results of a reproduction whose truth is known."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from handful.core.records import ClassFigures, Evaluation
from handful.core.study import Setting, Trial, TrialResult, Value
from handful.core.training import Checkpoint
from handful.evaluate import wilson_interval
from handful.reproduce.experiments import FIGURES, FURTHER, experiments
from handful.reproduce.records import Evidence, Measured

Options = Mapping[str, Value]
CHANCE = 0.2


@dataclass(frozen=True, slots=True)
class Truth:
    """How a setting really does: accuracies at the end, epochs to get most of the way, and epochs until it stops."""

    validation: float
    training: float
    pace: float = 2.0
    stops_after: int | None = None
    fails: bool = False


def result(options: Options, seed: int, truth: Truth, *, n: int = 400, independent: bool = False) -> TrialResult:
    """Returns one training: pictures are as hard for one setting as for another, unless they are independent."""
    if truth.fails:
        return TrialResult(Trial(options, seed), "failed", "the loss was no longer a number", (), 7, 2000, ())
    own = zlib.crc32(repr(sorted(options.items())).encode()) if independent else 0
    hardness = np.random.default_rng((seed, own)).permutation(n) / n
    right = tuple(bool(each) for each in hardness < truth.validation)
    end = sum(right) / n
    per_epoch = math.ceil(2000 / int(str(options.get("batch", 128))))
    n_epochs = truth.stops_after or int(str(options["epochs"]))
    epochs = np.arange(1, n_epochs + 1)
    shares = ((1 - np.exp(-epochs / truth.pace)) / (1 - np.exp(-n_epochs / truth.pace))).tolist()
    curve = [
        Checkpoint(
            epoch, per_epoch * epoch, 1 - share * truth.training, share * truth.training, 1 - share * end, share * end
        )
        for epoch, share in enumerate(shares, start=1)
    ]
    return TrialResult(Trial(options, seed), "done", "all epochs done", tuple(curve), None, 2000, right)


def setting(options: Options, truth: Truth, *, n_seeds: int = 3, n: int = 400, independent: bool = False) -> Setting:
    """Returns one setting with its trainings."""
    results = tuple(result(options, seed, truth, n=n, independent=independent) for seed in range(n_seeds))
    accuracies = [each.accuracy for each in results if each.accuracy is not None]
    mean = float(np.mean(accuracies)) if len(accuracies) == n_seeds else None
    return Setting(options, results, mean, float(np.std(accuracies, ddof=1)) if mean and n_seeds > 1 else None)


def figures(accuracy: float, *, n_test: int = 400) -> Evaluation:
    """Returns the figures of a test part on which so many answers are right."""
    n_right = round(accuracy * n_test)
    one = ClassFigures("cat", n_test, accuracy, (0.0, 1.0), accuracy, accuracy)
    interval = wilson_interval(n_right, n_test)
    return Evaluation(
        n_test, n_right / n_test, interval, accuracy, accuracy, 0.5, 0.05, 0.2, np.diag([n_right] * 2), (one,)
    )


def evidence(
    truth: Callable[[Options], Truth],
    *,
    mode: str = "finetune",
    test: float | None = None,
    unlike: float | None = None,
    is_papers: bool = True,
    n_seeds: int = 3,
    n: int = 400,
    n_test: int = 400,
    independent: bool = False,
) -> Evidence:
    """Returns what every experiment gives where settings really do as `truth` says."""

    def made(options: Options, does: Truth) -> Setting:
        return setting(options, does, n_seeds=n_seeds, n=n, independent=independent)

    every = experiments(backbone="alexnet", mode=mode, n_train=2000, n_classes=5)
    measured = {
        name: Measured(one, tuple(made(point.options, truth(point.options)) for point in one.points))
        for name, one in every.items()
    }
    default = every["7a"].points[3].options
    return Evidence(
        mode=mode,
        asked=(*FIGURES, *FURTHER),
        measured=measured,
        chance=CHANCE,
        is_papers=is_papers,
        test=None if test is None else figures(test, n_test=n_test),
        unlike=None if unlike is None else made(default, Truth(unlike, 0.99)),
        unlike_chance=0.5,
    )


def papers_world(options: Options) -> Truth:
    """Returns how a setting does in a world in which every claim of the paper is true."""
    if options["strategy"] == "scratch":
        return Truth(0.40, 0.60)
    if options["backbone"] != "alexnet":
        return Truth(0.90, 0.95)
    heads = {"C": 0.86, "75-C": 0.82, "500d0.5-75-C": 0.78}
    if options["bias_factor"] in ("head.0=1", "head.1=1", "head.2=1"):
        return Truth(heads[str(options["head"])] - 0.1, 0.85)
    if options["head"] != "C":
        return Truth(heads[str(options["head"])], 0.90)
    if options["batch"] == 32 and "stop_at" not in options:
        return Truth(0.82, 0.99)
    if options["batch"] != 128:
        stops = {8: 12, 16: 15}.get(int(str(options["batch"])))
        return Truth(0.84, 0.999 if stops else 0.98, pace=0.02 * int(str(options["batch"])), stops_after=stops)
    if "images" in options:
        return Truth(0.60 + 0.10 * np.log10(int(str(options["images"])) / 100), 0.90)
    if options["epochs"] == 200:
        return Truth(0.85, 1.0)
    rates = {0.1: (0.2, 0.2), 0.01: (0.2, 0.2), 0.001: (0.80, 0.999), 0.00001: (0.60, 0.60)}
    if options["lr"] != 1e-4:
        return Truth(*rates[float(str(options["lr"]))])
    if options["l2"] not in (1e-4, 5e-5):
        return Truth(0.84, 0.92)
    factor = int(str(options["weight_factor"]).partition("=")[2])
    if factor != 10:
        return Truth(0.80 + 0.04 * np.log10(factor), 0.92)
    return Truth(0.86, 0.92, pace=5.0)


def opposite_world(options: Options) -> Truth:
    """Returns how a setting does in a world in which every claim of the paper is false."""
    if options["strategy"] == "scratch":
        return Truth(0.74, 0.80)
    if options["backbone"] != "alexnet":
        return Truth(0.50, 0.55)
    heads = {"C": 0.75, "75-C": 0.82, "500d0.5-75-C": 0.88}
    if options["bias_factor"] in ("head.0=1", "head.1=1", "head.2=1"):
        return Truth(heads[str(options["head"])] - 0.1, 0.85)
    if options["head"] != "C":
        return Truth(heads[str(options["head"])], 0.90)
    if options["batch"] == 32 and "stop_at" not in options:
        return Truth(0.6 + 40 * float(str(options["l2"])), 0.9)
    if options["batch"] != 128:
        return Truth(0.84, 0.85, pace=80 / int(str(options["batch"])))
    if "images" in options:
        return Truth(0.95 - 0.10 * np.log10(int(str(options["images"])) / 100), 0.99)
    if options["epochs"] == 200:
        return Truth(0.90, 0.91)
    rates = {0.1: (0.90, 0.91), 0.01: (0.90, 0.91), 0.001: (0.83, 0.84), 0.00001: (0.85, 0.86)}
    if options["lr"] != 1e-4:
        return Truth(*rates[float(str(options["lr"]))])
    decays = {5e-5: 0.82, 5e-4: 0.80, 2.5e-3: 0.80, 5e-3: 0.80}
    if options["l2"] != 1e-4:
        return Truth(decays[float(str(options["l2"]))], 0.92)
    factor = int(str(options["weight_factor"]).partition("=")[2])
    if factor != 10:
        return Truth(0.90 - 0.1 * np.log10(factor), 0.92)
    stops = 12 if "stop_at" in options else None
    return Truth(0.75, 0.999 if stops else 0.92, pace=0.5, stops_after=stops)
