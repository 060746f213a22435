import dataclasses
import math

import numpy as np
import pytest

from handful.core.study import Axis
from handful.study.effects import N_BINS, effects, pair_table
from tests.study.made import one_axis, result, search_study, setting, study, two_axes


def answered(*shares):
    """Returns results that answer these shares of 100 pictures rightly, a seed each."""
    return [
        result([True] * round(100 * share) + [False] * round(100 - 100 * share), seed=seed)
        for seed, share in enumerate(shares)
    ]


def test_one_option_gives_each_settings_own_mean_and_spread():
    made = one_axis()
    (effect,) = effects(made)
    done = [each for each in made.settings if each.accuracy is not None]
    assert [point.accuracy for point in effect.points] == pytest.approx([each.accuracy for each in done])
    assert [point.spread for point in effect.points] == pytest.approx([each.spread for each in done])
    assert [point.text for point in effect.points] == ["1e-5", "0.0001", "0.001", "0.01"]
    assert all(point.best is None for point in effect.points)
    assert effect.alone


def test_failed_trials_are_kept_with_their_place():
    (effect,) = effects(one_axis())
    assert effect.failed == (-1.0, -1.0, -1.0)
    assert len(effect.dots) == 4 * 3


def test_the_mean_is_over_the_other_options_and_its_spread_is_between_seeds():
    settings = [
        setting({"lr": lr, "batch": batch}, answered(*shares))
        for lr, batch, shares in (
            (0.1, 8, (0.5, 0.6)),
            (0.1, 32, (0.7, 0.6)),
            (0.01, 8, (0.8, 0.9)),
            (0.01, 32, (0.6, 0.9)),
        )
    ]
    made = study(settings, [Axis("lr", (0.1, 0.01)), Axis("batch", (8, 32))], seeds=(0, 1))
    rate, batch = effects(made)
    low, high = rate.points
    assert (low.text, low.accuracy, low.spread) == (
        "0.01",
        pytest.approx(0.8),
        pytest.approx(np.std([0.7, 0.9], ddof=1)),
    )
    assert (high.text, high.accuracy, high.spread) == ("0.1", pytest.approx(0.6), pytest.approx(0.0))
    # The best setting is 0.01 with 8: the slice through it has batch 8, and 0.01 the other way.
    assert [point.best for point in rate.points] == pytest.approx([0.85, 0.55])
    assert [point.best for point in batch.points] == pytest.approx([0.85, 0.75])


def test_the_gap_is_training_minus_validation_at_the_end():
    made = one_axis()
    (effect,) = effects(made)
    ends = [each.curve[-1] for each in made.settings[0].results]
    assert effect.points[0].gap == pytest.approx(np.mean([end.accuracy - end.validation_accuracy for end in ends]))


def test_a_searched_range_has_a_point_for_each_part_with_the_best_in_it():
    made = search_study()
    effect = effects(made)[0]
    done = [each for each in made.settings if each.accuracy is not None]
    assert 2 < len(effect.points) <= N_BINS
    assert sum(point.n_settings for point in effect.points) == len(done)
    assert max(point.best for point in effect.points) == max(each.accuracy for each in done)
    assert [point.place for point in effect.points] == sorted(point.place for point in effect.points)
    assert len(effect.pruned) == sum(each.results[0].status == "pruned" for each in made.settings) > 0


def test_a_setting_that_lacks_a_seed_still_counts_for_the_seeds_that_it_has():
    whole = setting({"lr": 0.1, "batch": 8}, answered(0.5, 0.7))
    part = setting({"lr": 0.1, "batch": 32}, answered(0.7))
    made = study([whole, part], [Axis("lr", (0.1,)), Axis("batch", (8, 32))], seeds=(0, 1))
    assert effects(made)[0].points[0].accuracy == pytest.approx((0.6 + 0.7) / 2)


def test_the_table_of_two_options_holds_every_mean_and_says_where_none_is():
    made = two_axes()
    table = pair_table(made)
    assert table.row_names == ("0", "5e-5", "0.0005", "0.0025", "0.05")
    assert table.column_names == ("8", "32", "128")
    assert math.isnan(table.accuracy[4, 0])
    assert table.accuracy[2, 1] == made.settings[2 * 3 + 1].accuracy
    assert table.accuracy[table.best] == np.nanmax(table.accuracy)


def test_there_is_no_table_of_one_option_or_of_a_search():
    assert pair_table(one_axis()) is None
    searched = search_study()
    two = dataclasses.replace(searched.plan, axes=searched.plan.axes[2:])
    assert pair_table(dataclasses.replace(searched, plan=two)) is None
