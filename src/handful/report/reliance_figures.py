"""The figures about answers and about more pictures, for a paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from handful.core.records import Run
from handful.report.figures import BLUE, GREY, ORANGE, STYLE, saved
from handful.report.folds import Folds, folds
from handful.report.reliance import GrowthChart, Operating, Reliance, reliance
from handful.report.text import percent, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def reliance_figures(run: Run) -> dict[str, bytes]:
    """Returns the figures by name: folds, risk, operating, growth, each as .png and .svg, where there are numbers."""
    import matplotlib

    known = reliance(run)
    drawn: dict[str, bytes] = {}
    if known is None:
        return drawn
    crossed = folds(run)
    with matplotlib.rc_context(STYLE):
        if crossed:
            drawn |= saved("folds", draw_folds(crossed))
        if known.risk_chart:
            drawn |= saved("risk", _one_panel(lambda axes: draw_risk(axes, known)))
        if known.operating:
            drawn |= saved("operating", draw_operating(known.operating))
        if known.growth:
            chart = known.growth
            drawn |= saved("growth", _one_panel(lambda axes: draw_growth(axes, chart)))
    return drawn


def draw_folds(found: Folds) -> Figure:
    """Returns the accuracy of every fold, a row for each repeat, and beside it the gain over the runner-up, if any."""
    from matplotlib.figure import Figure

    strips = [(found.accuracy, "right in a fold")]
    if found.gain and found.cross.comparison:
        strips.append((found.gain, f"more right than {printable(found.cross.comparison.runner_up)}"))
    figure = Figure(figsize=(3.6 * len(strips), 1.6 + 0.2 * found.cross.n_repeats), layout="tight")
    for axes, (strip, label) in zip(figure.subplots(1, len(strips), squeeze=False)[0], strips, strict=True):
        axes.axvspan(*strip.interval, color=BLUE, alpha=0.14, linewidth=0, label="95 % interval of the mean")
        axes.axvline(strip.mean, color=BLUE, linewidth=1.4, label="mean")
        if strip is found.gain:
            axes.axvline(0.0, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        for repeat, row in enumerate(strip.rows, start=1):
            axes.plot(row, [repeat] * len(row), "o", color=BLUE, alpha=0.6, markersize=5, clip_on=False)
        ends = (found.cross.n_repeats + 0.6, 0.4)
        axes.set(xlim=(strip.axis.low, strip.axis.high), ylim=ends, xlabel=label, ylabel="repeat")
        axes.set_xticks(strip.axis.ticks)
        axes.set_yticks(sorted({1, found.cross.n_repeats}))
        axes.legend(frameon=False, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def draw_risk(axes: Axes, known: Reliance) -> None:
    """Draws the share of wrong answers against the share of pictures answered, and where the rule lies."""
    chart = known.risk_chart
    assert chart is not None
    axes.plot(chart.held_out.steps, chart.held_out.values, color=GREY, linewidth=1, label="pictures held out")
    axes.plot(chart.test.steps, chart.test.values, color=BLUE, linewidth=1.4, label="test pictures")
    risk = known.trust.rules.answer.risk
    axes.axhline(risk, color=ORANGE, linewidth=0.8, linestyle=(0, (4, 3)), label=f"asked for: {percent(risk)}")
    if known.answered.n:
        low, high = known.wrong.interval
        reach = [[max(known.wrong.share - low, 0.0)], [max(high - known.wrong.share, 0.0)]]
        axes.errorbar(
            [known.answered.share], [known.wrong.share], yerr=reach, fmt="o", color=BLUE, markersize=5, capsize=2
        )
    axes.set(xlim=(0, 1.01), ylim=(0, chart.y.high), xlabel="share of pictures answered", ylabel="share of these wrong")
    axes.legend(frameon=False, fontsize=8)


def draw_operating(operating: Operating) -> Figure:
    """Returns found against false alarms (ROC) and precision against found, with the thresholds in use."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.8, 3.2), layout="tight")
    left, right = figure.subplots(1, 2)
    curve, name = operating.curve, printable(operating.name)
    left.plot(np.r_[0, curve.alarmed], np.r_[0, curve.found], color=BLUE, linewidth=1.4)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    right.plot(curve.found, curve.precision, color=BLUE, linewidth=1.4)
    for point, shade in ((operating.even, GREY), (operating.chosen, ORANGE)):
        if point is not None:
            found, n_called = 1.0 - point.missed.share, point.called.n
            left.plot([point.alarms.share], [found], "o", color=shade, markersize=6)
            right.plot([found], [1.0 - point.alarms.n / n_called if n_called else 1.0], "o", color=shade, markersize=6)
    left.set(
        xlabel="false alarms, share of the others", ylabel=f"found, share of {name}", title=f"area {curve.area:.3f}"
    )
    right.set(
        xlabel=f"found, share of {name}",
        ylabel="precision",
        title=f"average precision {curve.average_precision:.3f}",
        ylim=(-0.02, 1.02),
    )
    return figure


def draw_growth(axes: Axes, chart: GrowthChart) -> None:
    """Draws accuracy against training pictures: measured, now with its 95 % interval, forecasts with 90 %."""
    axes.plot(
        chart.measured.steps, chart.measured.values, "o-", color=GREY, markersize=4, linewidth=1, label="measured"
    )
    n_now, now = chart.now
    reach = np.abs(np.array(chart.now_interval)[:, None] - now)
    axes.errorbar([n_now], [now], yerr=reach, fmt="o", color=BLUE, markersize=6, capsize=2, label="now, held out")
    sizes = [each.n_images for each in chart.growth.forecasts]
    expected = np.array([each.accuracy for each in chart.growth.forecasts])
    ends = np.array([each.interval for each in chart.growth.forecasts]).T
    axes.errorbar(
        sizes,
        expected,
        yerr=np.maximum([expected - ends[0], ends[1] - expected], 0.0),
        fmt="o--",
        color=ORANGE,
        markersize=5,
        linewidth=0.8,
        elinewidth=1,
        capsize=2,
        label="forecast, 90 % interval",
    )
    axes.set(xlim=(0, chart.x.high), ylim=(chart.y.low, 1.0), xlabel="training pictures", ylabel="accuracy")
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def _one_panel(draw: Callable[[Axes], None]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 3.2), layout="tight")
    draw(figure.add_subplot())
    return figure
