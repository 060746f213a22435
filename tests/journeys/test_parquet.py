"""Parquet at both ends: pictures as bytes in its rows, and features of pictures in its columns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import handful
from handful.api import bulk
from handful.core.progress import Silent
from handful.features import extract
from handful.images import read_unlabelled
from handful.testing.backbone import install_toy_backbone
from handful.testing.pictures import draw_folder

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """A run with the toy network; read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDFUL_CACHE", str(tmp_path_factory.mktemp("cache")))
        install_toy_backbone(patch, tmp_path_factory.mktemp("packages"))
        return handful.train(photos, tmp_path_factory.mktemp("trained") / "run", backbone="toy").folder


@pytest.fixture
def new(command, trained, tmp_path, monkeypatch):
    """A run, a folder of new pictures of which one cannot be read, and a table with the bytes of the same files."""
    shutil.copytree(trained, tmp_path / "run")
    monkeypatch.setattr(bulk, "PORTION", 8)
    draw_folder(tmp_path / "new", classes=("circle", "square"), per_class=10, size=32, seed=5)
    (tmp_path / "new" / "circle" / "003.png").write_bytes(b"no picture")
    files = sorted((tmp_path / "new").rglob("*.png"))
    rows = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
    parquet.write_table(pyarrow.table({"image": rows}), tmp_path / "new.parquet", row_group_size=6)
    return [path.relative_to(tmp_path).as_posix() for path in files]


class Stopped(BaseException):
    """Stands for whatever ends a process."""


def stop_after_one_portion(monkeypatch, out, pictures, **options):
    save = bulk.Unfinished.save

    def stopping(*given):
        save(*given)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(bulk.Unfinished, "save", stopping)
        with pytest.raises(Stopped):
            handful.load("run").predict_into(out, pictures, **options)


def test_a_table_of_bytes_has_the_answers_of_the_same_files(command, new, tmp_path):
    for pictures, out in (("new", "folder.csv"), ("new.parquet", "table.csv")):
        assert command("predict", "run", pictures, "--out", out)[0] == 0
    text = (tmp_path / "folder.csv").read_text()
    for row, name in enumerate(new):
        text = text.replace(name, f"new.parquet#{row}")
    assert (tmp_path / "table.csv").read_text() == text
    few = handful.load("run").predict("new.parquet")
    assert [answer.path for answer in few] == [f"new.parquet#{row}" for row in range(20) if row != 3]
    with pytest.raises(handful.HandfulError, match=r"nothing can link into new\.parquet. Expected --by copy"):
        handful.load("run").predict_into("other.csv", "new.parquet", sort_into="sorted")


def test_a_changed_table_is_not_gone_on_with(new, tmp_path, monkeypatch):
    stop_after_one_portion(monkeypatch, "answers.csv", "new.parquet")
    parquet.write_table(parquet.read_table(tmp_path / "new.parquet"), tmp_path / "new.parquet", compression="none")
    with pytest.raises(handful.HandfulError, match=r"pictures that have changed: 20 \(new\.parquet#0\)"):
        handful.load("run").predict_into("answers.csv", "new.parquet")


def test_a_model_learns_from_bytes_what_it_learns_from_the_same_files(photos, toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = sorted(photos.rglob("*.png"))
    labels = [path.parent.name for path in files]
    (tmp_path / "list.csv").write_text(
        "path,label\n" + "".join(f"{a},{b}\n" for a, b in zip(files, labels, strict=True))
    )
    parquet.write_table(
        pyarrow.table({"image": [{"bytes": path.read_bytes()} for path in files], "label": labels}), "data.parquet"
    )
    (listed, held) = (handful.train(data, data[:4], backbone="toy") for data in ("list.csv", "data.parquet"))
    assert held.evaluation.accuracy == listed.evaluation.accuracy
    of_files, of_rows = (handful.load(run).predict(files[:6]) for run in ("list", "data"))
    for one, other in zip(of_files, of_rows, strict=True):
        assert np.array_equal(one.proba, other.proba)


def test_features_stand_beside_the_answers_and_are_those_that_the_cache_would_hold(command, new, tmp_path):
    code, _, _ = command("predict", "run", "new", "--features", "--out", "features.parquet")
    assert code == 0
    command("predict", "run", "new", "--out", "answers.parquet")
    table, answers = (parquet.read_table(tmp_path / f"{name}.parquet") for name in ("features", "answers"))
    assert table.drop_columns("features").to_pylist() == answers.to_pylist()
    (network,) = json.loads(table.schema.metadata[b"features"])
    member = handful.load("run").model.members[0]
    assert (network["backbone"], network["layer_group"]) == ("toy", member.trunk.tap.group)
    assert (network["weights_sha256"], network["preprocessing"]["size"]) == (
        member.trunk.weights_sha256, member.preprocessing.size,
    )  # fmt: skip
    rows = table["features"].to_pylist()
    assert [row is None for row in rows] == [bool(error) for error in table["error"].to_pylist()]
    assert {len(row) for row in rows if row} == {network["n_features"]}
    model, readable = handful.load("run").model, [Path(name) for name, row in zip(new, rows, strict=True) if row]
    read = read_unlabelled(readable, model.reading, full_scale=model.full_scale)
    how = {"preprocessing": member.preprocessing, "views": member.views, "threads": 1, "progress": Silent()}
    found = extract(member.trunk, read, read.pictures, **how).values.mean(axis=1)
    assert np.array_equal(np.array([row for row in rows if row], dtype=np.float32), found)


def test_features_that_were_stopped_go_on_to_the_same_bytes(new, tmp_path, monkeypatch):
    model = handful.load("run")
    model.predict_into("whole.parquet", "new", features=True)
    stop_after_one_portion(monkeypatch, "features.parquet", "new", features=True)
    with pytest.raises(handful.HandfulError, match="--features is false, and was true"):
        model.predict_into("features.parquet", "new")
    assert model.predict_into("features.parquet", "new", features=True).n_before == 8
    assert (tmp_path / "features.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_features_need_a_parquet_table(command, new):
    code, _, error = command("predict", "run", "new", "--features")
    assert (code, "--features is for many pictures" in error) == (2, True)
    code, _, error = command("predict", "run", "new", "--features", "--out", "features.csv")
    assert (code, "expected a name that ends in .parquet" in " ".join(error.split())) == (2, True)
