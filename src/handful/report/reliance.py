"""What may be relied on, measured on the test part: the numbers behind the sections about answers and more pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handful.core.records import FloatArray, IntArray, Run
from handful.core.trust import ClassGain, Forecast, Growth, MissRule, RiskPoint, Trust
from handful.evaluate import (
    OperatingCurve,
    answers_needed,
    are_unlike,
    are_unsure,
    operating_curve,
    prediction_sets,
    risk_curve,
    wilson_interval,
)
from handful.report.learning import Axis, Curve, round_ticks, thinned

SHARES = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))

Chosen = npt.NDArray[np.bool_]

FEWEST_PICTURES = 20
"""Test pictures from which a curve says something."""

NO_GAIN = 0.002
"""An expected gain of recall below this is none: a fifth of a point."""

MOST_POINTS = 200
"""Thresholds that a drawing on the page shows."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some pictures, in [0, 1] with its 95 % Wilson interval; NaN where there are none."""

    n: int
    of: int
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class RiskChart:
    """The share of wrong answers against the share of pictures that are answered."""

    held_out: Curve
    test: Curve
    x: Axis
    y: Axis


@dataclass(frozen=True, slots=True)
class Threshold:
    """What calling every picture from a probability on gives for the test part.

    Attributes:
        probability: the least probability of the class.
        missed: pictures of the class that are not called.
        alarms: other pictures that are called.
        called: pictures that are called, whatever they are.
    """

    probability: float
    missed: Share
    alarms: Share
    called: Share


@dataclass(frozen=True, slots=True)
class Operating:
    """One class against the others on the test part.

    Attributes:
        name: the class.
        curve: what every threshold gives.
        even: what the most probable answer gives: a threshold of one half between two classes.
        rule: the one that was chosen, where a share of misses was asked for.
        chosen: what it gives.
    """

    name: str
    curve: OperatingCurve
    even: Threshold
    rule: MissRule | None = None
    chosen: Threshold | None = None

    @property
    def roc(self) -> Curve:
        """Share found by share of false alarms, for a drawing."""
        return _thinned(np.r_[0.0, self.curve.alarmed], np.r_[0.0, self.curve.found])

    @property
    def precision(self) -> Curve:
        """Precision by share found, for a drawing."""
        return _thinned(self.curve.found, self.curve.precision)


@dataclass(frozen=True, slots=True)
class GrowthChart:
    """Accuracy against training pictures: what was measured on fewer, what is now, and the forecasts."""

    growth: Growth
    measured: Curve
    now: tuple[int, float]
    now_interval: tuple[float, float]
    x: Axis
    y: Axis

    @property
    def double(self) -> Forecast:
        """The forecast for twice the pictures."""
        return next(each for each in self.growth.forecasts if each.factor == 2.0)

    @property
    def gaining(self) -> tuple[ClassGain, ...]:
        """The classes that are expected to gain, the most first."""
        return tuple(each for each in self.growth.classes if each.expected >= NO_GAIN)


@dataclass(frozen=True, slots=True)
class Reliance:
    """What may be relied on.

    Attributes:
        trust: the rules, chosen without the test part.
        needed: held-out answers without a mistake that would be the fewest to promise the risk.
        answered: test pictures that are answered.
        wrong: the answered ones that are wrong.
        risk_chart: None with fewer than 20 test pictures.
        covered: test pictures whose class is among the named ones.
        sizes: number of classes named, ascending, and of how many test pictures.
        unlike: test pictures that look like none of the training pictures; None where that is not known.
        operating: two classes, or the class that must not be missed.
        growth: what more pictures would bring.
    """

    trust: Trust
    needed: int
    answered: Share
    wrong: Share
    risk_chart: RiskChart | None
    covered: Share
    sizes: tuple[tuple[int, int], ...]
    unlike: Share | None
    operating: Operating | None
    growth: GrowthChart | None


