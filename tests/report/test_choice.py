import dataclasses

import pytest

from handful.core.records import Resolved
from handful.report.choice import choice, size_share
from handful.report.page import render_page
from tests.report.trained import decision, tried


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


def with_tries(run, *outcomes, taken="features"):
    strategy = Resolved(taken, "5.0 points more of 80 validation pictures right")
    return dataclasses.replace(run, decision=tried(decision(), *outcomes), strategy=strategy)


def test_the_advised_way_comes_first_and_the_one_that_was_taken_is_marked(make_run):
    ways = choice(with_tries(make_run(), (0.8, None, None), (0.85, 0.05, 0.02), "not tried: too long")).ways
    assert [way.options for way in ways] == ["--strategy freeze --freeze 3", "--strategy features", "--strategy full"]
    assert [way.taken for way in ways] == [False, True, False]
    assert [way.tried.accuracy for way in ways] == [0.8, 0.85, None]
    assert all(way.reason for way in ways)
    assert [way.tried for way in choice_of(make_run()).ways] == [None] * 3


def test_the_drawing_has_room_for_the_largest_difference_and_its_standard_error(make_run):
    run = make_run()
    assert choice(with_tries(run, (0.8, None, None), (0.85, 0.05, 0.02), (0.7, -0.1, 0.03))).reach == pytest.approx(
        0.13
    )
    assert choice(with_tries(run, (0.8, None, None), "failed", (0.8, 0.0, 0.0))).reach == 1.0


def test_the_page_tells_what_was_tried_and_what_was_not(make_run, tmp_path):
    run = with_tries(make_run(), (0.8, None, None), (0.85, 0.05, 0.025), "not tried: about <3> hours; --time 3h")
    page = render_page(run, folder=tmp_path)
    shown = page[page.index('id="why"') :]
    assert "&lsquo;features&rsquo; was taken: 5.0 points more of 80 validation pictures right." in shown
    assert "+5.0 &plusmn; 2.5 points" in shown
    assert "left: 100.0%" not in shown
    assert "left: 83.3" in shown  # 5.0 of the 7.5 points that there is room for, from the middle
    assert "not tried: about &lt;3&gt; hours; --time 3h" in shown
    assert "Judged on 80 validation pictures" in shown
    assert "handful train photos/ --strategy features" in shown


def test_a_page_without_tries_says_so(make_run, tmp_path):
    run = dataclasses.replace(make_run(), decision=decision())
    page = render_page(run, folder=tmp_path)
    assert "not tried" in page
    assert "Judged on" not in page


def test_where_the_user_chose_there_is_nothing_to_show(make_run):
    assert choice(make_run()) is None
