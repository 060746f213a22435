"""The paper's figures drawn from our measurements: accuracy with its uncertainty, or the course of trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from handful.core.records import FloatArray
from handful.core.study import Setting
from handful.report.figures import BLUE, GREY, ORANGE, STYLE, saved
from handful.report.text import printable
from handful.reproduce import measures
from handful.reproduce.records import Measured
from handful.study.compare import DECIDED_AT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.0, 3.1)
"""Inches: on a phone, letters of 9 points are still read."""

COLOURS = (ORANGE, "#E69F00", "#009E73", BLUE, "#CC79A7")
"""Of Okabe and Ito (2008), one for each curve; their names stand at their ends."""

DASHED, DOTTED = (0, (4, 2)), (0, (1, 2))

SMALL = 8
"""Points of the smallest letters."""

BESIDE = 0.1
"""How far beside the mean the seeds are drawn, in steps of the axis."""

LETTERS = 0.055
"""Height of a line of letters, as a share of the axis."""


def draw(measured: Measured, *, chance: float) -> dict[str, bytes]:
    """Returns an experiment's figure by file name, as PNG and SVG.

    Args:
        measured: what came out.
        chance: accuracy of a guess, drawn as a thin line where it is near.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="tight")
        axes = figure.add_subplot()
        if measured.experiment.curves:
            draw_curves(axes, measured)
        else:
            draw_accuracy(axes, measured, chance=chance)
        _draw_levels(axes, measured, chance=chance)
        axes.set_xlabel(measured.experiment.axis)
        axes.legend(frameon=False, fontsize=SMALL, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3)
        return saved(f"figure-{measured.experiment.name}", figure)


def draw_accuracy(axes: Axes, measured: Measured, *, chance: float) -> None:
    """Draws the mean over seeds with two standard errors, each seed as a faint dot beside it, and what failed."""
    found = [measures.accuracy(setting, chance=chance) for setting in measured.settings]
    places = list(range(len(found)))
    for place, setting in enumerate(measured.settings):
        seeds = [100 * result.accuracy for result in setting.results if result.accuracy is not None]
        axes.plot([place + BESIDE] * len(seeds), seeds, "o", color=BLUE, alpha=0.35, markersize=3.5, markeredgewidth=0)
        n_failed = sum(result.status == "failed" for result in setting.results)
        if n_failed:
            axes.text(place, 100 * found[place].value, f"{n_failed} failed\n", ha="center", va="bottom", fontsize=SMALL)
    axes.errorbar(
        places,
        [100 * each.value for each in found],
        yerr=[100 * DECIDED_AT * each.error for each in found],
        fmt="o-",
        color=BLUE,
        linewidth=1.2,
        markersize=5,
        capsize=3,
        label="mean, \N{PLUS-MINUS SIGN} 2 standard errors; each seed",
    )
    axes.set_xticks(places, [printable(point.label) for point in measured.experiment.points])
    axes.set_xlim(-0.4, len(places) - 0.6)
    axes.set_ylabel("validation accuracy, %")


def draw_curves(axes: Axes, measured: Measured) -> None:
    """Draws accuracy by epoch, mean over seeds: on the validation pictures whole, on the training pictures dashed."""
    from matplotlib.ticker import MaxNLocator

    several = len(measured.settings) > 1
    ends: list[tuple[float, float, str, str]] = []
    for index, (point, setting) in enumerate(zip(measured.experiment.points, measured.settings, strict=True)):
        training, validation = course(setting)
        epochs = np.arange(1, len(validation) + 1)
        colour = COLOURS[index % len(COLOURS)] if several else BLUE
        axes.plot(epochs, 100 * validation, color=colour, linewidth=1.8, label=None if several else "validation")
        axes.plot(
            epochs,
            100 * training,
            color=colour if several else ORANGE,
            linewidth=1.0,
            linestyle=DASHED,
            label=None if several else "training",
        )
        if several and len(validation):
            ends.append((100 * float(validation[-1]), float(epochs[-1]), printable(point.label), colour))
    if several:
        axes.plot([], [], color=GREY, linewidth=1.8, label="validation")
        axes.plot([], [], color=GREY, linewidth=1.0, linestyle=DASHED, label="training")
    _name_ends(axes, ends)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("accuracy, %")


def course(setting: Setting) -> tuple[FloatArray, FloatArray]:
    """Returns float64 (epochs,) twice, in [0, 1]: mean training and validation accuracy of the seeds still training."""
    curves = [result.curve for result in setting.results]
    length = max((len(curve) for curve in curves), default=0)
    if not length:
        return np.zeros(0), np.zeros(0)
    training, validation = np.full((2, len(curves), length), np.nan)
    for row, curve in enumerate(curves):
        training[row, : len(curve)] = [point.accuracy for point in curve]
        validation[row, : len(curve)] = [point.validation_accuracy for point in curve]
    means: tuple[FloatArray, FloatArray] = (np.nanmean(training, axis=0), np.nanmean(validation, axis=0))
    return means


def _name_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Writes beside the end of each curve what it is, from the lowest up, none over another."""
    low, high = axes.get_ylim()
    free = low
    for height, epoch, text, colour in sorted(ends):
        free = max(height, free)
        axes.annotate(
            text,
            (epoch, height),
            xytext=(1.02, (free - low) / (high - low)),
            textcoords="axes fraction",
            va="center",
            fontsize=SMALL,
            color=colour,
            annotation_clip=False,
        )
        free += LETTERS * (high - low)


def _draw_levels(axes: Axes, measured: Measured, *, chance: float) -> None:
    """Draws chance, and the accuracy that the paper gives where it gives one."""
    low, high = axes.get_ylim()
    if low - (high - low) / 5 <= 100 * chance:
        axes.axhline(100 * chance, color=GREY, linewidth=0.9, linestyle=DOTTED, label="chance")
    level = measured.experiment.level
    if level is not None:
        axes.axhline(
            100 * level, color="black", linewidth=0.9, linestyle=DOTTED, label=f"the paper: {100 * level:.0f} %"
        )
