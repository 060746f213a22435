"""Which plots a study has, each with its words, its numbers and its drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from handful.core.study import Study
from handful.report.figures import STYLE, saved, svg_of
from handful.report.text import percent
from handful.study.curves import Learned, learned
from handful.study.effects import Effect, PairTable, effects, pair_table
from handful.study.figures import draw_curves, draw_effect, draw_gap, draw_pairs
from handful.study.importance import CHANCE, Importance, importance
from handful.study.scale import setting_text
from handful.study.search_figures import draw_history, draw_importance, draw_parallel
from handful.study.tables import curves_csv, effect_csv, history_csv, importance_csv, pairs_csv, settings_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IN_A_ROW = 3
"""Learning curves beside each other."""

FIGURES: tuple[Literal["accuracy", "loss"], ...] = ("accuracy", "loss")

LEGEND_WIDTH = 2.2
"""Inches that an entry of a legend may take."""

HIGHEST_LOSS = 2.5
"""Times the median of the last losses from which a loss may leave the axis."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing; `alt` says what it shows to who cannot see it."""

    draw: Callable[[Axes], None]
    alt: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure for a paper, whose panels the page shows one by one, so that they stay legible on a telephone.

    Attributes:
        name: of its files.
        title: what it shows, in a few words.
        lead: how to read it.
        rows: its panels.
        size: width and height of a panel in inches.
        table: its numbers as CSV.
        wide: whether a panel is too wide for a telephone, so that it is moved sideways there.
    """

    name: str
    title: str
    lead: str
    rows: tuple[tuple[Panel, ...], ...]
    size: tuple[float, float]
    table: str
    wide: bool = False


def plots(study: Study) -> tuple[Plot, ...]:
    """Returns the plots of a study, the most telling first; those that need a result are left out where there is none.

    | name | what | of |
    |---|---|---|
    | effect-OPTION | accuracy and overfitting by the option's values | every option that is varied |
    | table | accuracy by two options | two lists in a grid |
    | parallel, history, importance | all settings, the best so far, what mattered | searches |
    | learning | accuracy and loss by epoch | some settings |
    """
    found: list[Plot] = []
    if study.best is not None:
        found += [_effect_plot(study, effect, first=not number) for number, effect in enumerate(effects(study))]
        table = pair_table(study)
        found += [_pairs_plot(table)] if table else []
        if study.plan.search != "grid":
            found += _search_plots(study, importance(study))
    curves = learned(study)
    return (*found, _learning_plot(curves, n_seeds=len(study.plan.seeds))) if curves else tuple(found)


def plot_files(plot: Plot) -> dict[str, bytes]:
    """Returns the files of a plot by name: PNG at 200 dots per inch, SVG whose text is text, and CSV."""
    import matplotlib

    width, height = plot.size
    n_columns = max(len(row) for row in plot.rows)
    with matplotlib.rc_context(STYLE):
        figure = _figure((width * n_columns, height * len(plot.rows)))
        all_axes = figure.subplots(len(plot.rows), n_columns, squeeze=False)
        for panels, row in zip(plot.rows, all_axes, strict=True):
            for panel, axes in zip(panels, row, strict=False):
                panel.draw(axes)
            for axes in row[len(panels) :]:
                axes.set_axis_off()
        _add_legend(figure)
        return {**saved(plot.name, figure), f"{plot.name}.csv": plot.table.encode()}


def panel_svg(plot: Plot, panel: Panel) -> bytes:
    """Returns one panel as a picture of its own."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure = _figure(plot.size)
        panel.draw(figure.subplots())
        _add_legend(figure)
        return svg_of(figure)


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _add_legend(figure: Figure) -> None:
    """Names each kind of mark once, above all panels."""
    known = [axes.get_legend_handles_labels() for axes in figure.axes]
    marks = {label: handle for handles, labels in known for handle, label in zip(handles, labels, strict=True)}
    if marks:
        figure.legend(
            marks.values(),
            marks.keys(),
            loc="outside upper left",
            ncols=max(2, int(figure.get_figwidth() / LEGEND_WIDTH)),
            frameon=False,
            fontsize=8,
            columnspacing=1.2,
            handlelength=1.6,
        )


