"""Estimates and their standard errors, against closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from handful.core.study import Setting, Trial, TrialResult
from handful.core.training import Checkpoint
from handful.reproduce import measures
from handful.reproduce.measures import Estimate
from handful.study.compare import compare


def trained(right, *, seed=0, training=1.0, validations=None, n_train=100, status="done", loss=0.0):
    accuracies = validations or [sum(right) / len(right)]
    curve = tuple(
        Checkpoint(epoch, epoch, 0.0, training, loss, accuracy) for epoch, accuracy in enumerate(accuracies, start=1)
    )
    return TrialResult(Trial({"epochs": 4}, seed), status, "", curve, None, n_train, tuple(right))


def setting(*results):
    return Setting({"epochs": 4}, results, None, None)


def answers(n_right, n=100):
    return [True] * n_right + [False] * (n - n_right)


def test_one_seeds_accuracy_has_the_binomial_error():
    found = measures.accuracy(setting(trained(answers(80))), chance=0.2)
    assert found.value == 0.8
    assert found.error == pytest.approx(math.sqrt(0.8 * 0.2 / 100))


def test_seeds_that_differ_more_than_pictures_explain_decide_the_error():
    found = measures.accuracy(setting(*(trained(answers(n), seed=n) for n in (20, 50, 80))), chance=0.2)
    assert found.value == pytest.approx(0.5)
    assert found.error == pytest.approx(0.3 / math.sqrt(3))


def test_seeds_that_agree_leave_the_error_of_the_pictures():
    found = measures.accuracy(setting(*(trained(answers(80), seed=seed) for seed in range(4))), chance=0.2)
    assert found.error == pytest.approx(math.sqrt(0.8 * 0.2 / 100 / 4))


def test_more_seeds_than_there_are_pictures_for_add_nothing():
    settings = [setting(*(trained(answers(80), seed=seed) for seed in range(n_seeds))) for n_seeds in (6, 24)]
    few, many = (measures.accuracy(each, chance=0.2).error for each in settings)
    assert [few, many] == pytest.approx([math.sqrt(0.8 * 0.2 / 600)] * 2)
    others = [setting(*(trained(answers(70), seed=seed) for seed in range(n_seeds))) for n_seeds in (6, 24)]
    few, many = (measures.difference(*pair, chance=0.2).error for pair in zip(settings, others, strict=True))
    assert few == pytest.approx(many)


def test_a_failed_training_counts_as_chance():
    one = trained(answers(60))
    found = measures.accuracy(setting(one, replace(one, status="failed", right=(), curve=())), chance=0.2)
    assert found.value == pytest.approx(0.4)


def test_accuracy_after_an_epoch_is_read_from_the_curve_and_stays_where_training_ended():
    one = setting(trained(answers(80), validations=[0.4, 0.6, 0.8]))
    assert [measures.accuracy(one, chance=0.2, epoch=epoch).value for epoch in (1, 2, 3, 9)] == [0.4, 0.6, 0.8, 0.8]


def test_a_difference_is_that_of_the_paired_comparison():
    first = setting(trained(answers(80)), trained(answers(82), seed=1))
    second = setting(trained(answers(70)), trained(answers(76), seed=1))
    found, expected = measures.difference(first, second, chance=0.2), compare(first, second)
    assert found == Estimate(expected.difference, expected.standard_error)


def test_a_difference_to_a_failed_training_is_to_chance():
    first, failed = setting(trained(answers(80))), setting(replace(trained(answers(1)), status="failed", right=()))
    found = measures.difference(first, failed, chance=0.2)
    assert found.value == pytest.approx(0.6)
    assert found.error == pytest.approx(math.sqrt(0.8 * 0.2 / 100))


def test_the_gap_has_the_error_of_both_its_sides():
    found = measures.gap(setting(trained(answers(80), training=0.9, n_train=400)))
    assert found.value == pytest.approx(0.1)
    assert found.error == pytest.approx(math.sqrt(0.8 * 0.2 / 100 + 0.9 * 0.1 / 400))


def test_gaps_are_compared_picture_by_picture():
    first = setting(trained(answers(80), training=0.99, n_train=400))
    second = setting(trained(answers(84), training=0.93, n_train=400))
    found = measures.gap_difference(first, second)
    assert found.value == pytest.approx(0.06 + 0.04)
    differs = np.array([0] * 96 + [1] * 4)
    assert found.error == pytest.approx(math.sqrt(differs.var(ddof=1) / 100 + 0.06 * 0.94 / 400))


def test_a_loss_rises_by_its_mean_with_the_error_between_seeds():
    few = setting(*(trained(answers(80), seed=seed, loss=0.5) for seed in range(3)))
    many = setting(*(trained(answers(80), seed=seed, loss=loss) for seed, loss in enumerate((0.55, 0.60, 0.65))))
    found = measures.loss_difference(many, few)
    assert found.value == pytest.approx(0.10)
    assert found.error == pytest.approx(0.05 / math.sqrt(3))
    one = setting(trained(answers(80), loss=0.5))
    assert measures.loss_difference(one, one) is measures.UNKNOWN


def test_epochs_are_counted_up_to_the_accuracy_with_which_the_worse_ends():
    slow = setting(trained(answers(80), validations=[0.2, 0.4, 0.6, 0.8]))
    quick = setting(trained(answers(85), validations=[0.5, 0.8, 0.85, 0.85]))
    found = measures.more_epochs(slow, quick)
    assert found == Estimate(2.0, pytest.approx(math.sqrt(2 / 12)))
    assert measures.more_epochs(quick, slow).value == -2.0


def test_a_training_is_stopped_where_updates_of_its_epochs_are_left():
    def ended(step):
        one = trained(answers(80), n_train=100)
        return replace(one, curve=(replace(one.curve[-1], epoch=4, step=step),))

    def share(*steps):
        return measures.share_stopped(replace(setting(*map(ended, steps)), options={"epochs": 4, "batch": 32})).value

    assert share(16) == 0.0
    assert share(15) == 1.0
    assert share(16, 4) == 0.5


def test_nothing_measured_is_unknown():
    assert measures.gap(setting(replace(trained(answers(80)), status="failed"))) is measures.UNKNOWN


def test_intervals_of_two_standard_errors_hold_the_truth_about_19_times_in_20():
    rng = np.random.default_rng(0)
    n_held = 0
    for _ in range(400):
        results = [trained((rng.random(100) < 0.7).tolist(), seed=seed) for seed in range(3)]
        found = measures.accuracy(setting(*results), chance=0.2)
        n_held += abs(found.value - 0.7) <= 2 * found.error
    assert 0.93 <= n_held / 400 <= 1.0
