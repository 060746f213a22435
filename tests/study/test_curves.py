import dataclasses

import numpy as np
import pytest

from handful.core.study import Axis
from handful.core.training import Checkpoint
from handful.study.curves import MOST_OTHERS, learned
from tests.study.made import FAILS, grid_study, one_axis, search_study, two_axes


def test_one_setting_stands_for_each_value_of_the_first_option_and_the_best_is_among_them():
    made = two_axes()
    shown = learned(made)
    assert [each.options["l2"] for each in shown] == [0, 5e-5, 5e-4, 2.5e-3, 0.05]
    (best,) = [each for each in shown if each.best]
    assert best.options == made.settings[made.best].options
    for each in shown:
        same = [other.accuracy or 0 for other in made.settings if other.options["l2"] == each.options["l2"]]
        assert each.accuracy[1].mean[-1] == pytest.approx(max(same))


def test_of_many_values_some_are_drawn_evenly_apart_with_the_best():
    rates = tuple(float(rate) for rate in np.geomspace(1e-6, 1, 20))
    made = grid_study([Axis("lr", rates)], lambda options: 0.8 - 0.1 * abs(np.log10(options["lr"]) + 3), n_seeds=1)
    shown = learned(made)
    assert len(shown) == MOST_OTHERS + 1
    assert sum(each.best for each in shown) == 1
    assert [each.options["lr"] for each in shown] == sorted(each.options["lr"] for each in shown)


def test_a_search_is_shown_from_the_best_to_the_worst_by_rank():
    shown = learned(search_study())
    ends = [each.accuracy[1].mean[-1] for each in shown]
    assert len(shown) == MOST_OTHERS + 1
    assert shown[0].best
    assert ends == sorted(ends, reverse=True)


def test_the_band_is_mean_and_deviation_of_the_seeds_that_go_so_far():
    made = one_axis()
    first, second, third = made.settings[0].results
    short = dataclasses.replace(third, curve=third.curve[:5])
    settings = (dataclasses.replace(made.settings[0], results=(first, second, short)), *made.settings[1:])
    training, validation = learned(dataclasses.replace(made, settings=settings))[0].accuracy
    assert training.epochs == tuple(range(1, 21))
    at_3 = [each.curve[2].validation_accuracy for each in (first, second, short)]
    assert (validation.mean[2], validation.spread[2]) == pytest.approx((np.mean(at_3), np.std(at_3, ddof=1)))
    at_9 = [each.curve[8].validation_accuracy for each in (first, second)]
    assert (validation.mean[8], validation.spread[8]) == pytest.approx((np.mean(at_9), np.std(at_9, ddof=1)))


def test_losses_that_are_no_numbers_are_left_out():
    made = one_axis(n_seeds=1)
    lost = made.settings[-1].results[0]
    broken = dataclasses.replace(lost.curve[-1], loss=float("nan"), validation_loss=float("inf"))
    setting = dataclasses.replace(
        made.settings[-1], results=(dataclasses.replace(lost, curve=(*lost.curve[:-1], broken)),)
    )
    last = learned(dataclasses.replace(made, settings=(*made.settings[:-1], setting)))[-1]
    assert last.ended == "failed"
    assert [band.epochs[-1] for band in (*last.loss, *last.accuracy)] == [4, 4, 5, 5]


def test_layers_that_are_solved_for_have_no_curve():
    made = one_axis(n_seeds=1)
    solved = Checkpoint(0, 0, 0.1, 0.99, 0.4, 0.9)
    settings = tuple(
        dataclasses.replace(each, results=tuple(dataclasses.replace(one, curve=(solved,)) for one in each.results))
        for each in made.settings
    )
    assert learned(dataclasses.replace(made, settings=settings)) == ()


def test_where_all_fail_their_curves_are_shown():
    made = grid_study([Axis("lr", (0.1, 1.0))], lambda options: FAILS, n_seeds=1)
    assert [each.ended for each in learned(made)] == ["failed", "failed"]