def reliance(run: Run) -> Reliance | None:
    """Returns what may be relied on; None where nothing was found out."""
    if run.trust is None:
        return None
    rules, proba, labels = run.trust.rules, run.test_proba, run.table.labels[run.split.test]
    answered = ~are_unsure(proba, rules.answer)
    named = prediction_sets(proba, rules.sets)
    sizes, counts = np.unique(named.sum(axis=1), return_counts=True)
    unlike = None
    if rules.familiar is not None and run.trust.test_distances is not None:
        unlike = _share(are_unlike(run.trust.test_distances, rules.familiar))
    return Reliance(
        trust=run.trust,
        needed=answers_needed(rules.answer.risk),
        answered=_share(answered),
        wrong=_share((proba.argmax(axis=1) != labels)[answered]),
        risk_chart=_risk_chart(run.trust, proba, labels),
        covered=_share(named[np.arange(len(labels)), labels]),
        sizes=tuple(zip(sizes.tolist(), counts.tolist(), strict=True)),
        unlike=unlike,
        operating=_operating(run, labels),
        growth=_growth_chart(run, run.trust.growth),
    )


def _thinned(x: FloatArray, y: FloatArray) -> Curve:
    rows = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int))
    return Curve(tuple(x[rows].tolist()), tuple(y[rows].tolist()))


def _share(chosen: Chosen) -> Share:
    n, of = int(chosen.sum()), len(chosen)
    return Share(n, of, n / of if of else float("nan"), wilson_interval(n, of))


def _risk_chart(trust: Trust, proba: FloatArray, labels: IntArray) -> RiskChart | None:
    if len(labels) < FEWEST_PICTURES or not trust.risks:
        return None
    held_out, test = _risks(trust.risks), _risks(risk_curve(proba, labels))
    # Among the few most confident answers one mistake is a large share; what matters lies to the right of them.
    settled = [risk for curve in (held_out, test) for x, risk in zip(curve.steps, curve.values, strict=True) if x > 0.1]
    high = min(1.0, 1.15 * max([*settled, trust.rules.answer.risk]))
    return RiskChart(held_out, test, SHARES, Axis(0.0, high, round_ticks(0, high)))


def _risks(points: tuple[RiskPoint, ...]) -> Curve:
    return thinned(Curve(tuple(point.coverage for point in points), tuple(point.risk for point in points)))


def _operating(run: Run, labels: IntArray) -> Operating | None:
    """Returns the class to be found against the others: the one asked for, or of two classes the less frequent."""
    rule = run.trust.rules.miss if run.trust else None
    classes = run.table.classes
    if rule is None and len(classes) > 2:
        return None
    counts = np.bincount(run.table.labels[run.split.train], minlength=len(classes))
    label = int(counts.argmin()) if rule is None else rule.label
    positive, scores = labels == label, run.test_proba[:, label]
    if positive.all() or not positive.any():
        return None
    even = run.test_proba.argmax(axis=1) == label
    return Operating(
        name=classes[label],
        curve=operating_curve(scores, positive),
        even=_threshold(0.5, even, positive),
        rule=rule,
        chosen=None if rule is None else _threshold(rule.probability, scores >= rule.probability, positive),
    )


def _threshold(
    probability: float,
    called: Chosen,
    positive: Chosen,
) -> Threshold:
    return Threshold(probability, _share(~called[positive]), _share(called[~positive]), _share(called))


def _growth_chart(run: Run, growth: Growth | None) -> GrowthChart | None:
    held_out = run.held_out
    if growth is None or held_out is None:
        return None
    measured = Curve(
        tuple(point.n_images for point in growth.points),
        tuple(1.0 - growth.level * point.error for point in growth.points),
    )
    now = (len(run.split.train), held_out.accuracy)
    lows = [*measured.values, held_out.accuracy_interval[0], *(each.interval[0] for each in growth.forecasts)]
    low = max(0.0, min(lows) - 0.03)
    last = 1.04 * growth.forecasts[-1].n_images
    ticks = tuple(tick for tick in round_ticks(0, last) if tick == int(tick))
    return GrowthChart(
        growth,
        measured,
        now,
        held_out.accuracy_interval,
        Axis(0.0, last, ticks),
        Axis(low, 1.0, round_ticks(low, 1)),
    )