def _effect_plot(study: Study, effect: Effect, *, first: bool) -> Plot:
    n_seeds = len(study.plan.seeds)
    chance = 1.0 / len(study.plan.classes)
    option = effect.scale.option
    values = "; ".join(f"{point.text}: {percent(point.accuracy)}" for point in effect.points)
    gaps = "; ".join(f"{point.text}: {100 * point.gap:.1f} points" for point in effect.points)
    lost = [
        f"{len(places)} {name}" for places, name in ((effect.failed, "failed"), (effect.pruned, "given up")) if places
    ]
    accuracy = Panel(
        partial(draw_effect, effect=effect, chance=chance, n_seeds=n_seeds),
        f"Validation accuracy by {option}. {values}. {'; '.join(lost)}",
    )
    gap = Panel(partial(draw_gap, effect=effect), f"Training minus validation accuracy by {option}. {gaps}.")
    return Plot(
        name=f"effect-{option}",
        title=f"What {effect.scale.label} does",
        lead=f"{_effect_result(effect)} {_how_to_read(effect, n_seeds=n_seeds) if first else ''}".rstrip(),
        rows=((accuracy, gap),),
        size=(3.6, 2.9),
        table=effect_csv(effect),
    )


def _effect_result(effect: Effect) -> str:
    """Returns where the mean is highest and lowest."""
    ranked = sorted(effect.points, key=lambda point: point.accuracy)
    low, high = ranked[0], ranked[-1]
    if low is high:
        return f"All that ended have {high.text}: {percent(high.accuracy)}."
    mean = "" if effect.alone else " on average"
    return f"Highest{mean} at {high.text} ({percent(high.accuracy)}), lowest at {low.text} ({percent(low.accuracy)})."


def _how_to_read(effect: Effect, *, n_seeds: int) -> str:
    if effect.searched:
        said = (
            "Each dot is one training; the line is the mean of those nearby. A search looks where it is good, so the "
            "best there tells more than the mean."
        )
    elif effect.alone:
        said = "Each dot is one training, the line their mean."
    else:
        said = (
            "The thick line is the mean over all values of the other options; the thin one has the other options as "
            "in the best setting."
        )
    band = " The band is one standard deviation between seeds." if n_seeds > 1 else ""
    return (
        f"{said}{band} Beside it, the gap: how much better the network does on the pictures that it learned from. The "
        "wider, the more it learned by heart."
    )


def _pairs_plot(table: PairTable) -> Plot:
    n_rows, n_columns = table.accuracy.shape
    cells = "; ".join(
        f"{row} and {column}: {percent(table.accuracy[number, other]) if known else 'failed'}"
        for number, row in enumerate(table.row_names)
        for other, column in enumerate(table.column_names)
        for known in [table.accuracy[number, other] == table.accuracy[number, other]]
    )
    alt = f"Mean validation accuracy by {table.rows.option} and {table.columns.option}. {cells}."
    return Plot(
        name="table",
        title=f"{table.rows.label} and {table.columns.label} together",
        lead="Mean validation accuracy over seeds, in percent: the lighter, the higher. The best is outlined.",
        rows=((Panel(partial(draw_pairs, table=table), alt),),),
        size=(1.1 + 0.75 * min(n_columns, 20), 0.9 + 0.45 * min(n_rows, 20)),
        table=pairs_csv(table),
        wide=n_columns > 4,
    )


