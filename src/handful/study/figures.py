"""The drawings of a study, each on axes that it is given; matplotlib is used as in the report."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from handful.report.figures import BLUE, GREY, ORANGE
from handful.study.curves import Band, Learned
from handful.study.effects import Effect, PairTable, Point
from handful.study.scale import Scale, setting_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT = "#191c20", "#565e68"

NO_BREAK = "\N{NO-BREAK SPACE}"

SMALL = 8
"""Points of the smallest letters."""

BOTTOM = 0.035
"""Height at which trials without an accuracy are marked, as a share of the axis."""

MOST_NUMBERED = 15
"""Values of an option up to which each cell of a table shows its number."""

TITLE_WIDTH = 32
"""Letters in a line above a learning curve."""

NEAR_CHANCE = 15.0
"""Percentage points above guessing below which the axis reaches down to it."""


def draw_effect(axes: Axes, effect: Effect, *, chance: float, n_seeds: int) -> None:
    """Draws validation accuracy against the values of an option: mean, spread between seeds, every trial, failures.

    Args:
        axes: is drawn on.
        effect: what the option does.
        chance: accuracy of guessing, in [0, 1].
        n_seeds: trials of a setting.
    """
    shown = [dot.accuracy for dot in effect.dots]
    places = [dot.place for dot in effect.dots]
    axes.plot(
        places,
        _percent(shown),
        "o",
        color=BLUE,
        alpha=0.3 if len(shown) < 100 else 0.18,
        markersize=3.5,
        markeredgewidth=0,
        label="one training",
    )
    _draw_means(
        axes,
        effect,
        [point.accuracy for point in effect.points],
        [point.spread for point in effect.points],
        color=BLUE,
        label=f"mean \N{PLUS-MINUS SIGN} deviation of {n_seeds} seeds" if n_seeds > 1 else "mean",
    )
    if not effect.alone:
        _draw_best(axes, effect)
    axes.set_ylabel("validation accuracy, %")
    _fit(axes, effect, chance=chance)
    _mark_ended(axes, effect)
    _draw_scale(axes, effect.scale)


def draw_gap(axes: Axes, effect: Effect) -> None:
    """Draws training minus validation accuracy at the end against the values of an option."""
    gaps = [dot.gap for dot in effect.dots]
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.plot(
        [dot.place for dot in effect.dots],
        _percent(gaps),
        "o",
        color=ORANGE,
        alpha=0.3 if len(gaps) < 100 else 0.18,
        markersize=3.5,
        markeredgewidth=0,
    )
    _draw_means(
        axes,
        effect,
        [point.gap for point in effect.points],
        [point.gap_spread for point in effect.points],
        color=ORANGE,
        label="training minus validation",
    )
    axes.set_ylabel("gap at the end, points")
    _mark_ended(axes, effect, label=False)
    _draw_scale(axes, effect.scale)


def draw_pairs(axes: Axes, table: PairTable) -> None:
    """Draws the mean accuracies of two options as a table: the lighter, the higher; the best outlined."""
    from matplotlib.patches import Rectangle

    values = np.ma.masked_invalid(100 * table.accuracy)
    image = axes.imshow(values, cmap="cividis", interpolation="none", aspect="auto", origin="lower")
    axes.set_facecolor("#e4e6e9")
    axes.spines[:].set_visible(False)
    axes.set_xticks(range(len(table.column_names)), table.column_names)
    axes.set_yticks(range(len(table.row_names)), table.row_names)
    axes.tick_params(length=0)
    axes.set(xlabel=table.columns.label, ylabel=table.rows.label)
    if max(values.shape) <= MOST_NUMBERED:
        for (row, column), value in np.ndenumerate(table.accuracy):
            known = value == value
            light = 100 * value > (values.min() + values.max()) / 2
            axes.text(
                column,
                row,
                f"{100 * value:.1f}" if known else "failed",
                ha="center",
                va="center",
                fontsize=9 if known else SMALL,
                color=INK if light or not known else "white",
            )
    else:
        axes.figure.colorbar(image, ax=axes, label="validation accuracy, %")
    if table.best:
        corner = (table.best[1] - 0.5, table.best[0] - 0.5)
        for width, color in ((4.5, "white"), (2.2, ORANGE)):
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=color, linewidth=width, clip_on=False))


def draw_curves(
    axes: Axes, learned: Learned, *, figure: Literal["accuracy", "loss"], limits: tuple[int, float]
) -> None:
    """Draws training and validation by epoch, the mean over seeds with their deviation.

    Args:
        axes: is drawn on.
        learned: the setting.
        figure: which of the two.
        limits: the last epoch and the highest loss on the axes.
    """
    from matplotlib.ticker import MaxNLocator

    factor = 100 if figure == "accuracy" else 1
    training, validation = learned.accuracy if figure == "accuracy" else learned.loss
    for band, color, label, style in ((training, ORANGE, "training", "--"), (validation, BLUE, "validation", "-")):
        _draw_band(axes, band, factor=factor, color=color, label=label, style=style)
    axes.set_title(
        fill(setting_text(learned.options, space=NO_BREAK) + " (best)" * learned.best, TITLE_WIDTH),
        fontsize=SMALL,
        loc="left",
        fontweight="bold" if learned.best else "normal",
    )
    axes.set(xlabel="epoch", ylabel="accuracy, %" if figure == "accuracy" else "log loss")
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axes.set(xlim=(0, limits[0] + 0.5), ylim=(0, 101 if figure == "accuracy" else limits[1]))
    if learned.ended:
        axes.text(0.98, 0.5, learned.ended, transform=axes.transAxes, ha="right", fontsize=SMALL, color=INK)


def _draw_means(
    axes: Axes,
    effect: Effect,
    means: list[float],
    spreads: list[float | None],
    *,
    color: str,
    label: str,
) -> None:
    """Draws a line with a band where values lie on a line, dots with bars where they are names."""
    places = np.array([point.place for point in effect.points])
    middle = _percent(means)
    reach = _percent([spread or 0.0 for spread in spreads])
    style: dict[str, Any] = {"color": color, "markersize": 5.5, "label": label, "zorder": 4}
    if effect.scale.continuous:
        axes.fill_between(places, middle - reach, middle + reach, color=color, alpha=0.16, linewidth=0)
        axes.plot(places, middle, "o-", linewidth=1.6, **style)
    else:
        axes.errorbar(places, middle, yerr=reach, fmt="o", elinewidth=1.2, capsize=3, **style)


def _draw_best(axes: Axes, effect: Effect) -> None:
    known: list[Point] = [point for point in effect.points if point.best is not None]
    axes.plot(
        [point.place for point in known],
        _percent([point.best or 0.0 for point in known]),
        "D--" if effect.scale.continuous else "D",
        color=INK,
        linewidth=0.8,
        markersize=3,
        markerfacecolor="white",
        markeredgewidth=0.8,
        zorder=5,
        label="best setting there" if effect.searched else "others as in the best",
    )


def _draw_band(axes: Axes, band: Band, *, factor: float, color: str, label: str, style: str) -> None:
    mean, spread = factor * np.array(band.mean), factor * np.array(band.spread)
    axes.fill_between(band.epochs, mean - spread, mean + spread, color=color, alpha=0.18, linewidth=0)
    axes.plot(band.epochs, mean, style if len(mean) > 1 else "o", color=color, linewidth=1.5, markersize=3, label=label)


def _draw_scale(axes: Axes, scale: Scale) -> None:
    axes.set_xticks([place for place, _ in scale.ticks], [text for _, text in scale.ticks])
    room = 0.06 * (scale.high - scale.low) if scale.continuous else 0.5
    axes.set_xlim(scale.low - (room or 0.5), scale.high + (room or 0.5))
    axes.set_xlabel(scale.label)


def _fit(axes: Axes, effect: Effect, *, chance: float) -> None:
    """Leaves room above and below, and shows guessing: as a line, or in words where it is far below."""
    shown = [dot.accuracy for dot in effect.dots]
    low, high = (100 * min(shown), 100 * max(shown)) if shown else (0.0, 100.0)
    on_axis = low < 100 * chance + NEAR_CHANCE
    low, high = (min(low, 100 * chance), max(high, 100 * chance)) if on_axis else (low, high)
    room = 0.12 * max(high - low, 1.0)
    axes.set_ylim(max(low - 1.5 * room, -2.0), min(high + room, 101.0))
    if on_axis:
        axes.axhline(100 * chance, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    height = (100 * chance - axes.get_ylim()[0]) / np.ptp(axes.get_ylim()) if on_axis else 2 * BOTTOM
    left = bool(shown) and effect.points[0].accuracy > effect.points[-1].accuracy
    axes.annotate(
        f"guessing {100 * chance:.0f} %{'' if on_axis else ' is below'}",
        (0.01 if left else 1.0, height),
        xycoords="axes fraction",
        xytext=(0, 2),
        textcoords="offset points",
        ha="left" if left else "right",
        fontsize=SMALL,
        color=SOFT,
    )


def _mark_ended(axes: Axes, effect: Effect, *, label: bool = True) -> None:
    """Marks the trials without an accuracy at the bottom, so that none is hidden."""
    for places, marker, name in ((effect.failed, "x", "failed"), (effect.pruned, "|", "given up early")):
        if places:
            axes.plot(
                places,
                [BOTTOM] * len(places),
                marker,
                color=INK,
                markersize=5,
                markeredgewidth=1.1,
                linestyle="none",
                transform=axes.get_xaxis_transform(),
                label=name if label else None,
            )


def _percent(shares: list[float]) -> np.ndarray:
    return 100 * np.array(shares, dtype=np.float64)
