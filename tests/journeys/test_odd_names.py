"""Names that spreadsheets, pages and shells might take for something else, from the folder to every table and page."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import handful
from handful.core.spreadsheet import unprotect
from handful.testing.pictures import draw_folder

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")

NAMES = (
    "caf\u00e9.png",
    "cafe\u0301.png",
    "\U0001f600 and spaces .png",
    "new\nline.png",
    "-rf.png",
    "=cmd|'calc'!A1.png",
    "@SUM(1).png",
    "<script>alert(1)<\u29f8script>.png",
    "\"quoted\" & 'so'.png",
    "n" * 251 + ".png",
    "%s{x}$(id)`id`.png",
)
NOT_UTF8 = b"caf\xe9.png"
SHOWN = (*NAMES, r"caf\xe9.png")


@pytest.fixture
def odd(tmp_path):
    """A class whose pictures all have odd names, another whose own name is odd, and some files that are no pictures."""
    root = draw_folder(tmp_path / "odd", classes=("=1+1", "<b>square"), per_class=8, size=32)
    for number, name in enumerate((*NAMES, os.fsdecode(NOT_UTF8))):
        values = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(values).save(root / "=1+1" / name)
    for name in ("=bad().png", "<script>bad.png"):
        (root / "<b>square" / name).write_bytes(b"no picture")
    return root


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def protected(table):
    """Asserts that no cell of a table is a formula for a spreadsheet, and returns the paths as they were."""
    assert not [
        cell for row in table for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    ]
    return [unprotect(row["path"]) for row in table]


def test_every_table_and_page_has_the_names_and_none_of_them_does_anything(command, odd, tmp_path):
    options = ("--backbone", "toy", "--head", "ridge", "--max-unreadable", "0.5", "--threads", "2", "--test", "1.0")
    code, _, err = command("train", odd, "--out", "run", *options)
    assert code == 0, err
    run = tmp_path / "run"
    assert set(protected(rows(run / "skipped.csv"))) == {"<b>square/=bad().png", "<b>square/<script>bad.png"}
    tested = set(protected(rows(run / "predictions.csv")))
    assert tested < {f"=1+1/{name}" for name in SHOWN} | {
        f"{c}/{i:03d}.png" for c in ("=1+1", "<b>square") for i in range(8)
    }
    assert len(tested & {f"=1+1/{name}" for name in SHOWN}) > 2
    for page in run.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<script>bad" not in text
        assert "<b>square" not in text
    findings = json.loads((run / "result.json").read_text(encoding="utf-8"))["findings"]
    assert any(each["code"] == "twin-names" for each in findings)


def test_predicting_answers_for_every_name_in_every_format(command, odd, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("handful.api.training.write_run", lambda *_, **__: None)  # the report takes most of the time
    handful.train(photos, "run", backbone="toy", head="ridge", views="plain")
    for out in ("answers.csv", "answers.jsonl"):
        code, _, err = command("predict", "run", odd, "--out", out)
        assert code == 0, err
    found = [path.removeprefix(f"{odd}/") for path in protected(rows(tmp_path / "answers.csv"))]
    assert {f"=1+1/{name}" for name in SHOWN} < set(found)
    assert len(found) == len(set(found)) == 16 + len(SHOWN) + 2
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["path"].removeprefix(f"{odd}/") for line in lines] == found
    assert {line["path"].rpartition("/")[2] for line in lines if line["error"]} == {"=bad().png", "<script>bad.png"}
    code, out, _ = command("predict", "run", *(odd / "=1+1" / name for name in (*NAMES, os.fsdecode(NOT_UTF8))))
    assert code == 0
    assert out.count(" %") == len(SHOWN)
    Path("-rf.png").write_bytes((photos / "circle" / "000.png").read_bytes())
    code, out, _ = command("predict", "run", "--", "-rf.png")
    assert (code, out.startswith("-rf.png  ")) == (0, True)
