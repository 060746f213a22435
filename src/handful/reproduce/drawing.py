"""The paper's figures drawn from our measurements: accuracy with its uncertainty, or the course of trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from handful.core.records import FloatArray
from handful.core.study import Setting
from handful.report.figures import BLUE, GREY, ORANGE, STYLE, saved
from handful.report.text import printable
from handful.reproduce import measures
from handful.reproduce.records import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.0, 3.1)
"""Inches: on a phone, letters of 9 points are still read."""

COLOURS = (ORANGE, "#E69F00", "#009E73", BLUE, "#CC79A7")
"""Of Okabe and Ito (2008), one for each curve."""

LINES = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), "-", (0, (1, 1)))
"""Told apart without colours."""

SMALL = 8


def draw(measured: Measured, *, chance: float) -> dict[str, bytes]:
    """Returns an experiment's figure by file name, as PNG and SVG.

    Args:
        measured: what came out.
        chance: accuracy of a guess, drawn as a thin line.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        if measured.experiment.curves:
            draw_curves(axes, measured)
        else:
            draw_accuracy(axes, measured, chance=chance)
        _draw_levels(axes, measured, chance=chance)
        axes.set_xlabel(measured.experiment.axis)
        return saved(f"figure-{measured.experiment.name}", figure)


def draw_accuracy(axes: Axes, measured: Measured, *, chance: float) -> None:
    """Draws the mean over seeds with two standard errors, and each seed as a faint dot."""
    places = np.arange(len(measured.settings))
    found = [measures.accuracy(setting, chance=chance) for setting in measured.settings]
    for place, setting in enumerate(measured.settings):
        seeds = [100 * result.accuracy for result in setting.results if result.accuracy is not None]
        axes.plot([place] * len(seeds), seeds, "o", color=BLUE, alpha=0.3, markersize=3.5, markeredgewidth=0)
        n_failed = sum(result.status == "failed" for result in setting.results)
        if n_failed:
            axes.text(place, 100 * chance, f"{n_failed} failed\n", ha="center", va="bottom", fontsize=SMALL)
    axes.errorbar(
        places,
        [100 * each.value for each in found],
        yerr=[200 * each.error for each in found],
        fmt="o-",
        color=BLUE,
        linewidth=1.2,
        markersize=5,
        capsize=3,
    )
    axes.set_xticks(places, [printable(point.label) for point in measured.experiment.points])
    axes.set_xlim(-0.4, len(places) - 0.6)
    axes.set_ylabel("validation accuracy, %")


def draw_curves(axes: Axes, measured: Measured) -> None:
    """Draws accuracy by epoch, mean over seeds: on the training pictures dashed, on the validation pictures whole."""
    several = len(measured.settings) > 1
    for index, (point, setting) in enumerate(zip(measured.experiment.points, measured.settings, strict=True)):
        training, validation = course(setting)
        epochs = np.arange(1, len(validation) + 1)
        colour = COLOURS[index % len(COLOURS)] if several else BLUE
        named = f"{printable(point.label)}, " if several else ""
        axes.plot(epochs, 100 * training, color=colour if several else ORANGE, linewidth=1.0, linestyle=(0, (4, 2)))
        axes.plot(epochs, 100 * validation, color=colour, linewidth=1.8)
        if len(validation):
            axes.annotate(
                f" {named}validation" if not several else f" {printable(point.label)}",
                (epochs[-1], 100 * validation[-1]),
                va="center",
                fontsize=SMALL,
                color=colour,
                annotation_clip=False,
            )
    handles = [
        axes.plot([], [], color=GREY, linewidth=1.8, label="validation")[0],
        axes.plot([], [], color=GREY, linewidth=1.0, linestyle=(0, (4, 2)), label="training")[0],
    ]
    axes.legend(handles=handles, frameon=False, fontsize=SMALL, loc="lower right")
    axes.set_ylabel("accuracy, %")


def course(setting: Setting) -> tuple[FloatArray, FloatArray]:
    """Returns float64 (epochs,) twice, in [0, 1]: mean training and validation accuracy of the seeds still training."""
    curves = [result.curve for result in setting.results]
    length = max((len(curve) for curve in curves), default=0)
    training, validation = np.full((2, len(curves), length), np.nan)
    for row, curve in enumerate(curves):
        training[row, : len(curve)] = [point.accuracy for point in curve]
        validation[row, : len(curve)] = [point.validation_accuracy for point in curve]
    if not length:
        return np.zeros(0), np.zeros(0)
    means: tuple[FloatArray, FloatArray] = (np.nanmean(training, axis=0), np.nanmean(validation, axis=0))
    return means


def _draw_levels(axes: Axes, measured: Measured, *, chance: float) -> None:
    """Draws chance, and the accuracy that the paper gives where it gives one."""
    low, high = axes.get_ylim()
    near = low - 0.15 * (high - low)
    if near <= 100 * chance:
        _level(axes, 100 * chance, "chance", GREY)
    if measured.experiment.level is not None:
        _level(axes, 100 * measured.experiment.level, f"the paper: {100 * measured.experiment.level:.0f} %", ORANGE)
    axes.set_ylim(top=min(axes.get_ylim()[1], 101.5))


def _level(axes: Axes, height: float, text: str, colour: str) -> None:
    axes.axhline(height, color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.text(
        0.005, height, text, transform=axes.get_yaxis_transform(), va="bottom", ha="left", fontsize=SMALL, color=colour
    )
