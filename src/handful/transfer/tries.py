"""Trying the neighbouring ways of transfer beside the advised one, where time allows, on one validation part.

Every way is trained on the same training pictures and answers the same validation pictures: the user's own, or those
that training layers sets apart anyway. The test part is not read.

Another way is taken only if it is right on more pictures than the advised one by more than these pictures leave to
chance. Of n validation pictures let b be right with the other way only and c with the advised one only. If both were
equally good, b - c would have a standard error of sqrt(b + c) (McNemar 1947); with the correction for counting in whole
pictures (Edwards 1948) the rule is

    b - c - 1 > sqrt(b + c).

For 3 to 400 pictures that is close to a chance of 1 in 6 to change for nothing (exact binomial), which costs little:
the ways are as good as each other then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from handful.backbones import BackboneSpec, LocatedWeights
from handful.core.advice import Try
from handful.core.errors import NothingHeldOutError
from handful.core.progress import Progress
from handful.core.records import ImageTable, Split
from handful.finetune import work_seconds
from handful.transfer.bench import Bench, BoolArray, Candidate, Result
from handful.transfer.layers import check_layers, trains_layers
from handful.transfer.probe import Trained


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying.

    Attributes:
        taken: the way to take.
        trained: what it made, where that needs no further training; None where it was trained on a part.
        verdict: why this one, in words; "" where nothing was compared.
        tries: one per candidate, in their order.
    """

    taken: Candidate
    trained: Trained | None
    verdict: str
    tries: tuple[Try, ...]


def try_ways(
    candidates: Sequence[Candidate],
    table: ImageTable,
    split: Split,
    *,
    backbone: tuple[BackboneSpec, LocatedWeights],
    threads: int,
    progress: Progress,
    clock: Callable[[], float] = work_seconds,
) -> Tried:
    """Returns the way to take of some: the first, which is the advised one, or another that is better by the rule.

    The advised way is always tried. Others that train layers are tried while their estimates fit into what is left of
    the option `time`, or of `LIMIT` without it. A way that fails is never taken.

    Args:
        candidates: the advised way first, then the others, the most promising first.
        table: the data set.
        split: its parts; the test part is not looked at.
        backbone: the network and where its weights are.
        threads: resolved.
        progress: told about the work.
        clock: seconds; for tests of the time that is left.

    Raises:
        ConfigError: options that cannot work for this network and these classes.
        HandfulError: every way failed, the advised one with this error.
    """
    for candidate in candidates:
        if trains_layers(candidate.config):
            check_layers(candidate.config, backbone[0], n_classes=len(table.classes))
    advised, *others = Bench(table, split, backbone, threads, progress, clock).results(candidates)
    results = [advised, *(_compared(other, advised) for other in others)]
    taken = _choose(results)
    is_whole = trains_layers(taken.candidate.config) or len(split.validation) > 0
    return Tried(
        taken=taken.candidate,
        trained=taken.trained if is_whole else None,
        verdict=_verdict(results, taken),
        tries=tuple(result.record for result in results),
    )


def paired(right: BoolArray, base: BoolArray) -> tuple[float, float]:
    """Returns how much more of the pictures a way has right than another, and the standard error of that.

    Args:
        right: bool (N,), which pictures the way has right.
        base: bool (N,), the same of the other.
    """
    gained, lost = int(np.sum(right & ~base)), int(np.sum(base & ~right))
    return (gained - lost) / len(right), math.sqrt(gained + lost) / len(right)


def is_shown(difference: float, standard_error: float, n_validation: int) -> bool:
    """Returns whether a way is better than another by more than chance, by this module's rule."""
    return difference - 1.0 / n_validation > standard_error


def _compared(result: Result, advised: Result) -> Result:
    """Returns the result with its difference from the advised way, where both were judged."""
    if not (result.trained and advised.trained):
        return result
    difference, standard_error = paired(result.right, advised.right)
    return replace(result, record=replace(result.record, difference=difference, standard_error=standard_error))


def _choose(results: Sequence[Result]) -> Result:
    """Returns the best of those that are better than the advised way, or the advised way."""
    advised, *others = results
    if not advised.trained and not trains_layers(advised.candidate.config):
        return advised  # too few pictures to set some apart: there is nothing to compare
    better = [other for other in others if (_gains(other.record) if advised.trained else other.trained)]
    if not better and advised.error:
        solved = [other for other in others if not trains_layers(other.candidate.config)]
        if isinstance(advised.error, NothingHeldOutError) and solved:
            return solved[0]  # no picture can be spared to validate with, and this way needs none
        raise advised.error
    return max(better, key=lambda other: (other.record.accuracy, -(other.record.loss or 0.0)), default=advised)


def _gains(tried: Try, sign: int = 1) -> bool:
    """Returns whether a way that was tried is better than the advised one, or with sign -1 worse."""
    if tried.difference is None or tried.standard_error is None:
        return False
    return is_shown(sign * tried.difference, tried.standard_error, tried.n_validation)


def _verdict(results: Sequence[Result], taken: Result) -> str:
    """Returns in words what the tries say."""
    advised, *others = (result.record for result in results)
    judged = [other for other in others if other.accuracy is not None]
    if results[0].error and taken is not results[0]:
        if not taken.trained:
            return f"the advised way, {advised.plan.strategy}, needs pictures to validate with, and none can be spared"
        return f"the advised way, {advised.plan.strategy}, failed; this one has the most validation pictures right"
    if advised.accuracy is None or not judged:
        return ""
    best = taken.record
    if best.difference is not None and best.standard_error is not None:
        return (
            f"{100 * best.difference:.1f} points (standard error {100 * best.standard_error:.1f}) more of "
            f"{best.n_validation} validation pictures right than with the advised way, {advised.plan.strategy}"
        )
    tried = f"tried {' and '.join(other.plan.strategy for other in judged)} too"
    if all(_gains(other, -1) for other in judged):
        return f"{tried}: fewer of {advised.n_validation} validation pictures right, by more than chance"
    return f"{tried}: no gain that {advised.n_validation} validation pictures can show"
