"""The figures for a paper: PNG at twice the usual resolution, and SVG whose text stays text.

matplotlib is used without pyplot, which would keep figures and choose a window system for the whole process. It is
imported inside the functions, because that takes most of a second.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from handful.core.records import Evaluation, Run
from handful.report.learning import Learning, Panel, learnings
from handful.report.numbers import ReliabilityPoint, SearchCurve, by_recall, reliability, searches
from handful.report.text import counted, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767c85"
"""Blue and vermillion of Okabe and Ito (2008), told apart by every kind of colour vision."""

DOTS_PER_INCH = 200

MOST_NUMBERED = 20
"""Classes up to which the matrix shows its counts."""

MOST_NAMED = 60
"""Classes up to which their names are written; classes.csv has all."""

MOST_DOTS = 60
"""Looks at the validation part up to which each has a dot."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "xtick.color": "#3c4148",
    "ytick.color": "#3c4148",
    "text.parse_math": False,  # a class may be called "$\\frac"
    "svg.fonttype": "none",
    "svg.hashsalt": "handful",  # equal runs give equal files
}


def figures(run: Run) -> dict[str, bytes]:
    """Returns the figures by file name: confusion, classes, reliability, penalty, training, each as .png and .svg.

    Reliability is left out with fewer than 10 test pictures, penalty where none was searched, training where no layers
    were trained by gradient descent.
    """
    import matplotlib

    points, curves, trained = reliability(run), searches(run), learnings(run)
    n_classes = len(run.table.classes)
    side = 1.8 + 0.42 * n_classes if n_classes <= MOST_NUMBERED else 6.0
    with matplotlib.rc_context(STYLE):
        drawn = _drawn("confusion", lambda axes: draw_confusion(axes, run.evaluation), size=(side + 0.6, side))
        height = 1.0 + 0.26 * min(n_classes, MOST_NAMED)
        drawn |= _drawn("classes", lambda axes: draw_classes(axes, run.evaluation), size=(5.0, height))
        if points:
            drawn |= _drawn("reliability", lambda axes: draw_reliability(axes, points), size=(3.4, 3.4))
        if curves:
            drawn |= _drawn("penalty", lambda axes: draw_searches(axes, curves), size=(4.2, 3.0))
        if trained:
            drawn |= saved("training", draw_trainings(trained))
    return drawn


def draw_confusion(axes: Axes, evaluation: Evaluation) -> None:
    """Draws the confusion matrix: a row per true class, shaded by its share of the row."""
    names = [_short(each.name) for each in evaluation.per_class]
    totals = evaluation.confusion.sum(axis=1, keepdims=True)
    shares = evaluation.confusion / np.maximum(totals, 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, interpolation="none")
    axes.set(xlabel="predicted", ylabel="true")
    axes.spines[:].set_visible(False)
    if len(names) <= MOST_NAMED:
        ticks = range(len(names))
        axes.set_xticks(
            ticks, names, rotation=45 if len(names) <= 8 else 90, ha="right" if len(names) <= 8 else "center"
        )
        axes.set_yticks(ticks, names)
        axes.tick_params(length=0, labelsize=9 if len(names) <= MOST_NUMBERED else 5)
    if len(names) <= MOST_NUMBERED:
        for true, predicted in np.argwhere(evaluation.confusion):
            shade = "white" if shares[true, predicted] > 0.55 else "black"
            count = str(evaluation.confusion[true, predicted])
            axes.text(predicted, true, count, ha="center", va="center", color=shade)


def draw_classes(axes: Axes, evaluation: Evaluation) -> None:
    """Draws the recall of every class with its Wilson interval, the least recognised at the top."""
    shown = [each for each in by_recall(evaluation) if each.n_test][:MOST_NAMED]
    rows = np.arange(len(shown))
    recalls = np.array([each.recall for each in shown])
    intervals = np.array([each.recall_interval for each in shown])
    axes.barh(rows, recalls, height=0.62, color=BLUE, alpha=0.35)
    reach = np.maximum(np.abs(intervals.T - recalls), 0.0)
    axes.errorbar(recalls, rows, xerr=reach, fmt="o", markersize=3, color=BLUE, elinewidth=1, capsize=2)
    axes.set_yticks(rows, [f"{_short(each.name)} ({each.n_test})" for each in shown])
    axes.set(xlim=(0, 1.02), ylim=(len(shown) - 0.4, -0.6), xlabel="recall, with 95 % Wilson interval")
    axes.tick_params(axis="y", length=0)


def draw_reliability(axes: Axes, points: tuple[ReliabilityPoint, ...]) -> None:
    """Draws accuracy against confidence in bins of equal count; a perfect model lies on the diagonal."""
    confidences = np.array([each.confidence for each in points])
    accuracies = np.array([each.accuracy for each in points])
    reach = np.abs(np.array([each.interval for each in points]).T - accuracies)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.errorbar(confidences, accuracies, yerr=reach, fmt="o-", markersize=4, color=BLUE, linewidth=1, capsize=2)
    low = 0.05 * np.floor(20 * max(0.0, confidences.min() - 0.05))
    axes.set(xlim=(low, 1.01), ylim=(-0.01, 1.01), xlabel="confidence", ylabel="accuracy, with 95 % Wilson interval")


