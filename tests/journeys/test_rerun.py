"""`handful rerun`, typed."""

import json

import pytest

from handful.testing.pictures import draw_folder


@pytest.fixture
def trained(command, tmp_path):
    draw_folder(tmp_path / "photos", per_class=8)
    code, _, _ = command("train", "photos", "--backbone", "toy", "--out", "first")
    assert code == 0
    return command


def test_a_run_is_repeated_and_agrees(trained, tmp_path):
    code, out, err = trained("rerun", "first")
    assert (code, err) == (0, "")
    assert out.startswith("It agrees: model, held-out predictions, test predictions and figures are the same")
    assert (tmp_path / "first-again" / "report.html").is_file()


def test_where_it_does_not_agree_the_files_are_named_and_the_exit_code_is_one(trained, tmp_path):
    (tmp_path / "photos" / "circle" / "000.png").rename(tmp_path / "photos" / "square" / "900.png")
    code, out, _ = trained("rerun", "first", "--out", "other", "--json")
    told = json.loads(out)
    assert code == 1
    assert not told["agrees"]
    assert told["data"]["missing"] == ["circle/000.png"]
    assert told["data"]["added"] == ["square/900.png"]
    assert told["hashes"]["model"][0] != told["hashes"]["model"][1]
    assert "log_loss" in told["figures"]
    assert told["sentence"].startswith("It does not agree: ")
    assert told["folder"] == str(tmp_path / "other")
