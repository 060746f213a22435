"""The drawings of a search: all settings as lines, the best so far, and what mattered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from handful.core.study import Axis, Setting, Study
from handful.report.figures import BLUE, GREY, ORANGE
from handful.study.figures import BOTTOM, INK, SMALL
from handful.study.importance import CHANCE, Importance
from handful.study.scale import Scale, label_of, scale_of, value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNFINISHED = -0.1
"""Height at which the lines of settings without an accuracy end; the others end in [0, 1]."""

FAN = 0.07
"""Share of an axis over which settings of one named value are spread, the better ones higher."""


CONTRAST = 1.6
"""Power of the share by which lines darken: most settings of a search are good, and the best should stand out."""


def draw_parallel(axes: Axes, study: Study) -> None:
    """Draws a line per setting through its values to its accuracy: the darker, the better; the best in orange."""
    scales = [scale_of(axis) for axis in study.plan.axes]
    known = [setting.accuracy for setting in study.settings if setting.accuracy is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    order = sorted(study.settings, key=lambda each: -1.0 if each.accuracy is None else each.accuracy)
    best = None if study.best is None else study.settings[study.best]
    for setting in [each for each in order if each is not best] + ([best] if best else []):
        share = None if setting.accuracy is None else (setting.accuracy - low) / ((high - low) or 1.0)
        _draw_line(axes, _heights(setting, scales, share), share, best=setting is best, n=len(order))
    for number, scale in enumerate(scales):
        span = (scale.high - scale.low) or 1.0
        ticks = [((place - scale.low) / span, text) for place, text in scale.ticks]
        _draw_rail(axes, number, ticks, scale.label)
    ends = [(share, f"{100 * (low + share * (high - low)):.1f}") for share in np.linspace(0, 1, 5).tolist()]
    unfinished = any(setting.accuracy is None for setting in study.settings)
    _draw_rail(axes, len(scales), ends + [(UNFINISHED, "not ended")] * unfinished, "accuracy, %")
    if best:
        _name_best(axes, best, scales, study.plan.axes)
    axes.set(xlim=(-0.3, len(scales) + 0.45), ylim=(UNFINISHED - 0.05 if unfinished else -0.05, 1.05))
    axes.set_axis_off()


def draw_history(axes: Axes, study: Study) -> None:
    """Draws the accuracy of every setting in the order in which they were tried, and the best so far."""
    numbers = range(1, len(study.settings) + 1)
    settings = list(zip(numbers, study.settings, strict=True))
    done = [(number, each.accuracy) for number, each in settings if each.accuracy is not None]
    tried = [number for number, _ in done]
    accuracies = 100 * np.array([accuracy for _, accuracy in done], dtype=np.float64)
    axes.plot(tried, accuracies, "o", color=BLUE, alpha=0.45, markersize=4, markeredgewidth=0, label="one setting")
    if done:
        best = np.maximum.accumulate(accuracies)
        axes.step([*tried, numbers[-1]], [*best, best[-1]], where="post", color=INK, linewidth=1.4, label="best so far")
        axes.plot(tried[int(best.argmax())], best[-1], "D", color=ORANGE, markersize=6, label="the best", zorder=4)
    for status, marker, label in (("failed", "x", "failed"), ("pruned", "|", "given up early")):
        places = [
            number
            for number, each in settings
            if each.accuracy is None and each.results and each.results[-1].status == status
        ]
        if places:
            axes.plot(
                places,
                [BOTTOM] * len(places),
                marker,
                color=INK,
                markersize=5,
                linestyle="none",
                transform=axes.get_xaxis_transform(),
                label=label,
            )
    room = 0.12 * (np.ptp(accuracies) if len(done) > 1 else 1.0)
    if done:
        axes.set_ylim(max(accuracies.min() - 1.5 * room, -2), min(accuracies.max() + room, 101))
    axes.set(xlabel="settings tried", ylabel="validation accuracy, %")


def draw_importance(axes: Axes, importance: Importance) -> None:
    """Draws the share of the variance that each option explains, beside what chance alone gives."""
    names = list(importance.shares)
    rows = np.arange(len(names))
    shares = 100 * np.array([importance.shares[name] for name in names])
    axes.barh(rows, shares, height=0.62, color=[GREY if name == CHANCE else BLUE for name in names])
    for row, share in zip(rows, shares, strict=True):
        axes.annotate(
            f"{share:.0f} %", (share, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=SMALL
        )
    axes.set_yticks(rows, [label_of(name) for name in names])
    axes.set(xlim=(0, 1.15 * shares.max()), ylim=(len(names) - 0.4, -0.6))
    axes.set_title(f"fANOVA, {importance.n_settings} settings", fontsize=SMALL, loc="right")
    axes.set_xlabel("share of the accuracy's variance, %")
    axes.tick_params(axis="y", length=0)


def _heights(setting: Setting, scales: Sequence[Scale], share: float | None) -> list[float]:
    """Returns where a setting's line crosses each axis, in [0, 1], and where it ends."""
    heights = []
    for scale in scales:
        height = (scale.place(setting.options[scale.option]) - scale.low) / ((scale.high - scale.low) or 1.0)
        fan = 0.0 if scale.continuous else FAN * ((share or 0.0) - 0.5)
        heights.append(height + fan)
    return [*heights, UNFINISHED if share is None else share]