def draw_searches(axes: Axes, curves: tuple[SearchCurve, ...]) -> None:
    """Draws the held-out log loss against the penalty, a curve per backbone, the chosen one marked."""
    for curve, shade in zip(curves, (BLUE, "#009E73", "#CC79A7", GREY) * len(curves), strict=False):
        axes.plot(curve.penalties, curve.log_losses, ".-", color=shade, linewidth=1, label=printable(curve.backbone))
        nearest = int(np.argmin(np.abs(np.array(curve.penalties) - curve.chosen)))
        axes.plot(curve.penalties[nearest], curve.log_losses[nearest], "o", color=ORANGE, markersize=6, zorder=3)
    axes.set(xlabel="penalty (chosen: orange)", ylabel="held-out log loss")
    if all(penalty > 0 for curve in curves for penalty in curve.penalties):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")  # its own writes 10^2 as a formula, and formulas are off
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=8)


def draw_trainings(given: tuple[Learning, ...]) -> Figure:
    """Returns the curves of every network, a row each: loss on the left, accuracy on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.9 * len(given)), layout="constrained")
    rows = figure.subplots(len(given), 2, squeeze=False)
    for learning, row in zip(given, rows, strict=True):
        for panel, axes in zip(learning.panels, row, strict=True):
            draw_panel(axes, panel, learning)
            axes.set_ylabel(f"{panel.name}, {printable(learning.backbone)}" if len(given) > 1 else panel.name)
    handles, labels = max((axes.get_legend_handles_labels() for axes in rows[:, 0]), key=lambda each: len(each[0]))
    figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return figure


def draw_panel(axes: Axes, panel: Panel, learning: Learning) -> None:
    """Draws one figure of a training by update, and marks what was kept and where overfitting begins."""
    raw, training, validation = panel.mini_batches, panel.training, panel.validation
    axes.plot(raw.steps, raw.values, color=ORANGE, alpha=0.22, linewidth=0.6)
    axes.plot(training.steps, training.values, color=ORANGE, linewidth=1.4, label="training, mean of an epoch")
    if validation.steps:
        dots = "o-" if len(validation.steps) <= MOST_DOTS else "-"
        axes.plot(
            validation.steps,
            validation.values,
            dots,
            color=BLUE,
            markersize=3,
            linewidth=1.4,
            label="validation",
            clip_on=False,
        )
    axes.set(xlim=(learning.axis.low, learning.axis.high), ylim=(panel.axis.low, panel.axis.high))
    axes.set_xlabel(f"update ({counted(learning.per_epoch, 'makes', 'make')} an epoch)")
    axes.set_yticks(panel.axis.ticks)
    if learning.overfits_from is not None:
        axes.axvspan(learning.overfits_from, learning.axis.high, color=GREY, alpha=0.12, linewidth=0)
        _mark(axes, "overfitting begins", learning.overfits_from, learning, height=1.09)
    if learning.kept is not None:
        axes.axvline(learning.kept, color="black", linewidth=0.8, linestyle=(0, (4, 3)))
        _mark(axes, f"weights kept: update {learning.kept:,}", learning.kept, learning, height=1.02)


def saved(name: str, figure: Figure) -> dict[str, bytes]:
    """Returns a figure in both formats, by file name."""
    png = _saved(figure, "png")
    figure.set_layout_engine("none")  # the places are found; finding them again takes a third of the time
    return {f"{name}.png": png, f"{name}.svg": svg_of(figure)}


def svg_of(figure: Figure) -> bytes:
    """Returns a figure as SVG, the same bytes for equal figures."""
    return _saved(figure, "svg")


def _mark(axes: Axes, text: str, step: int, learning: Learning, *, height: float) -> None:
    """Writes above an update, to the side on which there is room."""
    share = learning.axis.share(step)
    side = "left" if share < 0.3 else "right" if share > 0.7 else "center"
    axes.text(share, height, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=8)


def _drawn(name: str, draw: Callable[[Axes], None], *, size: tuple[float, float]) -> dict[str, bytes]:
    """Returns a figure of one panel in both formats."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="tight")
    draw(figure.add_subplot())
    return saved(name, figure)


def _saved(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # matplotlib's own font lacks some scripts: the PNG then shows boxes, the SVG names the characters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        nothing = {"png": {"Software": None}, "svg": {"Date": None}}[kind]  # else equal figures give other files
        figure.savefig(stream, format=kind, dpi=DOTS_PER_INCH, metadata=nothing)
    return stream.getvalue()


def _short(name: str, *, limit: int = 28) -> str:
    """Returns the name with its middle left out where it is long: the ends are what differs."""
    name = printable(name)
    return name if len(name) <= limit else f"{name[: limit // 2]}…{name[-limit // 2 + 1 :]}"
