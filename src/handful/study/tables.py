"""The numbers of a study as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handful.core.study import Study, TrialResult, Value
from handful.report.tables import Cell, csv_text
from handful.study.curves import Learned
from handful.study.effects import Effect, PairTable, gap
from handful.study.importance import Importance
from handful.study.scale import setting_text


def trials_csv(study: Study) -> str:
    """Returns every trial, a row each, in the order in which the settings were tried: what was varied, and how it went.

    Accuracies are of the end of the last epoch, in [0, 1], and empty unless the trial is done.
    """
    names = [axis.option for axis in study.plan.axes]
    header = (
        *names,
        *("seed", "status", "training_accuracy", "validation_accuracy", "gap", "validation_loss"),
        *("epochs", "n_train", "failed_at", "stopped"),
    )
    rows = (
        (*(_cell(setting.options[name]) for name in names), *_trial_cells(result))
        for setting in study.settings
        for result in setting.results
    )
    return csv_text(header, rows)


def effect_csv(effect: Effect) -> str:
    """Returns what an option does, a row per value or part of its range."""
    header = ("value", "n_settings", "accuracy", "spread", "gap", "gap_spread", "at_the_best")
    rows = (
        (
            point.text,
            point.n_settings,
            point.accuracy,
            _known(point.spread),
            point.gap,
            _known(point.gap_spread),
            _known(point.best),
        )
        for point in effect.points
    )
    return csv_text((f"{effect.scale.option}_{header[0]}", *header[1:]), rows)


def pairs_csv(table: PairTable) -> str:
    """Returns the mean accuracies by two options: a row per value of the first, a column per value of the second."""
    rows = zip(table.row_names, table.accuracy.tolist(), strict=True)
    header = (f"{table.rows.option} \\ {table.columns.option}", *table.column_names)
    return csv_text(header, ((name, *row) for name, row in rows))


def curves_csv(learned: Sequence[Learned]) -> str:
    """Returns the learning curves, a row per setting, figure, part and epoch."""
    rows = (
        (setting_text(each.options), figure, part, epoch, mean, spread)
        for each in learned
        for figure, pair in (("accuracy", each.accuracy), ("loss", each.loss))
        for part, band in zip(("training", "validation"), pair, strict=True)
        for epoch, mean, spread in zip(band.epochs, band.mean, band.spread, strict=True)
    )
    return csv_text(("setting", "figure", "part", "epoch", "mean", "spread"), rows)


def history_csv(study: Study) -> str:
    """Returns the settings in the order in which they were tried, with the best accuracy so far."""
    return csv_text(("number", "accuracy", "best_so_far"), _history(study))


def importance_csv(importance: Importance) -> str:
    """Returns the share of the variance that each option explains."""
    return csv_text(("option", "share"), importance.shares.items())


def settings_csv(study: Study) -> str:
    """Returns every setting, a row each: its options, mean accuracy and spread between seeds."""
    names = [axis.option for axis in study.plan.axes]
    rows = (
        (*(_cell(each.options[name]) for name in names), _known(each.accuracy), _known(each.spread))
        for each in study.settings
    )
    return csv_text((*names, "accuracy", "spread"), rows)


def _trial_cells(result: TrialResult) -> Iterator[Cell]:
    done = result.status == "done"
    yield result.trial.seed
    yield result.status
    yield result.curve[-1].accuracy if done else ""
    yield result.curve[-1].validation_accuracy if done else ""
    yield gap(result) if done else ""
    yield result.curve[-1].validation_loss if done else ""
    yield len(result.curve)
    yield result.n_train
    yield _known(result.failed_at)
    yield result.stopped


def _history(study: Study) -> Iterator[tuple[Cell, ...]]:
    best: float | None = None
    for number, setting in enumerate(study.settings, start=1):
        if setting.accuracy is not None:
            best = max(setting.accuracy, best or 0.0)
        yield number, _known(setting.accuracy), _known(best)


def _cell(value: Value) -> Cell:
    """Returns a value exactly, so that a number that was drawn can be set again."""
    return str(value) if value is None or isinstance(value, bool) else value


def _known(value: float | None) -> Cell:
    return "" if value is None else value
