"""What the records of searches, studies, plans and cross-validations say about themselves."""

import math
from dataclasses import replace

import pytest

from handful.core.advice import TransferPlan, Try
from handful.core.ranking import Ranked, Ranking
from handful.core.search import Attempt, Search
from handful.core.study import StudyPlan, Trial, TrialResult
from handful.core.training import Checkpoint
from handful.core.trust import Comparison, CrossValidation

PROBE = Attempt("probe", "toy", 32, 40, 0.8, 0.5, None, None, True, 1.0, 1.0)
TUNED = replace(PROBE, what="fine-tuning", n_held_out=30, difference=0.1, standard_error=0.02)


def test_the_gain_of_a_search_is_the_mean_over_the_pictures_its_trainings_were_judged_on():
    search = Search(None, (PROBE, TUNED, replace(TUNED, n_held_out=10, difference=0.5, standard_error=0.1)), "", 20)
    assert search.trained == search.attempts[1:]
    gain, error = search.gain
    assert gain == pytest.approx((30 * 0.1 + 10 * 0.5) / 40)
    assert error == pytest.approx(math.sqrt(((30 * 0.02) ** 2 + (10 * 0.1) ** 2) / 40 / 20))


def test_a_search_that_trained_nothing_has_no_gain_and_what_is_not_known_counts_nothing():
    assert Search(None, (PROBE,), "", 0).gain is None
    unknown = replace(TUNED, difference=None, standard_error=None)
    assert Search(None, (PROBE, unknown), "", 20).gain == (0.0, 0.0)


def test_a_trial_has_figures_only_where_it_is_done():
    curve = (Checkpoint(1, 5, 0.9, 0.5, 0.8, 0.6), Checkpoint(2, 10, 0.7, 0.6, 0.4, 0.75))
    done = TrialResult(Trial({}, 0), "done", "", curve, None, 10, (True, True, True, False))
    assert (done.accuracy, done.loss) == (0.75, 0.4)
    pruned = replace(done, status="pruned")
    assert (pruned.accuracy, pruned.loss) == (None, None)


def test_seeds_validate_on_one_part_where_it_is_the_users_and_on_all_pictures_where_it_is_drawn():
    plan = StudyPlan("d", "0", (), {}, (0, 1), "grid", 0, "none", ("a", "b"), n_learn=100, n_validation=20, n_test=9)
    assert plan.pool == 100
    assert replace(plan, validation_given=True).pool == 20


def test_a_plan_gives_the_options_that_play_a_part_in_it():
    assert TransferPlan("features", "toy", "auto").options == {
        "strategy": "features",
        "backbone": "toy",
        "head": "auto",
    }
    assert TransferPlan("freeze", "toy", "C", freeze=3, epochs=5).options == {
        "strategy": "freeze",
        "backbone": "toy",
        "head": "C",
        "freeze": "3",
        "epochs": 5,
    }


def test_a_way_that_was_not_tried_has_no_figures():
    tried = Try(TransferPlan("features", "toy", "auto"), "it would take too long")
    assert (tried.seconds, tried.n_validation) == (0.0, 0)
    assert {tried.accuracy, tried.loss, tried.difference, tried.standard_error} == {None}


def test_the_first_network_of_a_ranking_is_the_best():
    ranked = [Ranked(name, name, 0.5, (0.4, 0.6), 0.7, 1.0, 0.5, 10, 100, "MIT") for name in ("one", "two")]
    assert Ranking(tuple(ranked), (), 10, "").best == "one"


@pytest.mark.parametrize(
    ("spread", "interval", "shown"),
    [
        (0.1, (0.01, 0.2), True),
        (0.1, (-0.2, -0.01), True),
        (0.1, (-0.01, 0.2), False),
        (0.1, (0.0, 0.2), False),
        (0.1, (-0.2, 0.0), False),
        (0.0, (0.01, 0.2), False),
    ],
)
def test_a_gain_is_shown_where_its_interval_excludes_nothing_gained_and_folds_differ(spread, interval, shown):
    compared = Comparison("a", "b", 0.1, spread, interval)
    assert compared.shown is shown
    assert CrossValidation(5, 1, (), 0.8, spread, interval).varies is (spread > 0)
