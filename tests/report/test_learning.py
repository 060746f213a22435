import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.report.learning import (
    MOST_POINTS,
    Axis,
    Curve,
    epochs_done,
    learnings,
    round_ticks,
    running_mean,
    thinned,
    trainings,
)
from tests.report.trained import training, with_training

FINITE = st.floats(-1e6, 1e6)


def learning_of(make_run, made, **options):
    (learning,) = learnings(with_training(make_run(), made, **options))
    return learning


def test_the_running_mean_is_a_convolution_once_there_is_an_epoch():
    values = np.random.default_rng(0).normal(size=50)
    means = running_mean(values, 7)
    np.testing.assert_allclose(means[6:], np.convolve(values, np.full(7, 1 / 7), mode="valid"))
    np.testing.assert_allclose(means[:6], [values[: n + 1].mean() for n in range(6)])


@settings(max_examples=60)
@given(st.lists(FINITE, min_size=1, max_size=900), st.integers(10, 60))
def test_thinning_keeps_ends_and_extremes_and_the_order(values, limit):
    curve = Curve(tuple(range(1, len(values) + 1)), tuple(values))
    few = thinned(curve, limit=limit)
    assert len(few.steps) <= limit or len(few.steps) == len(values) <= limit
    assert (few.steps[0], few.steps[-1]) == (1, len(values))
    assert (min(few.values), max(few.values)) == (min(values), max(values))
    assert list(few.steps) == sorted(set(few.steps))
    assert all(curve.values[step - 1] == value for step, value in zip(few.steps, few.values, strict=True))


@settings(max_examples=100)
@given(st.floats(0, 1e3), st.floats(1e-3, 1e5))
def test_ticks_are_round_few_and_inside(low, length):
    ticks = round_ticks(low, low + length)
    assert 2 <= len(ticks) <= 5
    slack = 1e-6 * (low + length)
    assert low - slack <= ticks[0]
    assert ticks[-1] <= low + length + slack


def test_an_axis_tells_how_far_along_a_value_lies():
    axis = Axis(0.2, 1.0, (0.2, 0.6, 1.0))
    assert [axis.share(value) for value in (0.2, 0.6, 1.0)] == pytest.approx([0.0, 0.5, 1.0])


def test_a_long_training_has_a_few_hundred_points_to_a_curve(make_run):
    learning = learning_of(make_run, training(n_epochs=10, per_epoch=300))
    for panel in learning.panels:
        assert 300 < len(panel.mini_batches.steps) <= MOST_POINTS
        assert len(panel.training.steps) <= MOST_POINTS
        assert panel.validation.steps == tuple(range(300, 3001, 300))


def test_the_curves_are_those_of_the_record(make_run):
    made = training(n_epochs=4, per_epoch=5)
    loss, accuracy = learning_of(make_run, made).panels
    assert loss.mini_batches.values == tuple(each.loss for each in made.iterations)
    assert accuracy.mini_batches.values == tuple(each.accuracy for each in made.iterations)
    assert loss.training.values[-1] == pytest.approx(np.mean([each.loss for each in made.iterations[-5:]]))
    assert accuracy.validation.values == tuple(
        made.iterations[step - 1].validation_accuracy for step in (5, 10, 15, 20)
    )


def test_axes_hold_the_curves_but_for_the_first_losses(make_run):
    made = training(n_epochs=10, per_epoch=20)
    first = dataclasses.replace(made.iterations[0], loss=500.0)
    loss, accuracy = learning_of(make_run, dataclasses.replace(made, iterations=(first, *made.iterations[1:]))).panels
    assert max(loss.validation.values) < loss.axis.high < 5.0
    assert loss.axis.low == 0.0
    assert accuracy.axis.low <= min(accuracy.training.values)
    assert accuracy.axis.high == 1.0


def test_first_losses_that_hide_nothing_stay_on_the_axis(make_run):
    made = training(n_epochs=10, per_epoch=20)
    first = dataclasses.replace(made.iterations[0], loss=3.0)
    loss, _ = learning_of(make_run, dataclasses.replace(made, iterations=(first, *made.iterations[1:]))).panels
    assert loss.axis.high == pytest.approx(1.08 * 3.0)


def test_what_was_kept_and_where_overfitting_begins(make_run):
    learning = learning_of(make_run, training(turn=5))
    assert (learning.kept, learning.overfits_from, learning.per_epoch) == (85, 85, 17)
    assert learning.sentences == (
        "Training stopped in epoch 12 of 20: no better validation loss in 7 checks.",
        "The weights of update 85 were kept; from there on the network only learned its own pictures by heart.",
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"turn": 5, "overfits": False}, "The weights of update 85 were kept: the validation loss was lowest there."),
        (
            {"turn": 12, "overfits": False},
            "The weights of update 204 were kept, the last: the validation loss was lowest at the end, so more epochs "
            "may help.",
        ),
        (
            {"validated": False, "overfits": False},
            "The weights of the last update were kept: there was no validation part to choose by.",
        ),
    ],
)
def test_what_was_kept_is_said_for_every_way_to_end(make_run, options, expected):
    assert learning_of(make_run, training(**options)).sentences[1] == expected


def test_a_training_that_went_to_the_end_says_so(make_run):
    made = training(stopped="all 12 epochs are done")
    assert learning_of(make_run, made, limit=12).sentences[0] == "Training went through all 12 epochs."
    one = training(n_epochs=1, stopped="all 1 epochs are done")
    assert learning_of(make_run, one, limit=1).sentences[0] == "Training took one epoch."


def test_without_a_validation_part_nothing_is_marked(make_run):
    learning = learning_of(make_run, training(validated=False, overfits=False))
    assert (learning.kept, learning.overfits_from) == (None, None)
    assert learning.panels[0].validation == Curve((), ())


def test_a_failed_training_is_told_without_its_last_loss(make_run):
    made = training(n_epochs=1, validated=False, overfits=False)
    broken = dataclasses.replace(made.iterations[-1], loss=math.nan)
    made = dataclasses.replace(
        made,
        iterations=(*made.iterations[:-1], broken),
        stopped="failed: the loss was nan at update 17",
        best_step=0,
        failed_at=17,
    )
    learning = learning_of(make_run, made)
    assert learning.panels[0].mini_batches.steps[-1] == 16
    assert learning.sentences == (
        "Training broke off at update 17: the loss was nan at update 17. Nothing that it learned is used.",
    )


@pytest.mark.parametrize("loss", [math.nan, 0.5, 0.0])
def test_a_single_update_can_be_drawn(make_run, loss):
    made = training(n_epochs=1, per_epoch=1, validated=False, overfits=False)
    made = dataclasses.replace(made, iterations=(dataclasses.replace(made.iterations[0], loss=loss),))
    for panel in learning_of(make_run, made).panels:
        assert panel.axis.high > panel.axis.low
        assert panel.axis.ticks


def test_every_network_has_its_own(make_run):
    first, second = training(), training(seed=1)
    run = with_training(make_run(), first, second)
    assert trainings(run) == {"efficientnet-lite0": first, "efficientnet-lite1": second}
    assert [learning.backbone for learning in learnings(run)] == ["efficientnet-lite0", "efficientnet-lite1"]
    assert epochs_done(first) == 12


def test_a_run_that_trained_no_layers_has_none(make_run):
    assert learnings(make_run()) == ()
    assert trainings(make_run()) == {}
