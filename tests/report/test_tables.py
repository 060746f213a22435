import csv
import dataclasses
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.core.records import Skipped
from handful.report.numbers import reliability, searches
from handful.report.tables import (
    classes_csv,
    confusion_csv,
    csv_text,
    plain,
    predictions_csv,
    protected,
    reliability_csv,
    search_csv,
    skipped_csv,
    training_csv,
)
from tests.report.trained import training, with_training

FORMULA = '=HYPERLINK("http://example.com","x")'


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def test_probabilities_are_read_back_exactly(make_run):
    run = make_run(classes=("cat", "dog", "owl"))
    header, *rows = rows_of(predictions_csv(run))
    assert header == ["path", "part", "label", "predicted", "confidence", "p_cat", "p_dog", "p_owl"]
    np.testing.assert_array_equal([[float(cell) for cell in row[5:]] for row in rows], run.test_proba)
    assert [float(row[4]) for row in rows] == run.test_proba.max(axis=1).tolist()
    assert [row[0] for row in rows] == [run.table.pictures[index].path for index in run.split.test]
    assert {row[1] for row in rows} == {"test"}
    right = [row[2] == row[3] for row in rows]
    assert np.mean(right) == pytest.approx(run.evaluation.accuracy)


def test_no_spreadsheet_runs_a_name(make_run):
    run = make_run(classes=(FORMULA, "dog"))
    run = dataclasses.replace(run, table=dataclasses.replace(run.table, skipped=(Skipped("@sum(1)", "+1"),)))
    texts = [predictions_csv(run), skipped_csv(run), confusion_csv(run.evaluation), classes_csv(run.evaluation)]
    cells = [cell for text in texts for row in rows_of(text) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert rows_of(skipped_csv(run))[1] == ["'@sum(1)", "'+1"]


@settings(max_examples=40)
@given(st.text(st.characters(codec="utf-8")))
def test_the_text_can_be_had_back(text):
    assert plain(protected(text)) == text
    assert not protected(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=3))
def test_any_names_make_a_table_that_can_be_read(names):
    assert [plain(cell) for cell in rows_of(csv_text(names, []))[0]] == names


def test_what_cannot_be_divided_is_an_empty_cell():
    assert csv_text(("a", "b"), [("x", float("nan"))]) == "a,b\nx,\n"


def test_the_confusion_table_is_the_matrix(make_run):
    figures = make_run().evaluation
    header, *rows = rows_of(confusion_csv(figures))
    assert header == ["true", "cat", "dog"]
    assert [[int(cell) for cell in row[1:]] for row in rows] == figures.confusion.tolist()


def test_the_other_tables_hold_the_numbers_of_the_drawings(make_run):
    run = make_run()
    assert float(rows_of(classes_csv(run.evaluation))[1][2]) == run.evaluation.per_class[0].recall
    assert len(rows_of(reliability_csv(reliability(run)))) == 1 + len(reliability(run))
    assert rows_of(search_csv(searches(run)))[1] == ["efficientnet-lite0", "0.001", "0.62", "0.86"]


def test_every_update_is_in_the_table_of_the_training(make_run):
    made = training(n_epochs=2, per_epoch=3)
    header, *rows = rows_of(training_csv(with_training(make_run(), made)))
    assert header == ["backbone", "step", "epoch", "rate", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert [int(row[1]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [float(row[4]) for row in rows] == [each.loss for each in made.iterations]
    assert [row[6] for row in rows] == ["", "", repr(made.iterations[2].validation_loss)] * 1 + [
        "",
        "",
        repr(made.iterations[5].validation_loss),
    ]