def _draw_line(axes: Axes, heights: Sequence[float], share: float | None, *, best: bool, n: int) -> None:
    """Draws a line that crosses every axis at a right angle, so that the eye can follow it."""
    from matplotlib import colormaps
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = [(0.0, heights[0])]
    for number, (here, there) in enumerate(pairwise(heights)):
        points += [(number + 0.45, here), (number + 0.55, there), (number + 1.0, there)]
    path = Path(points, [Path.MOVETO] + [Path.CURVE4] * (len(points) - 1))
    color = ORANGE if best else GREY if share is None else colormaps["cividis_r"](0.12 + 0.88 * share**CONTRAST)
    axes.add_patch(
        PathPatch(
            path,
            fill=False,
            edgecolor=color,
            linewidth=2.6 if best else 1.0 if n <= 80 else 0.7,
            linestyle=(0, (1, 2)) if share is None else "-",
            alpha=1.0 if best else 0.5 + 0.45 * (share or 0.0),
            clip_on=False,
        )
    )


def _draw_rail(axes: Axes, number: int, ticks: Sequence[tuple[float, str]], label: str) -> None:
    axes.plot([number, number], [0, 1], color=INK, linewidth=1.0, zorder=5)
    for height, text in ticks:
        axes.plot([number, number + 0.025], [height, height], color=INK, linewidth=0.8, zorder=5)
        _written(axes, text, (number, height), (4, 0), bold=False)
    axes.text(number, 1.09, label, ha="center", va="bottom", fontsize=9, fontweight="bold", clip_on=False)


def _name_best(axes: Axes, best: Setting, scales: Sequence[Scale], varied: Sequence[Axis]) -> None:
    """Marks the best setting on every axis, and writes its value beside those that have no tick for it."""
    heights = _heights(best, scales, 1.0)
    axes.plot(range(len(heights)), heights, "o", color=ORANGE, markersize=5, zorder=6, clip_on=False)
    for number, axis in enumerate(varied):
        value = best.options[axis.option]
        if not axis.values and isinstance(value, float):
            _written(axes, value_text(float(f"{value:.2g}")), (number, heights[number]), (-5, 0), bold=True)


def _written(axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], *, bold: bool) -> None:
    """Writes beside a point on white, so that lines do not cross the letters."""
    from matplotlib.patheffects import withStroke

    axes.annotate(
        text,
        at,
        xytext=offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        va="center",
        fontsize=SMALL,
        color=ORANGE if bold else INK,
        fontweight="bold" if bold else "normal",
        path_effects=[withStroke(linewidth=3, foreground="white")],
        zorder=7,
        annotation_clip=False,
    )
