from __future__ import annotations

import math

import pytest
from benchmarks.peers.draw import draw
from benchmarks.peers.pace import ENOUGH_EPOCHS, MARGIN, SIZES, Pace, plan
from benchmarks.peers.summary import curves, markdown, of_one_machine

from handful.core.errors import DataError


def line(peer, budget, seed, accuracy, *, task="solar", split=None, machine="here"):
    finished = accuracy is not None
    return {
        "task": task,
        "peer": peer,
        "budget": budget,
        "seed": seed,
        "finished": finished,
        "seconds": 0.9 * budget if finished else 1.05 * budget,
        "accuracy": accuracy,
        "split": split or f"{task}{seed}",
        "machine": machine,
    }


LINES = [
    line("fastai", 30, 0, 0.70),
    line("handful", 30, 0, 0.80),
    line("fastai", 30, 1, 0.74),
    line("handful", 30, 1, 0.81),
    line("fastai", 60, 0, None),
    line("handful", 60, 0, 0.85),
    line("fastai", 60, 1, 0.9),
    line("handful", 60, 1, 0.86),
]


def test_a_point_is_mean_and_deviation_and_handful_comes_first():
    ours, theirs = curves(LINES, "solar")
    assert (ours.peer, theirs.peer) == ("handful", "fastai")
    assert theirs.points[0].mean == pytest.approx(72.0)
    assert theirs.points[0].deviation == pytest.approx(math.sqrt(8.0))
    assert theirs.points[0].error == pytest.approx(2.0)


def test_a_budget_in_which_a_run_did_not_finish_has_neither_mean_nor_difference():
    _, theirs = curves(LINES, "solar")
    late = theirs.points[1]
    assert (late.n_runs, late.n_finished, late.mean) == (2, 1, None)
    assert set(theirs.differences) == {30}


def test_differences_are_paired_by_seed():
    ours, theirs = curves(LINES, "solar")
    assert ours.differences == {}
    assert theirs.differences[30].mean == pytest.approx((10.0 + 7.0) / 2)
    assert theirs.differences[30].error == pytest.approx(1.5)  # deviation of 10 and 7 is 3 / sqrt 2, over sqrt 2


def test_seeds_that_only_one_has_run_are_in_no_difference():
    lines = [*LINES[:4], line("fastai", 30, 2, 0.1)]
    assert curves(lines, "solar")[1].differences[30].n_seeds == 2


def test_the_table_says_what_did_not_finish():
    text = markdown(LINES)
    assert "| handful | 80.5 % +- 0.5 (27 s) | 85.5 % +- 0.5 (54 s) |" in text
    assert "| fastai, fine_tune | 72.0 % +- 2.0 (27 s) | 1 of 2 did not finish |" in text
    assert "| *handful less this* | *+8.5 +- 1.5* |  |" in text


def test_machines_are_not_mixed():
    lines = [line("fastai", 30, 0, 0.5, machine="there"), *LINES]
    assert of_one_machine(lines) == LINES


def test_lines_of_other_pictures_are_refused():
    with pytest.raises(DataError, match="seed 0, differ between lines"):
        of_one_machine([*LINES, line("vyntri", 30, 0, 0.5, split="another")])
    with pytest.raises(DataError, match="no results yet"):
        of_one_machine([])


@pytest.mark.painted
def test_a_panel_for_each_task_names_every_peer_once():
    lines = [*LINES, line("vyntri", 30, 0, 0.6, task="cifar")]
    drawn = draw(lines)
    text = drawn["peers.svg"].decode()
    assert drawn["peers.png"].startswith(b"\x89PNG")
    assert [text.count(f">{name}<") for name in ("handful", "fastai, fine_tune", "vyntri")] == [1, 1, 1]
    assert text.count("Solar cells") == text.count("CIFAR-10") == 1
    assert text.count("not every run finished in time") == 1
    assert draw(lines) == drawn


PACE = Pace(96, load=0.001, answer=0.01, head=0.02, all=0.04)


def test_a_plan_keeps_to_its_time_and_takes_the_largest_size_at_which_enough_epochs_fit():
    for left in (60.0, 150.0, 400.0, 1000.0, 5000.0):
        chosen = plan(PACE, left, n_train=1000, n_test=100, layers="all", head_epochs=1, most_epochs=99)
        here = PACE.at(chosen.size)
        needed = 1000 * (here.load + here.head) + 100 * (here.load + here.answer)
        step = 1000 * (here.load + here.all)
        if chosen.size != SIZES[-1]:
            assert chosen.epochs >= ENOUGH_EPOCHS
            assert needed + chosen.epochs * step <= MARGIN * left
        assert needed + (chosen.epochs + 1) * step > MARGIN * left
    sizes = [plan(PACE, left, n_train=1000, n_test=100, layers="all").size for left in (60.0, 400.0, 1000.0)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == SIZES[0]


def test_without_enough_time_the_smallest_pictures_are_seen_once_and_there_is_a_most():
    assert plan(PACE, 1.0, n_train=1000, n_test=100, layers="all").epochs == 1
    assert plan(PACE, 1.0, n_train=1000, n_test=100, layers="all").size == SIZES[-1]
    assert plan(PACE, 1e6, n_train=1000, n_test=100, layers="head", most_epochs=25).epochs == 25


def test_work_grows_with_the_number_of_pixels():
    assert PACE.at(192).all == pytest.approx(4 * PACE.all)
