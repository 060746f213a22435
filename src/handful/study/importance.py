"""Which option a search's accuracies depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from handful.core.study import Axis, Setting, Study, Value

FEWEST = 15
"""Settings that are done, below which a forest would be fitted to chance."""

CHANCE = "a random number"
"""Stands beside the options: it has nothing to do with the accuracy, and shows what such an option seems to do."""


@dataclass(frozen=True, slots=True)
class Importance:
    """How much of the accuracies' variance each option explains.

    Attributes:
        shares: by option, the highest first, and that of `CHANCE`; they sum to 1. Empty where it cannot be told.
        n_settings: done settings behind it.
        missing: why it cannot be told; "" where it can.
    """

    shares: Mapping[str, float]
    n_settings: int
    missing: str = ""


def importance(study: Study) -> Importance:
    """Returns what each option of a search explains, by functional ANOVA (Hutter, Hoos, Leyton-Brown, ICML 2014).

    A random forest is fitted to the done settings' accuracies; the share of an option is the variance over its range
    of the forest's prediction, averaged over the other options. One more option, drawn at random, shows how much of it
    is chance. Shares describe the ranges that were searched, and the settings that did not fail.
    """
    done = [setting for setting in study.settings if setting.accuracy is not None]
    if len(done) < FEWEST:
        return Importance({}, len(done), f"{len(done)} settings are done, and it takes at least {FEWEST}")
    if len({setting.accuracy for setting in done}) == 1:
        return Importance({}, len(done), "all settings are equally good")
    try:
        shares = _fanova(done, study.plan.axes)
    except ImportError:
        return Importance({}, len(done), "it takes Optuna and scikit-learn: pip install 'handful[search]'")
    return Importance(shares, len(done))


def _fanova(done: Sequence[Setting], axes: Sequence[Axis]) -> dict[str, float]:
    import optuna

    distributions = {axis.option: _distribution(axis) for axis in axes}
    distributions[CHANCE] = optuna.distributions.FloatDistribution(0.0, 1.0)
    chance = np.random.default_rng(0).random(len(done))
    with _silent(optuna.logging):
        study = optuna.create_study(direction="maximize")
        for setting, number in zip(done, chance.tolist(), strict=True):
            values: dict[str, Value] = {**setting.options, CHANCE: number}
            study.add_trial(
                optuna.trial.create_trial(params=values, distributions=distributions, value=setting.accuracy)
            )
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}


def _distribution(axis: Axis) -> Any:
    """Returns the axis as Optuna has it."""
    import optuna

    if axis.low is not None and axis.high is not None:
        return optuna.distributions.FloatDistribution(axis.low, axis.high, log=axis.log)
    return optuna.distributions.CategoricalDistribution(axis.values)


@contextmanager
def _silent(logging: Any) -> Iterator[None]:
    """Keeps Optuna from announcing the study that only holds what is known."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(before)
