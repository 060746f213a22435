"""Trials on disk."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from handful.core.errors import DataError, HandfulError
from handful.core.study import Axis, StudyPlan, Trial, TrialResult
from handful.core.training import Checkpoint
from handful.study.store import load_plan, load_result, load_results, save_plan, save_result

RESULT = TrialResult(
    trial=Trial({"lr": 1e-3, "head": "C"}, seed=4),
    status="done",
    stopped="all 2 epochs are done",
    curve=(Checkpoint(1, 3, 0.1 + 0.2, 1 / 3, 1.1, 0.5), Checkpoint(2, 6, 0.2, 0.9, 1e-17, 1.0)),
    failed_at=None,
    n_train=11,
    right=(True, False, True, True, False, True, True, True, False, True),
)
PLAN = StudyPlan(
    data="/pictures",
    data_sha256="ab",
    axes=(Axis("lr", (1e-3, None)), Axis("l2", low=0.0, high=1.0)),
    base={"head": "C", "classes": ["a", "b"]},
    seeds=(4, 5),
    search="tpe",
    n_trials=7,
    prune="median",
    classes=("a", "b"),
    n_learn=12,
    n_validation=2,
    n_test=3,
)


def save(folder, result=RESULT, versions=None):
    save_result(folder, result, data="ab", versions=versions or {"torch": "1"})
    return next((folder / "trials").iterdir())


def test_a_result_comes_back_to_the_last_bit(tmp_path):
    save(tmp_path)
    assert load_result(tmp_path, RESULT.trial, data="ab") == RESULT
    assert load_results(tmp_path, data="ab") == [RESULT]


def test_a_failed_result_comes_back_with_its_numbers_that_are_none(tmp_path):
    failed = replace(
        RESULT, status="failed", failed_at=6, right=(), curve=(Checkpoint(1, 3, math.nan, 0.5, math.inf, 0.2),)
    )
    save(tmp_path, failed)
    loaded = load_result(tmp_path, failed.trial, data="ab")
    assert (loaded.status, loaded.failed_at, loaded.right, loaded.accuracy) == ("failed", 6, (), None)
    assert math.isnan(loaded.curve[0].loss)


def test_another_seed_option_or_data_set_is_another_trial(tmp_path):
    save(tmp_path)
    for other in (Trial({"lr": 1e-3, "head": "C"}, 5), Trial({"lr": 1e-4, "head": "C"}, 4)):
        assert load_result(tmp_path, other, data="ab") is None
    assert load_result(tmp_path, RESULT.trial, data="cd") is None
    assert load_result(tmp_path, Trial({"head": "C", "lr": 1e-3}, 4), data="ab") == RESULT


def test_a_finished_trial_is_never_written_again(tmp_path):
    before = save(tmp_path).read_bytes()
    path = save(tmp_path, replace(RESULT, n_train=99), versions={"torch": "2"})
    assert path.read_bytes() == before


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_a_damaged_trial_is_named(tmp_path, cut):
    path = save(tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=rf"{path.name} was damaged"):
        load_result(tmp_path, RESULT.trial, data="ab")
    with pytest.raises(DataError, match=rf"{path.name} was damaged"):
        load_results(tmp_path, data="ab")


def test_a_plan_comes_back(tmp_path):
    save_plan(tmp_path, PLAN, versions={"torch": "1"}, command="handful study")
    assert load_plan(tmp_path) == (PLAN, {"torch": "1"}, "handful study")


def test_a_folder_without_a_plan_and_a_damaged_one_are_told_apart(tmp_path):
    with pytest.raises(HandfulError, match=r"is no study: there is no study.json in it"):
        load_plan(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(HandfulError, match=r"study.json was damaged"):
        load_plan(tmp_path)
