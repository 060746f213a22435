import math

import numpy as np
import pytest

from handful.core.errors import HandfulError
from handful.study.compare import compare
from tests.study.made import result, setting


def settings_of(*pairs):
    """Returns two settings, one trial per pair of answers."""
    return tuple(
        setting({"lr": lr}, [result(pair[which], seed=seed) for seed, pair in enumerate(pairs)])
        for which, lr in enumerate((0.1, 0.01))
    )


def answers(n_right, n):
    return [True] * n_right + [False] * (n - n_right)


def test_one_seed_gives_the_mean_and_standard_error_of_the_paired_differences():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random(200) < 0.8, rng.random(200) < 0.7
    found = compare(*settings_of((ours, theirs)))
    differences = ours.astype(float) - theirs.astype(float)
    assert found.difference == pytest.approx(differences.mean())
    assert found.standard_error == pytest.approx(differences.std(ddof=1) / math.sqrt(200))
    assert (found.n_seeds, found.n_pictures) == (1, 200)


def test_pairing_takes_out_what_the_pictures_have_in_common():
    hard = answers(600, 1000)
    found = compare(*settings_of((answers(630, 1000), hard)))
    # 30 pictures differ, all in one direction: p = 0.03, variance p (1 - p) n / (n - 1); unpaired it were 0.022.
    assert found.standard_error == pytest.approx(math.sqrt(0.03 * 0.97 / 999))
    assert found.verdict == "better"


def test_seeds_that_agree_leave_the_sampling_of_pictures():
    pair = (answers(80, 100), answers(76, 100))
    one, four = compare(*settings_of(pair)), compare(*settings_of(*[pair] * 4))
    assert four.difference == pytest.approx(0.04)
    assert four.standard_error == pytest.approx(one.standard_error / 2)


def test_seeds_that_differ_more_than_pictures_explain_decide_the_error():
    pairs = [(answers(900, 1000), answers(800, 1000)), (answers(800, 1000), answers(900, 1000))]
    found = compare(*settings_of(*pairs))
    between = np.var([0.1, -0.1], ddof=1)
    assert found.difference == pytest.approx(0.0)
    assert found.standard_error == pytest.approx(math.sqrt(between / 2))
    assert found.verdict == "no difference shown"


@pytest.mark.parametrize(
    ("n_first", "n_second", "verdict"),
    [(90, 80, "better"), (80, 90, "worse"), (82, 80, "no difference shown"), (80, 80, "no difference shown")],
)
def test_a_difference_counts_from_two_standard_errors(n_first, n_second, verdict):
    found = compare(*settings_of((answers(n_first, 100), answers(n_second, 100))))
    assert found.verdict == verdict
    assert compare(*settings_of((answers(n_second, 100), answers(n_first, 100)))).difference == -found.difference


def test_the_verdict_keeps_its_promise_where_nothing_differs():
    """Two settings of equal skill on 3 seeds: about 5 in 100 may seem to differ, not many more."""
    rng = np.random.default_rng(1)
    verdicts = [
        compare(*settings_of(*((rng.random(150) < 0.8, rng.random(150) < 0.8) for _ in range(3)))).verdict
        for _ in range(400)
    ]
    assert sum(verdict != "no difference shown" for verdict in verdicts) < 0.08 * 400


def test_only_seeds_with_which_both_are_done_are_compared():
    first, second = settings_of((answers(9, 10), answers(5, 10)), (answers(8, 10), answers(8, 10)))
    broken = setting(second.options, [result(status="failed", seed=0), second.results[1]])
    found = compare(first, broken)
    assert (found.n_seeds, found.difference) == (1, 0.0)


def test_nothing_in_common_is_an_error():
    first, second = settings_of((answers(9, 10), answers(5, 10)))
    with pytest.raises(HandfulError, match="no seed with which both are done"):
        compare(first, setting(second.options, [result(status="failed", seed=0)]))
    with pytest.raises(HandfulError, match="different numbers of pictures"):
        compare(first, setting(second.options, [result(answers(5, 11), seed=0)]))


def test_a_single_picture_decides_nothing_that_is_no_number():
    found = compare(*settings_of(([True], [True])))
    assert (found.difference, found.standard_error, found.verdict) == (0.0, 0.0, "no difference shown")


def test_seeds_cannot_show_more_than_the_pictures_that_there_are():
    pair = (answers(80, 100), answers(76, 100))
    one, four = compare(*settings_of(pair)), compare(*settings_of(*[pair] * 4), pool=100)
    assert four.standard_error == pytest.approx(one.standard_error)
    assert compare(*settings_of(*[pair] * 4), pool=200).standard_error == pytest.approx(
        one.standard_error / math.sqrt(2)
    )
