"""Tables as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from handful.core.records import Evaluation, Run
from handful.core.spreadsheet import MARK, protect
from handful.core.trust import CrossValidation
from handful.report.learning import trainings
from handful.report.numbers import ReliabilityPoint, SearchCurve, answers
from handful.report.reliance import reliance
from handful.report.suspects import doubts
from handful.report.text import encodable

Cell = str | int | float


def skipped_csv(run: Run) -> str:
    """Returns the files that were not used, and why: path, reason."""
    return csv_text(("path", "reason"), ((each.path, each.reason) for each in run.table.skipped))


def predictions_csv(run: Run) -> str:
    """Returns the answer for every test picture: path, part, label, predicted, confidence, one p_<class> per class.

    Probabilities are written so that reading them gives the same doubles.
    """
    header = ("path", "part", "label", "predicted", "confidence", *(f"p_{name}" for name in run.table.classes))
    rows = (
        (answer.picture.path, "test", answer.true, answer.predicted, answer.confidence, *proba)
        for answer, proba in zip(answers(run), run.test_proba.tolist(), strict=True)
    )
    return csv_text(header, rows)


def suspects_csv(run: Run) -> str:
    """Returns the held-out pictures whose labels are doubtful: path, label, suggested, probability, rank.

    Fed back with `--labels` it changes nothing until cells of `label` are corrected, or emptied.
    """
    rows = (
        (each.picture.path, each.label, each.suggested, each.probability, rank)
        for rank, each in enumerate(doubts(run), start=1)
    )
    return csv_text(("path", "label", "suggested", "probability", "rank"), rows)


def confusion_csv(figures: Evaluation) -> str:
    """Returns the confusion matrix: a row per true class, a column per answer."""
    names = [each.name for each in figures.per_class]
    rows = ((name, *row) for name, row in zip(names, figures.confusion.tolist(), strict=True))
    return csv_text(("true", *names), rows)


def classes_csv(figures: Evaluation) -> str:
    """Returns the figures of each class; a cell is empty where there is nothing to divide by."""
    header = ("class", "n_test", "recall", "recall_low", "recall_high", "precision", "f1")
    rows = (
        (each.name, each.n_test, each.recall, *each.recall_interval, each.precision, each.f1)
        for each in figures.per_class
    )
    return csv_text(header, rows)


def reliability_csv(points: Iterable[ReliabilityPoint]) -> str:
    """Returns accuracy by confidence, in bins of equal count."""
    header = ("n", "confidence", "accuracy", "accuracy_low", "accuracy_high")
    return csv_text(header, ((each.n, each.confidence, each.accuracy, *each.interval) for each in points))


def search_csv(curves: Iterable[SearchCurve]) -> str:
    """Returns held-out log loss and accuracy for every penalty that was tried."""
    rows = (
        (curve.backbone, penalty, log_loss, accuracy)
        for curve in curves
        for penalty, log_loss, accuracy in zip(curve.penalties, curve.log_losses, curve.accuracies, strict=True)
    )
    return csv_text(("backbone", "penalty", "log_loss", "accuracy"), rows)


def training_csv(run: Run) -> str:
    """Returns every update of every network's training; cells are empty where the validation part was not looked at."""
    rows = (
        (
            backbone,
            each.step,
            each.epoch,
            each.rate,
            each.loss,
            each.accuracy,
            "" if each.validation_loss is None else each.validation_loss,
            "" if each.validation_accuracy is None else each.validation_accuracy,
        )
        for backbone, training in trainings(run).items()
        for each in training.iterations
    )
    header = ("backbone", "step", "epoch", "rate", "loss", "accuracy", "validation_loss", "validation_accuracy")
    return csv_text(header, rows)


def reliance_tables(run: Run) -> dict[str, str]:
    """Returns the numbers of the figures about answers and more pictures, by file name, where there are figures."""
    known = reliance(run)
    tables: dict[str, str] = {}
    if known is None:
        return tables
    if known.trust.cross:
        tables["folds.csv"] = folds_csv(known.trust.cross)
    if known.risk_chart:
        curves = {"held out": known.risk_chart.held_out, "test": known.risk_chart.test}
        risks = (
            (name, answered, wrong)
            for name, curve in curves.items()
            for answered, wrong in zip(curve.steps, curve.values, strict=True)
        )
        tables["risk.csv"] = csv_text(("pictures", "share_answered", "share_wrong"), risks)
    if known.operating:
        curve = known.operating.curve
        columns = (curve.thresholds, curve.found, curve.alarmed, curve.precision)
        header = ("probability", "found", "false_alarms", "precision")
        tables["operating.csv"] = csv_text(header, zip(*(column.tolist() for column in columns), strict=True))
    if known.growth:
        growth, measured = known.growth.growth, known.growth.measured
        rows: list[tuple[Cell, ...]] = [
            ("measured", int(n), accuracy, "", "") for n, accuracy in zip(measured.steps, measured.values, strict=True)
        ]
        rows.append(("now", *known.growth.now, *known.growth.now_interval))
        rows += [("forecast", each.n_images, each.accuracy, *each.interval) for each in growth.forecasts]
        tables["growth.csv"] = csv_text(("what", "n_images", "accuracy", "low", "high"), rows)
    return tables


def folds_csv(cross: CrossValidation) -> str:
    """Returns every fold: repeat, fold, n_train, n_test, accuracy, heads, gain over the runner-up (or nothing)."""
    rows = (
        (
            each.repeat + 1,
            place % cross.n_folds + 1,
            each.n_train,
            each.n_test,
            each.accuracy,
            "+".join(each.heads),
            "" if each.gain is None else each.gain,
        )
        for place, each in enumerate(cross.folds)
    )
    return csv_text(("repeat", "fold", "n_train", "n_test", "accuracy", "heads", "gain"), rows)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Returns a table as CSV; see `csv_lines`."""
    return "".join(csv_lines(header, rows))


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yields the lines of a table as CSV (RFC 4180 with LF); NaN is an empty cell, text is protected by `protected`."""
    for row in chain([header], rows):
        yield ",".join(_quoted(cell) for cell in _cells(row)) + "\n"


def protected(text: str) -> str:
    """Returns text that no spreadsheet runs: one apostrophe is put before text that would be taken for a formula.

    Text that begins with an apostrophe gets another one, so that `plain` always finds the original.

    Example:
        >>> protected("=1+1"), protected("'s"), protected("cat/1.jpg")
        ("'=1+1", "''s", 'cat/1.jpg')
    """
    return protect(encodable(text))


def plain(cell: str) -> str:
    """Returns the text that `protected` was given: drops one leading apostrophe."""
    return cell.removeprefix(MARK)


def _cells(row: Iterable[Cell]) -> list[str]:
    return [_cell(value) for value in row]


def _quoted(cell: str) -> str:
    """Returns the cell in quotes where it needs them; the csv module forgets those around a lone carriage return."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in '",\r\n') else cell


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return protected(value)
    return "" if value != value else repr(value)
