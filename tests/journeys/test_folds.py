"""Cross-validation, as a user asks for it."""

from __future__ import annotations

import json

import pytest

QUICK = ("--backbone", "toy", "--interpolation", "bilinear", "--views", "plain")


def test_folds_are_in_the_result_beside_the_test_part(command, photos, tmp_path):
    plain = json.loads(command("train", photos, *QUICK, "--json")[1])
    code, out, err = command("train", photos, *QUICK, "--folds", "3", "--repeats", "2", "--json")
    result = json.loads(out)
    assert code == 0, err
    cross = result["cross_validation"]
    assert (cross["n_folds"], cross["n_repeats"], len(cross["folds"])) == (3, 2, 6)
    assert {fold["n_train"] + fold["n_test"] for fold in cross["folds"]} == {result["n_train"]}
    assert cross["interval"][0] < cross["accuracy"] < cross["interval"][1]
    assert cross["comparison"]["chosen"] == f"the {result['head'][0]['kind']} head"
    assert plain["cross_validation"] is None
    assert (result["accuracy"], result["held_out"]) == (plain["accuracy"], plain["held_out"])
    assert "--folds 3 --repeats 2" in result["command"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--folds", "15"), "class 'circle' has 13 training pictures; every fold needs one of every class"),
        (("--folds", "5", "--head", "C"), "layers trained by gradient descent would take as many trainings"),
        (("--folds", "5", "--strategy", "auto"), "handful study --seeds 5"),
        (("--repeats", "3"), "repeats is 3 and would do nothing"),
        (("--folds", "1"), "folds is 1; expected a number from 2 to 100"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_cross_validated_is_one_message_and_leaves_nothing(command, photos, tmp_path, options, reason):
    code, out, err = command("train", photos, "--backbone", "toy", *options, "--out", "run")
    assert (code, out) == (2, "")
    assert reason in err
    assert not (tmp_path / "run").exists()
