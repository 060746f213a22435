"""Draws accuracy against the seconds given, a curve for each peer and a panel for each task, and prints the tables.

python -m benchmarks.peers.draw [--results FILE] [--since DAY] [--out docs]    (writes peers.png and peers.svg)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers.roster import find_peer
from benchmarks.peers.run import DEFAULT_RESULTS, read_lines
from benchmarks.peers.summary import OURS, Curve, Line, curves, markdown, of_one_machine, tasks_of
from benchmarks.peers.tasks import TITLES
from handful.core.errors import HandfulError
from handful.core.files import write_bytes
from handful.report.figures import BLUE, ORANGE, STYLE, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = (
    (ORANGE, "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
    ("#3c4148", "X"),
)
"""Colour and mark of each peer but handful, which is blue: Okabe and Ito (2008); each mark is of one peer alone too."""

WIDTH, HEIGHT = 4.4, 4.0
"""Inches of a panel."""

STEP = 1.022
"""Peers stand beside each other at a budget by this factor, so that their spreads do not hide one another."""

ROW = 0.035
"""Height of a peer's row in the strip below the curves, which tells what did not finish, as a share of the axis."""


def draw(lines: Sequence[Line]) -> dict[str, bytes]:
    """Returns peers.png and peers.svg.

    Args:
        lines: of one machine.
    """
    import matplotlib
    from matplotlib.figure import Figure

    tasks = tasks_of(lines)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH * len(tasks), HEIGHT + 0.75), layout="constrained")
        found = {task: curves(lines, task) for task in tasks}
        names = list(dict.fromkeys(curve.peer for each in found.values() for curve in each))
        others = [name for name in names if name != OURS]
        looks = {OURS: (BLUE, "o"), **{name: LOOKS[i % len(LOOKS)] for i, name in enumerate(others)}}
        for task, axes in zip(tasks, figure.subplots(1, len(tasks), squeeze=False)[0], strict=True):
            draw_task(axes, found[task], looks)
            axes.set_title(TITLES[task], fontsize=9, loc="left")
        figure.axes[0].set_ylabel("test accuracy, %")
        figure.supxlabel(_drawn(found.values()), fontsize=8, x=0.99, ha="right")
        _name(figure)
        return saved("peers", figure)


def draw_task(axes: Axes, found: Sequence[Curve], looks: dict[str, tuple[str, str]]) -> None:
    """Draws the curves of a task; where not every run of a peer finished, a hollow mark stands below."""
    budgets = sorted({point.budget for curve in found for point in curve.points})
    for number, curve in enumerate(found):
        colour, mark = looks[curve.peer]
        ours = curve.peer == OURS
        shift = STEP ** (number - (len(found) - 1) / 2)
        there = [point for point in curve.points if point.mean is not None]
        axes.errorbar(
            [point.budget * shift for point in there],
            [point.mean for point in there],
            yerr=[point.deviation for point in there],
            color=colour,
            marker=mark,
            markersize=5 if ours else 4,
            linewidth=2.2 if ours else 1.2,
            elinewidth=0.8,
            capsize=1.5,
            zorder=3 if ours else 2,
            label=find_peer(curve.peer).title,
        )
    axes.set_xscale("log")
    axes.set_xticks(budgets, [str(budget) for budget in budgets])
    axes.minorticks_off()
    axes.set_xlabel("seconds given")
    axes.grid(axis="y", color="#e3e6ea", linewidth=0.6)
    axes.set_axisbelow(True)
    late = [curve for curve in found if any(point.mean is None for point in curve.points)]
    if late:
        _mark_late(axes, late, looks)


def _drawn(found: Iterable[Sequence[Curve]]) -> str:
    """Returns over how many draws of the pictures the points are."""
    numbers = {point.n_runs for each in found for curve in each for point in curve.points}
    if numbers == {1}:
        return "one draw of the pictures"
    several = " to ".join(map(str, sorted({min(numbers), max(numbers)})))
    return f"mean and standard deviation of {several} draws of the pictures"


def _mark_late(axes: Axes, late: Sequence[Curve], looks: dict[str, tuple[str, str]]) -> None:
    """Draws the strip of what did not finish, a row for each peer that it happened to."""
    share = ROW * (len(late) + 1.5)
    low, high = axes.get_ylim()
    axes.set_ylim(high - (high - low) / (1 - share), high)
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    sides = axes.get_xaxis_transform()
    axes.axhspan(low, axes.get_ylim()[0], color="#f1f3f5", zorder=0)
    axes.text(
        0.99,
        share - 0.2 * ROW,
        "not every run finished in time",
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=7,
    )
    for row, curve in enumerate(late):
        budgets = [point.budget for point in curve.points if point.mean is None]
        height = ROW * (len(late) - row - 0.25)
        colour, mark = looks[curve.peer]
        axes.plot(
            budgets, [height] * len(budgets), mark, color=colour, fillstyle="none", markersize=4.5, transform=sides
        )


def _name(figure: Figure) -> None:
    """Names each curve once, above all panels."""
    known: dict[str, object] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        known = {**dict(zip(labels, handles, strict=True)), **known}
    columns = 2 * len(figure.axes)
    figure.legend(known.values(), known.keys(), loc="outside upper left", ncols=columns, frameon=False, fontsize=8)


def main() -> None:
    """Draws and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.draw", description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS, help="file of the results")
    parser.add_argument(
        "--since", type=date.fromisoformat, default="2000-01-01", help="a day: earlier lines are left out"
    )
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for peers.png and peers.svg")
    given = parser.parse_args()
    lines = of_one_machine([line for line in read_lines(given.results) if line["date"] >= str(given.since)])
    for name, data in draw(lines).items():
        write_bytes(given.out / name, data)
    print(markdown(lines))


if __name__ == "__main__":
    try:
        main()
    except HandfulError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
