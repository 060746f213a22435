"""Answers as rows of a table."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from handful.core.errors import ConfigError, MissingExtraError
from handful.core.records import Prediction, Skipped
from handful.report import answers as tables
from handful.report import as_record, check_table, write_answers

CLASSES = ("cat", "dog", "=elk")
ANSWERS = (
    Prediction("-x.jpg", "cat", np.array([0.75, 0.25, 0.0])),
    Prediction("y.jpg", "cat", np.array([0.5, 0.0, 0.5]), named=("cat", "=elk"), unsure=True, unlike=True),
    Skipped("z.jpg", "cut off, at its end"),
)


def write(path, *, top=None, answers=ANSWERS):
    write_answers(path, (as_record(answer, CLASSES, top=top) for answer in answers), CLASSES, top=top)
    return path


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.reader(stream))


def test_a_table_for_spreadsheets_is_protected_and_has_a_row_for_what_cannot_be_read(tmp_path):
    assert rows(write(tmp_path / "a.csv")) == [
        ["path", "predicted", "confidence", "unsure", "unlike", "named", "error", "p_cat", "p_dog", "p_=elk"],
        ["'-x.jpg", "cat", "0.75", "0", "", "", "", "0.75", "0.25", "0.0"],
        ["y.jpg", "cat", "0.5", "1", "1", "cat | =elk", "", "0.5", "0.0", "0.5"],
        ["z.jpg", "", "", "", "", "", "cut off, at its end", "", "", ""],
    ]


@pytest.mark.parametrize("top", [2, 3, 7])
def test_the_most_probable_classes_come_first_the_earlier_of_two_alike(tmp_path, top):
    shown = min(top, 3)
    header, first, second, failed = rows(write(tmp_path / "a.csv", top=top))
    assert header[7:] == [f"{what}_{place}" for place in range(2, shown + 1) for what in ("predicted", "confidence")]
    assert first[7:9] == ["dog", "0.25"]
    assert second[7:9] == ["'=elk", "0.5"]
    assert failed[7:] == [""] * 2 * (shown - 1)


def test_one_class_alone_needs_no_further_columns(tmp_path):
    assert {len(row) for row in rows(write(tmp_path / "a.csv", top=1))} == {7}


def test_a_line_of_json_gives_the_same_doubles(tmp_path):
    proba = np.array([1 / 3, 2 / 3 - 1e-9, 1e-9])
    answers = [Prediction("ä\n.jpg", "dog", proba), ANSWERS[2]]
    first, second = map(json.loads, write(tmp_path / "a.jsonl", answers=answers).read_text("utf-8").splitlines())
    assert first["proba"] == dict(zip(CLASSES, proba.tolist(), strict=True))
    assert (first["path"], first["error"]) == ("ä\n.jpg", None)
    assert second == {
        "path": "z.jpg", "predicted": None, "confidence": None, "unsure": None, "unlike": None, "named": None,
        "error": "cut off, at its end", "proba": None,
    }  # fmt: skip


@pytest.mark.parametrize("top", [None, 2])
def test_a_parquet_table_has_types(tmp_path, top):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write(tmp_path / "a.parquet", top=top))
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["confidence"], types["unsure"], types["error"]) == ("double", "bool", "string")
    assert types["named"].startswith("list<")
    first, second, failed = table.to_pylist()
    assert (first["unlike"], second["unlike"], failed["unlike"]) == (None, True, None)
    assert (second["named"], failed["named"]) == (["cat", "=elk"], None)
    assert (failed["p_dog"] if top is None else failed["predicted_2"]) is None


@pytest.mark.parametrize("n_numbers", [1, 2**22])
def test_features_are_a_column_of_vectors_and_the_file_says_of_which_networks(tmp_path, monkeypatch, n_numbers):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(tables, "NUMBERS", n_numbers)  # a row at a time, or all
    seen = np.array([[0.1, -2.0, 3e38], [1e-45, 0.0, 7.0]], dtype=np.float32)
    rows = [replace(answer, features=row) for answer, row in zip(ANSWERS[:2], seen, strict=True)]
    records = (as_record(answer, CLASSES, top=1) for answer in (*rows, ANSWERS[2]))
    networks = [{"backbone": "left", "n_features": 2}, {"backbone": "right", "n_features": 1}]
    write_answers(tmp_path / "a.parquet", records, CLASSES, top=1, networks=networks)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert str(table.schema.field("features").type) == "fixed_size_list<element: float>[3]"
    assert table["features"].to_pylist() == [*seen.tolist(), None]
    assert np.array_equal(np.stack(table.to_pandas()["features"][:2]), seen)
    assert json.loads(table.schema.metadata[b"features"]) == networks


def test_other_names_of_files_are_refused_and_a_missing_extra_names_the_command(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"ends in .csv, .jsonl, .parquet, so that no other is lost"):
        check_table(tmp_path / "up.png")
    with pytest.raises(ConfigError, match=r"--features go into a Parquet table, and --out is '.*a\.csv'"):
        check_table(tmp_path / "a.csv", features=True)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'handful\[parquet\]'"):
        check_table(tmp_path / "a.parquet")
