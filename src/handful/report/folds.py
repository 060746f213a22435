"""Cross-validation: the accuracy of every fold, and the numbers of its drawing."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from handful.core.records import Run
from handful.core.trust import Comparison, CrossValidation
from handful.report.learning import Axis, round_ticks
from handful.report.text import percent, percent_range

NOT_SHOWN = "no difference that these data can show"


@dataclass(frozen=True, slots=True)
class Strip:
    """One figure of every fold, a row for each time that the parts were drawn.

    Attributes:
        rows: the figures of the folds of each repeat.
        mean: of all of them.
        interval: of the mean.
        axis: holds all of these.
    """

    rows: tuple[tuple[float, ...], ...]
    mean: float
    interval: tuple[float, float]
    axis: Axis


@dataclass(frozen=True, slots=True)
class Folds:
    """A cross-validation, ready to be drawn and read.

    Attributes:
        cross: what was found.
        accuracy: of every fold; the axis ends at 1.
        gain: accuracy over that of the runner-up, where there is one; the axis holds 0.
        kinds: how often each kind of output layer was chosen, the most frequent first, of all networks together.
        times: "5 folds, 3 times over".
        verdict: which of the two is better, in words; "" without a runner-up.
    """

    cross: CrossValidation
    accuracy: Strip
    gain: Strip | None
    kinds: tuple[tuple[str, int], ...]
    times: str
    verdict: str


def folds(run: Run) -> Folds | None:
    """Returns what the page says about a cross-validation; None without one."""
    cross = run.trust.cross if run.trust else None
    if cross is None:
        return None
    comparison = cross.comparison
    gain = None
    if comparison:
        gains = [fold.gain or 0.0 for fold in cross.folds]
        ends = (*comparison.interval, *gains, 0.0)
        room = 0.08 * (max(ends) - min(ends)) or 0.01
        gain = _strip(cross, gains, comparison.gain, comparison.interval, ends=(min(ends) - room, max(ends) + room))
    accuracies = [fold.accuracy for fold in cross.folds]
    low = max(0.0, min(cross.interval[0], *accuracies) - 0.03)
    return Folds(
        cross=cross,
        accuracy=_strip(cross, accuracies, cross.accuracy, cross.interval, ends=(low, 1.0)),
        gain=gain,
        kinds=tuple(Counter(kind for fold in cross.folds for kind in fold.heads).most_common()),
        times=times(cross),
        verdict=verdict(comparison) if comparison else "",
    )


def cross_line(cross: CrossValidation) -> str:
    """Returns the result in one line for the terminal."""
    line = (
        f"Cross-validated, {times(cross)}: {percent(cross.accuracy)} right "
        f"(95 % interval {percent_range(cross.interval)}, corrected for what folds share)"
    )
    return line + (f"; {verdict(cross.comparison)}." if cross.comparison else ".")


def times(cross: CrossValidation) -> str:
    """Returns "5 folds" or "5 folds, 3 times over"."""
    return f"{cross.n_folds} folds" + (f", {cross.n_repeats} times over" if cross.n_repeats > 1 else "")


def verdict(comparison: Comparison) -> str:
    """Returns which of the two is better, where these data show it."""
    if not comparison.shown:
        return f"between {comparison.chosen} and {comparison.runner_up} {NOT_SHOWN}"
    better, other = comparison.chosen, comparison.runner_up
    if comparison.gain < 0.0:
        better, other = other, better
    return f"{better} is better than {other}"


def cross_dict(run: Run) -> dict[str, Any] | None:
    """Returns a cross-validation as plain values; None where there was none."""
    cross = run.trust.cross if run.trust else None
    if cross is None:
        return None
    comparison = cross.comparison
    return {
        **asdict(cross),
        "comparison": None if comparison is None else {**asdict(comparison), "verdict": verdict(comparison)},
    }


def _strip(
    cross: CrossValidation,
    figures: list[float],
    mean: float,
    interval: tuple[float, float],
    *,
    ends: tuple[float, float],
) -> Strip:
    rows = tuple(
        tuple(figure for fold, figure in zip(cross.folds, figures, strict=True) if fold.repeat == repeat)
        for repeat in range(cross.n_repeats)
    )
    return Strip(rows, mean, interval, Axis(*ends, round_ticks(*ends)))
