import dataclasses

import numpy as np
import pytest

from handful.core.study import Axis
from handful.study.standings import (
    fresh_accuracy,
    lead_sentence,
    luck_sentence,
    remarks,
    result_sentence,
    rivals,
    standings,
    unfinished,
    why_failed,
)
from tests.study.made import FAILS, grid_study, one_axis, result, search_study, setting, study

RATES = (0.1, 0.01, 0.001)


def made_of(*shares, n=400, values=RATES):
    """Returns a study of one rate each, whose seeds answer these shares of the same pictures rightly."""
    settings = [
        setting(
            {"lr": lr},
            [
                result([True] * round(n * each) + [False] * round(n - n * each), seed=seed)
                for seed, each in enumerate(row)
            ],
        )
        for lr, row in zip(values, shares, strict=True)
    ]
    return study(settings, [Axis("lr", values)], seeds=range(len(shares[0])))


def test_settings_stand_in_the_order_of_their_accuracy_with_their_distance_to_the_best():
    ranked = standings(made_of((0.7, 0.7), (0.9, 0.9), (0.8, 0.8)))
    assert [each.setting.options["lr"] for each in ranked] == [0.01, 0.001, 0.1]
    assert ranked[0].behind is None
    assert [each.behind.difference for each in ranked[1:]] == pytest.approx([0.1, 0.2])
    assert [each.level for each in ranked] == [False, False, False]


def test_the_result_is_one_sentence():
    made = made_of((0.84, 0.84), (0.83, 0.85), (0.5, 0.5))
    ranked = standings(made)
    assert made.settings[made.best].options["lr"] == 0.1
    assert result_sentence(made, ranked) == (
        "lr 0.1 is best: 84.0 % \N{PLUS-MINUS SIGN} 0.0 on validation, over 2 seeds; 0.01 is within the noise."
    )
    assert lead_sentence(ranked).startswith("It is 0.0 points ahead of 0.01, with a standard error of 1.0 (paired")
    assert lead_sentence(ranked).endswith("each): no difference that these pictures can show.")


def test_a_clear_winner_is_called_one():
    made = made_of((0.9, 0.9), (0.7, 0.7), (0.5, 0.5))
    assert rivals(standings(made)) == "every other setting is worse by more than the noise"
    assert lead_sentence(standings(made)).endswith("each): more than chance gives.")


def test_many_rivals_are_counted():
    values = tuple(0.1 + 0.01 * number for number in range(6))
    made = made_of(*[(0.8, 0.81)] * 6, values=values)
    assert rivals(standings(made)) == "5 of the other 5 settings are within the noise"


def test_settings_of_several_options_are_counted_from_two_on():
    for n_level, said in ((1, "lr 0.2, batch 8 is within"), (2, "2 of the other 2 settings are within")):
        settings = [
            setting({"lr": 0.1 * number, "batch": 8}, [result([True] * (82 - number) + [False] * (18 + number))])
            for number in range(1, n_level + 2)
        ]
        axes = [Axis("lr", (0.1, 0.2, 0.3)), Axis("batch", (8,))]
        assert rivals(standings(study(settings, axes, seeds=(0,)))).startswith(said)


def test_a_study_in_which_all_fail_has_no_result():
    made = grid_study([Axis("lr", (0.1, 1.0))], lambda options: FAILS)
    assert standings(made) == ()
    assert result_sentence(made, ()) == "No setting was trained to the end."
    assert (lead_sentence(()), luck_sentence(made), fresh_accuracy(made)) == ("", "", None)
    assert len(unfinished(made)) == 6


def test_one_setting_has_no_rival():
    made = made_of((0.8,), values=(0.1,))
    assert result_sentence(made, standings(made)).endswith("over 1 seed; no other setting was trained to the end.")
    assert lead_sentence(standings(made)) == ""


