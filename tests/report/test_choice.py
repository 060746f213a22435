import dataclasses

import pytest

from handful.core.records import Resolved
from handful.report.choice import choice, size_share
from tests.report.trained import decision


def choice_of(run, **options):
    decided = decision(**options)
    strategy = Resolved(decided.plan.strategy, "advised")
    return choice(dataclasses.replace(run, decision=decided, strategy=strategy))


@pytest.mark.parametrize(
    ("divergence", "n_images", "case", "row", "column"),
    [(0.1, 500, 1, 1, 1), (0.4, 500, 2, 1, 0), (0.4, 60_000, 3, 0, 0), (0.1, 60_000, 4, 0, 1)],
)
def test_the_map_marks_the_case_where_the_figures_lie(make_run, divergence, n_images, case, row, column):
    shown = choice_of(make_run(), divergence=divergence, n_images=n_images)
    assert [[each.chosen for each in cells] for cells in shown.quadrants].count([False, False]) == 1
    assert shown.quadrants[row][column].chosen
    assert shown.quadrants[row][column].case == case == shown.decision.case
    assert (shown.size >= 0.5) == (row == 0)
    assert (shown.decision.similarity.value >= shown.border) == (column == 1)


@pytest.mark.parametrize(
    ("n_images", "n_classes", "expected"),
    [(5_000, 2, 0.5), (500, 1, 0.25), (50_000, 5, 0.75), (10, 2, 0.0), (10**9, 2, 1.0), (50_000, 1_000, 0.25)],
)
def test_size_is_a_logarithmic_scale_of_the_figure_furthest_from_its_border(n_images, n_classes, expected):
    # Like ImageNet, 5 000 in all and 500 in each class count as large; the last has enough in all, 50 in each class.
    share = size_share(decision(divergence=0.1, n_images=n_images, n_classes=n_classes))
    assert share == pytest.approx(expected)


def test_the_users_pictures_lie_among_the_known_sets(make_run):
    places = choice_of(make_run(), divergence=0.4).places
    assert [place.similarity for place in places] == sorted((place.similarity for place in places), reverse=True)
    names = [place.name for place in places]
    where = names.index("your pictures")
    assert names[where - 1 : where + 2] == ["solar cells", "your pictures", "brick, grass and gravel"]
    low, high = places[where].interval
    assert low < places[where].similarity < high
    assert sum(place.interval is not None for place in places) == 1


def test_the_plan_comes_with_its_reasons_and_nothing_is_lost(make_run):
    shown = choice_of(make_run())
    planned = {name: option.value for name, option in shown.plan.items()} | shown.rest
    assert planned == shown.decision.plan.options
    assert all(option.reason for option in shown.plan.values())
    assert [other.options for other in shown.others] == ["--strategy features", "--strategy full"]


def test_another_way_than_the_advised_one_is_said(make_run):
    run = dataclasses.replace(make_run(), decision=decision())
    assert choice(run).trained == run.strategy
    assert choice_of(run).trained is None


def test_where_the_user_chose_there_is_nothing_to_show(make_run):
    assert choice(make_run()) is None
