"""What the lines of results say: accuracy by budget, and handful less each peer on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers.roster import find_peer
from benchmarks.peers.tasks import TITLES
from handful.core.errors import DataError

OURS = "handful"

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """A peer at a budget.

    Attributes:
        budget: seconds.
        n_runs: seeds that were run.
        n_finished: of them, those whose predictions were there in time.
        mean: accuracy over the seeds in percent; None unless all finished, because the others are not a fair draw.
        deviation: standard deviation over the seeds, percentage points; 0 for one seed.
        seconds: mean seconds of the finished runs; None where there are none.
    """

    budget: int
    n_runs: int
    n_finished: int
    mean: float | None
    deviation: float
    seconds: float | None

    @property
    def error(self) -> float:
        """The standard error of the mean, percentage points."""
        return self.deviation / float(np.sqrt(self.n_runs))


@dataclass(frozen=True, slots=True)
class Difference:
    """handful less a peer over the seeds that both ran: mean and standard error, percentage points."""

    n_seeds: int
    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A peer on a task, by budget."""

    peer: str
    points: tuple[Point, ...]
    differences: Mapping[int, Difference]


def of_one_machine(lines: Sequence[Line]) -> list[Line]:
    """Returns the lines of the machine that wrote the last one: seconds of different machines say nothing together.

    Raises:
        DataError: there are no lines, or a seed's pictures were not the same for all peers.
    """
    if not lines:
        raise DataError("there are no results yet. Make some with: python -m benchmarks.peers.run --task solar")
    ours = [line for line in lines if line["machine"] == lines[-1]["machine"]]
    splits: dict[tuple[str, int], str] = {}
    for line in ours:
        key = (line["task"], line["seed"])
        if splits.setdefault(key, line["split"]) != line["split"]:
            raise DataError(
                f"the pictures of task {key[0]}, seed {key[1]}, differ between lines ({line['peer']} has split "
                f"{line['split'][:8]}, another {splits[key][:8]}). Take the older lines out of the file and run again."
            )
    return ours


def tasks_of(lines: Sequence[Line]) -> list[str]:
    """Returns the tasks that have results, in their usual order."""
    return [task for task in TITLES if any(line["task"] == task for line in lines)]


def curves(lines: Sequence[Line], task: str) -> list[Curve]:
    """Returns the curve of every peer on a task: handful's first, the others in the order of their first line."""
    runs: dict[str, dict[tuple[int, int], Line]] = {}
    for line in lines:
        if line["task"] == task:
            runs.setdefault(line["peer"], {})[line["budget"], line["seed"]] = line
    names = sorted(runs, key=lambda name: find_peer(name).name != OURS)
    return [Curve(name, _points(runs[name]), _differences(runs.get(OURS, {}), runs[name])) for name in names]


def markdown(lines: Sequence[Line]) -> str:
    """Returns the tables: for each task the accuracy, the seconds taken, and what handful is ahead by."""
    return "\n\n".join(_task_table(TITLES[task], curves(lines, task)) for task in tasks_of(lines)) + "\n"


def _task_table(title: str, found: Sequence[Curve]) -> str:
    budgets = sorted({point.budget for curve in found for point in curve.points})
    header = [title, *(f"{budget} s" for budget in budgets)]
    rows = [header, ["---"] * len(header)]
    for curve in found:
        points = {point.budget: point for point in curve.points}
        rows.append([find_peer(curve.peer).title, *(_cell(points.get(budget)) for budget in budgets)])
        if curve.differences:
            ahead = [_ahead(curve.differences.get(budget)) for budget in budgets]
            rows.append(["*handful less this*", *ahead])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _cell(point: Point | None) -> str:
    if point is None:
        return ""
    if point.mean is None:
        return f"{point.n_runs - point.n_finished} of {point.n_runs} did not finish"
    assert point.seconds is not None
    spread = f" +- {point.error:.1f}" if point.n_runs > 1 else ""
    return f"{point.mean:.1f} %{spread} ({point.seconds:.0f} s)"


def _ahead(difference: Difference | None) -> str:
    if difference is None:
        return ""
    return (
        f"*{difference.mean:+.1f} +- {difference.error:.1f}*" if difference.n_seeds > 1 else f"*{difference.mean:+.1f}*"
    )


def _points(runs: Mapping[tuple[int, int], Line]) -> tuple[Point, ...]:
    return tuple(
        _point(budget, [line for (other, _), line in runs.items() if other == budget])
        for budget in sorted({budget for budget, _ in runs})
    )


def _point(budget: int, lines: Sequence[Line]) -> Point:
    finished = [line for line in lines if line["finished"]]
    scores = np.array([100 * line["accuracy"] for line in finished])
    return Point(
        budget,
        len(lines),
        len(finished),
        mean=float(scores.mean()) if len(finished) == len(lines) else None,
        deviation=float(scores.std(ddof=1)) if len(finished) > 1 else 0.0,
        seconds=float(np.mean([line["seconds"] for line in finished])) if finished else None,
    )


def _differences(ours: Mapping[tuple[int, int], Line], theirs: Mapping[tuple[int, int], Line]) -> dict[int, Difference]:
    """Returns the paired differences by budget; none of handful to itself, or where a run did not finish."""
    if ours is theirs:
        return {}
    late = {budget for runs in (ours, theirs) for (budget, _), line in runs.items() if not line["finished"]}
    both = ours.keys() & theirs.keys()
    found = {}
    for budget in sorted({budget for budget, _ in both} - late):
        pairs = [key for key in both if key[0] == budget]
        values = np.array([100 * (ours[key]["accuracy"] - theirs[key]["accuracy"]) for key in pairs])
        error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
        found[budget] = Difference(len(values), float(values.mean()), error)
    return found
