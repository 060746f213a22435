"""`handful reproduce` from outside."""

from __future__ import annotations

import json

import pytest

from handful.testing.pictures import draw_folder


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return draw_folder(tmp_path_factory.mktemp("drawn") / "shapes", per_class=10, size=32)


def test_one_figure_ends_in_verdicts_and_a_page(command, shapes, tmp_path):
    code, out, _ = command("reproduce", "--figure", "8a", "--data", shapes, "--backbone", "toy", "--seeds", "2")
    assert code == 0
    assert "8a  cannot tell: Below 0.0001 the improvement is negligible." in out or "8a  agrees: Below" in out
    assert (tmp_path / "reproduction" / "index.html").is_file()
    assert str(tmp_path / "reproduction" / "index.html") in out


def test_json_is_one_object_and_equals_the_file(command, shapes, tmp_path):
    arguments = ("10", "9a", "--data", shapes, "--backbone", "toy", "--seeds", "1", "--out", "again", "--json")
    code, out, _ = command("reproduce", *arguments)
    answer = json.loads(out)
    assert code == 0
    assert [each["figure"] for each in answer["verdicts"]] == ["9a", "10"]
    assert answer.pop("page") == str(tmp_path / "again" / "index.html")
    assert answer == json.loads((tmp_path / "again" / "verdicts.json").read_text())


def test_without_network_and_pictures_one_error_says_both_ways(command):
    code, out, err = command("reproduce", "--backbone", "toy", "--offline")
    assert (code, out) == (2, "")
    assert "Either run this again where https://www.cs.toronto.edu" in err
    assert "--data" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--figure", "13"), "there is no figure '13' to reproduce"),
        (("--backbone", "alexnt"), "Did you mean 'alexnet'"),
        (("--classes", "circel,square", "--backbone", "toy"), "there is no class 'circel'"),
    ],
)
def test_what_does_not_exist_is_named(command, shapes, arguments, message):
    code, _, err = command("reproduce", "--data", shapes, "--offline", *arguments)
    assert code == 2
    assert message in err