def _search_plots(study: Study, found: Importance) -> list[Plot]:
    best = study.settings[study.best or 0]
    n_axes = len(study.plan.axes)
    lines = Panel(
        partial(draw_parallel, study=study),
        f"A line per setting through its values to its accuracy. The best: {setting_text(best.options)}, "
        f"{percent(best.accuracy or 0.0)}.",
    )
    history = Panel(
        partial(draw_history, study=study),
        f"Accuracy of {len(study.settings)} settings in the order in which they were tried, and the best so far.",
    )
    unknown = f" What mattered most cannot be told: {found.missing}." if found.missing else ""
    drawn = [
        Plot(
            name="parallel",
            title="All settings",
            lead="Each line is one setting: through its values to its accuracy. The stronger the colour, the better; "
            "the best is orange. Dotted lines failed or were given up early.",
            rows=((lines,),),
            size=(1.5 + 1.35 * n_axes, 3.7),
            table=settings_csv(study),
            wide=True,
        ),
        Plot(
            name="history",
            title="How the search went",
            lead=f"A line that still rises at the end says that more trials may find a better setting.{unknown}",
            rows=((history,),),
            size=(4.6, 2.9),
            table=history_csv(study),
        ),
    ]
    return drawn + ([_importance_plot(found)] if found.shares else [])


def _importance_plot(found: Importance) -> Plot:
    shares = "; ".join(f"{name}: {percent(share)}" for name, share in found.shares.items())
    alt = f"Share of the accuracy's variance that each option explains. {shares}."
    return Plot(
        name="importance",
        title="What mattered",
        lead=f"How much of the differences in accuracy each option explains, over the values that were searched: "
        f"functional ANOVA of a random forest on {found.n_settings} settings that ended. An option no longer than the "
        f"grey bar, {CHANCE} that has nothing to do with it, cannot be told from chance.",
        rows=((Panel(partial(draw_importance, importance=found), alt),),),
        size=(4.6, 0.9 + 0.34 * len(found.shares)),
        table=importance_csv(found),
    )


def _learning_plot(curves: Sequence[Learned], *, n_seeds: int) -> Plot:
    last = max(epoch for each in curves for band in each.accuracy for epoch in band.epochs)
    limits = (last, _top_loss(curves))
    n_columns = len(curves) if len(curves) <= MOST_IN_A_ROW else (len(curves) + 1) // 2
    rows = tuple(
        tuple(
            Panel(partial(draw_curves, learned=each, figure=figure, limits=limits), _curve_alt(each, figure))
            for each in curves[start : start + n_columns]
        )
        for start in range(0, len(curves), n_columns)
        for figure in FIGURES
    )
    band = " The band is one standard deviation between seeds." if n_seeds > 1 else ""
    return Plot(
        name="learning",
        title="How they learned",
        lead=f"Training (dashed) and validation (solid) by epoch.{band} Where validation turns away from training, the "
        "network begins to learn its pictures by heart; where both still rise at the end, more epochs may help.",
        rows=rows,
        size=(2.7, 2.1),
        table=curves_csv(curves),
    )


def _top_loss(curves: Sequence[Learned]) -> float:
    """Returns how far the axis of losses reaches: over all of them, unless a few are much higher than the rest."""
    all_losses = sorted(value for each in curves for band in each.loss for value in band.mean)
    ends = sorted(band.mean[-1] for each in curves for band in each.loss if band.mean)
    if not ends:
        return 1.0
    return 1.05 * min(all_losses[-1], HIGHEST_LOSS * max(ends[len(ends) // 2], all_losses[len(all_losses) // 2]))


def _curve_alt(each: Learned, figure: str) -> str:
    training, validation = each.accuracy if figure == "accuracy" else each.loss
    shown = [
        f"{part} ends at {percent(band.mean[-1]) if figure == 'accuracy' else f'{band.mean[-1]:.3g}'}"
        for part, band in (("training", training), ("validation", validation))
        if band.mean
    ]
    ended = [each.ended] if each.ended else []
    return f"{figure.capitalize()} of {setting_text(each.options)} by epoch: {', '.join(shown + ended)}."
