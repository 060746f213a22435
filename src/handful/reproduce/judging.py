"""From measurements to a verdict: what has to hold, whether it surely does, and how that is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist
from typing import Any, Literal

from handful.reproduce.measures import Estimate
from handful.reproduce.records import Verdict, Word
from handful.study.compare import DECIDED_AT

Unit = Literal["share", "points", "epochs", "nats", "errors"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to hold for a claim.

    Attributes:
        what: what was measured, in words.
        estimate: the measurement.
        wanted: on which side of the level it has to lie.
        level: where the sides meet.
        unit: of the measurement: a share in [0, 1], a difference of shares, epochs, log loss, or standard errors.
        slack: how far on the wanted side it may lie and still be taken for refuted, being too small to matter.
    """

    what: str
    estimate: Estimate
    wanted: Literal["above", "below"]
    level: float
    unit: Unit
    slack: float = 0.0


def judged(checks: Sequence[Check]) -> Word:
    """Returns whether a claim agrees: every check surely holds, or one surely does not, or neither can be told.

    "Surely" is two standard errors. Where one of several checks could refute the claim by chance, it has to do so by
    more (Bonferroni), so that the whole verdict errs no more often than a single check.
    """
    if any(_refuted(check, at=critical(len(checks))) for check in checks):
        return "disagrees"
    return "agrees" if checks and all(_held(check) for check in checks) else "cannot tell"


def critical(n_comparisons: int) -> float:
    """Returns the standard errors that the most striking of several comparisons must have to be taken for real.

    Example:
        >>> round(critical(1), 6), round(critical(10), 2)
        (2.0, 2.84)
    """
    by_chance = 2.0 * (1.0 - NormalDist().cdf(DECIDED_AT))
    return NormalDist().inv_cdf(1.0 - by_chance / (2.0 * n_comparisons))


def as_verdict(
    figure: str, claim: str, checks: Sequence[Check], *, word: Word | None = None, reason: str = ""
) -> Verdict:
    """Returns the verdict on a claim.

    Args:
        figure: where the paper claims it.
        claim: in words.
        checks: what was measured.
        word: the verdict, where it is not the checks that give it.
        reason: why it is not; said first, with a colon where the measurements belong to it.
    """
    alike = groupby(checks, key=lambda check: (check.wanted, check.level, check.unit))
    measured = "; ".join(_said(list(group)) for _, group in alike)
    if measured and not reason.endswith(":"):
        measured = measured[:1].upper() + measured[1:]
    sentence = " ".join(part for part in (reason, f"{measured}." if measured else "") if part)
    return Verdict(figure, claim, word or judged(checks), sentence, {check.what: _numbers(check) for check in checks})


def _held(check: Check) -> bool:
    sign = 1.0 if check.wanted == "above" else -1.0
    return sign * (check.estimate.value - check.level) > DECIDED_AT * check.estimate.error


def _refuted(check: Check, *, at: float) -> bool:
    sign = 1.0 if check.wanted == "above" else -1.0
    return sign * (check.estimate.value - check.level) + at * check.estimate.error < check.slack


def _said(checks: Sequence[Check]) -> str:
    """Returns "1 over 3: +1.2 ± 0.8 points (expected: above 0)", for several checks that expect the same."""
    if all(math.isnan(check.estimate.value) for check in checks):
        return f"{checks[0].what}: no training came to its end"
    measured = ", ".join(f"{check.what}: {shown(check.estimate, check.unit)}" for check in checks)
    return f"{measured} ({'each ' if len(checks) > 1 else ''}expected: {checks[0].wanted} {_level(checks[0])})"


def shown(estimate: Estimate, unit: Unit) -> str:
    """Returns a measurement with two standard errors.

    Example:
        >>> shown(Estimate(0.8312, 0.006), "share"), shown(Estimate(-0.004, 0.002), "points")
        ('83.1 ± 1.2 %', '-0.4 ± 0.4 points')
    """
    value, error = estimate.value, DECIDED_AT * estimate.error
    match unit:
        case "share":
            return f"{100 * value:.1f} ± {100 * error:.1f} %"
        case "points":
            return f"{round(100 * value, 1) + 0.0:+.1f} ± {100 * error:.1f} points"  # + 0.0: no negative zero
        case "epochs":
            return f"{value:+.1f} ± {error:.1f}"
        case "nats":
            return f"{value:+.3f} ± {error:.3f}"
        case "errors":
            return f"{value:.1f} standard errors"


def _level(check: Check) -> str:
    match check.unit:
        case "share":
            return f"{100 * check.level:.3g} %"
        case "points":
            return f"{100 * check.level:.3g}"
        case _:
            return f"{check.level:.2g}"


def _numbers(check: Check) -> dict[str, Any]:
    return {
        "value": check.estimate.value,
        "standard_error": check.estimate.error,
        "unit": check.unit,
        "expected": check.wanted,
        "level": check.level,
        "holds": _held(check),
    }