def test_who_chooses_with_the_other_seeds_does_not_choose_luck():
    # With seed 1 alone 0.1 looks best, with seed 0 alone 0.01; the other seed says what such a choice is worth.
    made = made_of((0.7, 0.9), (0.8, 0.6), (0.5, 0.5))
    assert fresh_accuracy(made) == pytest.approx((0.7 + 0.6) / 2)
    assert "65.0 % are right: expect about that" in luck_sentence(made)


def test_a_choice_that_no_seed_changes_is_not_luck():
    made = made_of((0.9, 0.9), (0.7, 0.7), (0.5, 0.5))
    assert luck_sentence(made).endswith("90.0 % are right: here the choice does not hang on one seed.")
    assert luck_sentence(one_axis(n_seeds=1)).startswith("Expect somewhat less than")


def test_luck_is_found_where_nothing_differs():
    """Of 30 settings of one skill the best seems better than it is; what the other seeds choose does not."""
    rng = np.random.default_rng(0)
    gains, fresh = [], []
    for _ in range(20):
        settings = [
            setting({"lr": float(lr)}, [result(rng.random(200) < 0.8, seed=seed) for seed in range(3)])
            for lr in range(1, 31)
        ]
        made = study(settings, [Axis("lr", tuple(float(lr) for lr in range(1, 31)))], seeds=range(3))
        gains.append(made.settings[made.best].accuracy)
        fresh.append(fresh_accuracy(made))
    # The standard error of 20 means of 3 x 200 pictures is 0.4 points.
    assert np.mean(gains) > 0.82
    assert np.mean(fresh) == pytest.approx(0.8, abs=0.012)


def test_settings_that_lack_a_seed_do_not_stand_and_are_said():
    made = made_of((0.7, 0.7), (0.9, 0.9), (0.8, 0.8))
    short = dataclasses.replace(made.settings[2], results=made.settings[2].results[:1])
    made = dataclasses.replace(made, settings=(*made.settings[:2], short))
    assert [each.setting.options["lr"] for each in standings(made)] == [0.01, 0.1]
    assert [(each.level, each.text) for each in remarks(made)] == [
        ("warning", "1 setting not trained with every seed yet: go on with --resume.")
    ]


def test_what_was_not_tried_yet_is_counted():
    made = search_study(n_trials=20)
    cut = dataclasses.replace(made, settings=made.settings[:12], best=0)
    assert remarks(cut)[0].text == "8 settings not trained with every seed yet: go on with --resume."


def test_one_seed_and_failures_are_said():
    texts = [each.text for each in remarks(one_axis(n_seeds=1))]
    assert texts[0].startswith("One seed does not tell")
    assert texts[1] == "1 training failed: the loss was no longer a number."


def test_a_failure_that_is_no_matter_of_the_loss_is_told_as_it_is():
    made = one_axis(n_seeds=1)
    failed = [each for setting in made.settings for each in setting.results if each.status == "failed"]
    (result,) = failed
    assert why_failed(result) == "the loss was no longer a number"
    other = dataclasses.replace(result, failed_at=None, stopped="no class has two training pictures. Add pictures.")
    assert why_failed(other) == "no class has two training pictures. Add pictures"


@pytest.mark.parametrize(
    ("values", "best", "end"),
    [
        ((0.1, 0.01, 0.001), 0.1, "upper"),
        ((0.1, 0.01, 0.001), 0.001, "lower"),
        ((0.1, 0.01, 0.001), 0.01, None),
        ((0.0, 0.01, 0.1), 0.0, None),
        ((0.1, 0.01), 0.1, None),
        (("C", "75-C", "75-75-C"), "C", None),
    ],
)
def test_a_best_value_at_the_end_says_to_look_beyond(values, best, end):
    shares = [(0.9, 0.9) if value == best else (0.7, 0.7) for value in values]
    said = [each.text for each in remarks(made_of(*shares, values=values))]
    assert said == ([f"The best lr is at the {end} end of what was tried; look beyond it too."] if end else [])
