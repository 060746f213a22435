"""Why a way of transfer was chosen: where the user's pictures lie among the four cases and among known sets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from handful.core.advice import Alternative, Decision, TransferPlan, Try
from handful.core.records import Resolved, Run
from handful.transfer.choose import CASES, LARGE_DIFFERENT, LARGE_SIMILAR, SIMILAR, WAYS
from handful.transfer.similarity import LANDMARKS, similarity_of

DECADES = 2.0
"""Powers of ten that the map shows on either side of the border between small and large."""

QUADRANTS = ((3, 4), (2, 1))
"""The paper's cases as they lie on the map: large above small, unlike ImageNet left of like it."""

SHORT_WAYS = {
    1: ("keep the network,", "new output layer"),
    2: ("keep the lower layers,", "retrain the higher"),
    3: ("train every layer", "from random weights"),
    4: ("retrain every layer", "from its weights"),
}
"""The ways of Figure 5 in two short lines; `WAYS` has them in full."""


@dataclass(frozen=True, slots=True)
class Quadrant:
    """One of the four cases on the map; `lines` say what to do in it."""

    case: int
    lines: tuple[str, str]
    chosen: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A set of pictures on the scale of similarity; `interval` only of the user's own."""

    name: str
    similarity: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class TriedWay:
    """A way that came into question, and how it did.

    Attributes:
        way: in words.
        options: those that ask for it.
        reason: why one would take it.
        tried: how it did; None where nothing was tried.
        taken: whether it is the one that was trained in the end.
    """

    way: str
    options: str
    reason: str
    tried: Try | None
    taken: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision, ready to be drawn and read.

    Attributes:
        decision: what it shows.
        case: the case in words.
        way: what was advised, in words.
        taken: the way that was trained, and why.
        quadrants: rows from large to small, columns from unlike to like.
        border: similarity at which the columns meet.
        size: in [0, 1], how large the set is; the rows meet at 0.5.
        places: the known sets and the user's, the most similar first.
        plan: the options of the plan that have a reason.
        rest: the others, by name.
        ways: the advised way, then the others.
        reach: the largest difference between ways that the drawing has room for, standard errors included; in [0, 1].
    """

    decision: Decision
    case: str
    way: str
    taken: Resolved
    quadrants: tuple[tuple[Quadrant, ...], ...]
    border: float
    size: float
    places: tuple[Place, ...]
    plan: dict[str, Resolved]
    rest: dict[str, object]
    ways: tuple[TriedWay, ...]
    reach: float


def choice(run: Run) -> Choice | None:
    """Returns how the way of transfer was chosen; None where the user chose it."""
    decision = run.decision
    if decision is None:
        return None
    planned = {name: value for name, value in decision.plan.options.items() if value != ""}
    return Choice(
        decision=decision,
        case=CASES[decision.case],
        way=WAYS[decision.plan.strategy],
        taken=run.strategy,
        quadrants=tuple(
            tuple(Quadrant(case, SHORT_WAYS[case], chosen=case == decision.case) for case in row) for row in QUADRANTS
        ),
        border=SIMILAR,
        size=size_share(decision),
        places=_places(decision),
        plan={name: Resolved(planned[name], reason) for name, reason in decision.reasons.items() if name in planned},
        rest={name: value for name, value in planned.items() if name not in decision.reasons},
        ways=_ways(decision, str(run.strategy.value)),
        reach=max(
            (abs(tried.difference or 0.0) + (tried.standard_error or 0.0) for tried in decision.tries), default=0.0
        )
        or 1.0,
    )


def size_share(decision: Decision) -> float:
    """Returns in [0, 1] how large a set is, by a logarithmic scale: 0.5 where large begins, 0 at a hundredth of that.

    Large is a matter of the pictures in all and in each class, whichever is further from its border; and both borders
    depend on whether the pictures are like ImageNet's.
    """
    limit = LARGE_SIMILAR if decision.similarity.value >= SIMILAR else LARGE_DIFFERENT
    ratio = min(decision.n_images / limit.in_all, decision.n_per_class / limit.per_class)
    return min(max(0.5 + math.log10(max(ratio, 1e-9)) / (2 * DECADES), 0.0), 1.0)


def asked_for(plan: TransferPlan) -> str:
    """Returns "--strategy freeze --freeze 3": what tells ways apart."""
    frozen = "" if plan.freeze is None else f" --freeze {plan.freeze}"
    return f"--strategy {plan.strategy}{frozen}"


def _places(decision: Decision) -> tuple[Place, ...]:
    known = [Place(each.name, similarity_of(each.divergence)) for each in LANDMARKS]
    yours = Place("your pictures", decision.similarity.value, decision.similarity.interval)
    return tuple(sorted([*known, yours], key=lambda place: -place.similarity))


def _ways(decision: Decision, taken: str) -> tuple[TriedWay, ...]:
    advised = Alternative(decision.plan, decision.reasons["strategy"])
    tries = decision.tries or (None,) * (1 + len(decision.alternatives))
    return tuple(
        TriedWay(WAYS[each.plan.strategy], asked_for(each.plan), each.reason, tried, taken=each.plan.strategy == taken)
        for each, tried in zip((advised, *decision.alternatives), tries, strict=True)
    )
