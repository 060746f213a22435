"""Whether one setting is really better than another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from handful.core.errors import HandfulError
from handful.core.study import Setting

DECIDED_AT = 2.0
"""Standard errors from which a difference is taken for real: about 1 in 20 would look so by chance."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two settings on the same validation pictures.

    Attributes:
        difference: how much more of the pictures the first answers rightly, in [-1, 1]; mean over seeds.
        standard_error: of `difference`.
        n_seeds: seeds with which both settings are done.
        n_pictures: validation pictures of a seed.
        verdict: what holds for the first setting, at `DECIDED_AT` standard errors.
    """

    difference: float
    standard_error: float
    n_seeds: int
    n_pictures: int
    verdict: Literal["better", "worse", "no difference shown"]


def compare(first: Setting, second: Setting, *, pool: int | None = None) -> Comparison:
    """Returns by how much the first setting is better than the second, paired by seed and by picture.

    With d_si = right_1 - right_2 of picture i of M under seed s of S, the difference is the mean of the seeds' means
    d_s, and its standard error is sqrt(max(W / min(S M, P), B / S)): W is the mean over seeds of var(d_si), what the
    choice of pictures leaves uncertain, and B = var(d_s), how far seeds differ, where there are two or more. S seeds
    cannot show more than the P pictures that their validation parts are drawn from.

    Args:
        first: the setting that the verdict is about.
        second: what it is compared with, on the same data set.
        pool: P; by default the validation parts count as pictures of their own.

    Raises:
        HandfulError: no seed with which both are done, or they were validated on different pictures.
    """
    differences = _paired(first, second)
    means = [float(row.mean()) for row in differences]
    n_seen = sum(len(row) for row in differences)
    within = float(np.mean([row.var(ddof=1) if len(row) > 1 else 0.0 for row in differences]))
    between = float(np.var(means, ddof=1)) if len(means) > 1 else 0.0
    difference = float(np.mean(means))
    standard_error = math.sqrt(max(within / min(n_seen, pool or n_seen), between / len(means)))
    shown = abs(difference) > DECIDED_AT * standard_error
    return Comparison(
        difference=difference,
        standard_error=standard_error,
        n_seeds=len(means),
        n_pictures=len(differences[0]),
        verdict="no difference shown" if not shown else "better" if difference > 0 else "worse",
    )


def _paired(first: Setting, second: Setting) -> list[np.ndarray]:
    """Returns, for each seed with which both are done, int64 (M,) in -1..1: right by the first minus by the second."""
    others = {result.trial.seed: result.right for result in second.results if result.status == "done"}
    pairs = [
        (result.right, others[result.trial.seed])
        for result in first.results
        if result.status == "done" and result.trial.seed in others
    ]
    if not pairs:
        raise HandfulError(
            f"{dict(first.options)} and {dict(second.options)} have no seed with which both are done; "
            "compare settings that were trained to the end with the same seeds."
        )
    if any(len(ours) != len(theirs) or not ours for ours, theirs in pairs):
        raise HandfulError(
            f"{dict(first.options)} and {dict(second.options)} were validated on different numbers of pictures; "
            "compare settings of one study."
        )
    return [np.array(ours, dtype=np.int64) - np.array(theirs, dtype=np.int64) for ours, theirs in pairs]
