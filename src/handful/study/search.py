"""Searching instead of trying every combination: Optuna proposes settings, in batches of a fixed size.

Batches make the search reproducible: what is proposed depends on the batches before, and not on which training of a
batch ended first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from handful.core.errors import MissingExtraError
from handful.core.study import Axis, Trial, TrialResult, Value
from handful.core.training import Checkpoint
from handful.study.run import Judge
from handful.study.trials import trial_key

if TYPE_CHECKING:
    import optuna

BATCH = 10
"""Settings that are proposed at a time; Optuna's TPE draws the first ten at random in any case."""

FIRST_EPOCHS = 3
"""Epochs that every training gets before it may be given up."""

RunBatch = Callable[[Sequence[Trial], Judge | None], Sequence[TrialResult]]
"""Runs some trials and returns the results of those that were run; fewer where the time is up."""


def check_search() -> None:
    """Raises MissingExtraError where Optuna is not installed, before any work."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise MissingExtraError("a search", "search") from None


def search(
    axes: Sequence[Axis],
    base: Mapping[str, Value],
    *,
    sampler: Literal["random", "tpe"],
    n_settings: int,
    seeds: Sequence[int],
    prune: Literal["none", "median", "halving"],
    run: RunBatch,
) -> list[TrialResult]:
    """Returns the results of a search for the highest mean validation accuracy.

    Args:
        axes: what is varied, and where.
        base: options of every trial.
        sampler: "tpe" is the tree-structured Parzen estimator (Bergstra et al. 2011).
        n_settings: to propose.
        seeds: one training of each setting per seed; the first seeds the sampler too.
        prune: "median" gives up what lies below the median of those before at the same epoch, "halving" keeps the
            better part at epochs 3, 6, 12, ... (Li et al. 2018, asynchronous successive halving).
        run: runs trials.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    proposer = optuna.create_study(
        direction="maximize", sampler=_sampler(sampler, seeds[0]), pruner=_pruner(prune, n_seen=BATCH)
    )
    results: dict[str, TrialResult] = {}
    for first in range(0, n_settings, BATCH):
        batch = []
        for _ in range(min(BATCH, n_settings - first)):
            asked = proposer.ask()
            options = {**base, **{axis.option: _propose(asked, axis) for axis in axes}}
            batch.append(_Proposal(asked, {trial_key(t, ""): t for t in (Trial(options, seed) for seed in seeds)}))
        proposed = {name: trial for proposal in batch for name, trial in proposal.trials.items()}
        distinct = {name: trial for name, trial in proposed.items() if name not in results}
        judge = None if prune == "none" else partial(_judge, batch, list(distinct))
        found = {trial_key(result.trial, ""): result for result in run(list(distinct.values()), judge)}
        results |= found
        if len(found) < len(distinct):
            break
        for proposal in batch:
            proposal.tell(proposer, [results[name] for name in proposal.trials])
    return list(results.values())


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A setting that Optuna proposed.

    Attributes:
        asked: Optuna's trial.
        trials: ours by name, one per seed.
    """

    asked: optuna.Trial
    trials: dict[str, Trial]

    def is_poor(self, standing: Sequence[Checkpoint]) -> bool:
        """Says the mean accuracy after an epoch, and returns whether to give the setting up."""
        epoch = standing[0].epoch
        self.asked.report(sum(seen.validation_accuracy for seen in standing) / len(standing), epoch)
        return epoch >= FIRST_EPOCHS and self.asked.should_prune()

    def tell(self, proposer: optuna.Study, results: Sequence[TrialResult]) -> None:
        """Says how it ended."""
        from optuna.trial import TrialState

        accuracies = [result.accuracy for result in results if result.accuracy is not None]
        if len(accuracies) == len(results):
            proposer.tell(self.asked, sum(accuracies) / len(accuracies))
        else:
            failed = any(result.status == "failed" for result in results)
            proposer.tell(self.asked, state=TrialState.FAIL if failed else TrialState.PRUNED)


def _judge(batch: Sequence[_Proposal], names: Sequence[str], standing: Mapping[int, Checkpoint]) -> set[int]:
    """Returns the places of the trials to give up: all seeds of a setting, or none."""
    place = {name: index for index, name in enumerate(names)}
    doomed: set[int] = set()
    for proposal in batch:
        own = [place[name] for name in proposal.trials if name in place]
        seen = [standing[index] for index in own if index in standing]
        if own and len(seen) == len(proposal.trials) and own[0] not in doomed and proposal.is_poor(seen):
            doomed.update(own)
    return doomed


def _propose(asked: optuna.Trial, axis: Axis) -> Value:
    if axis.low is None or axis.high is None:
        chosen: Value = asked.suggest_categorical(axis.option, axis.values)
        return chosen
    if isinstance(axis.low, int):
        return asked.suggest_int(axis.option, axis.low, int(axis.high), log=axis.log)
    return asked.suggest_float(axis.option, axis.low, axis.high, log=axis.log)


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _pruner(name: str, *, n_seen: int) -> optuna.pruners.BasePruner:
    import optuna

    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=n_seen, n_warmup_steps=FIRST_EPOCHS - 1)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST_EPOCHS, reduction_factor=2)
    return optuna.pruners.NopPruner()
