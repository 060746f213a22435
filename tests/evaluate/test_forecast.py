import numpy as np
import pytest

from handful.evaluate import forecast
from handful.evaluate.forecast import EXPONENTS, _at, _fit

SIZES = np.array([50, 100, 200, 300, 400])


def judged(curve, *, n_images=500, seed=0, sizes=SIZES):
    """Returns how often each picture is mistaken, when its difficulty decides: below the error at a size it is."""
    rng = np.random.default_rng(seed)
    difficulty = rng.random(n_images)
    noise = 0.02 * rng.normal(size=(len(sizes), n_images))
    return (difficulty + noise < np.array([curve(n) for n in sizes])[:, None]).astype(float)


def foretold(wrong, *, error_now, n_test=400, seed=0, labels=None, classes=("a", "b")):
    n_images = wrong.shape[1]
    held_out_wrong = np.arange(n_images) < round(error_now * n_images)
    labels = np.arange(n_images) % 2 if labels is None else labels
    return forecast(
        SIZES, wrong, labels=labels, held_out_wrong=held_out_wrong, classes=classes, n_test=n_test, seed=seed
    )


@pytest.mark.parametrize("exponent", [EXPONENTS[0], EXPONENTS[8], EXPONENTS[-1]])
@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_a_power_law_is_found_again(floor, exponent):
    errors = floor + 0.1 * (SIZES / 400) ** -exponent
    curve = _fit(SIZES, errors[None], np.random.default_rng(0))
    for n_images in (100, 1000):
        assert _at(curve, SIZES, n_images)[0] == pytest.approx(floor + 0.1 * (n_images / 400) ** -exponent, rel=1e-6)


def test_errors_that_would_fall_below_zero_get_no_floor():
    a, b, _ = _fit(SIZES, np.array([[0.4, 0.2, 0.02, 0.0, 0.0]]), np.random.default_rng(0))
    assert (a[0], b[0] >= 0.0) == (0.0, True)


def test_a_flat_curve_promises_nothing():
    growth = foretold(judged(lambda n: 0.2), error_now=0.2)
    assert [each.factor for each in growth.forecasts] == [1.5, 2.0, 3.0]
    assert growth.forecasts[1].accuracy == pytest.approx(0.8, abs=0.01)
    assert growth.forecasts[1].gain[1] < 0.04


def test_a_falling_error_is_carried_on_and_never_becomes_a_loss():
    growth = foretold(judged(lambda n: 2.0 * n**-0.4), error_now=2.0 * 500**-0.4)
    assert growth.forecasts[1].accuracy == pytest.approx(1.0 - 2.0 * 1000**-0.4, abs=0.02)
    assert all(each.gain[0] >= 0.0 for each in growth.forecasts)
    accuracies = [each.accuracy for each in growth.forecasts]
    assert accuracies == sorted(accuracies)


def test_a_small_test_part_widens_what_would_be_measured_and_not_the_gain():
    small, large = (
        foretold(judged(lambda n: n**-0.35), error_now=0.11, n_test=n_test).forecasts[1] for n_test in (30, 3000)
    )
    assert np.ptp(small.interval) > 2 * np.ptp(large.interval)
    assert small.gain == pytest.approx(large.gain, abs=0.01)


def test_no_mistake_at_all_still_leaves_room_for_some():
    growth = foretold(np.zeros((5, 100)), error_now=0.0, n_test=50)
    assert growth.forecasts[1].accuracy == 1.0
    assert growth.forecasts[1].interval[0] < 1.0
    assert growth.level == 1.0


def test_the_interval_covers_what_is_measured_later():
    # Worlds with known curves: training pictures judge, other pictures are the test part of a model on twice as many.
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        exponent, floor = rng.uniform(0.15, 0.8), rng.uniform(0.0, 0.1)

        def curve(n, exponent=exponent, floor=floor):
            return floor + 0.12 * (n / 500) ** -exponent

        wrong = judged(curve, seed=seed)
        growth = foretold(wrong, error_now=rng.binomial(500, curve(500)) / 500, n_test=300, seed=seed)
        low, high = growth.forecasts[1].interval
        inside.append(low <= 1.0 - rng.binomial(300, curve(1000)) / 300 <= high)
    assert np.mean(inside) >= 0.85


def test_the_class_that_is_still_learning_gains_most():
    still, done = judged(lambda n: n**-0.3, n_images=250), judged(lambda n: 0.1, n_images=250, seed=1)
    labels = np.repeat([0, 1], 250)
    held_out = np.r_[np.arange(250) < 39, np.arange(250) < 25]
    growth = forecast(
        SIZES, np.c_[done, still], labels=1 - labels, held_out_wrong=held_out[::-1], classes=("still", "done"),
        n_test=100, seed=0,
    )  # fmt: skip
    assert [each.name for each in growth.classes] == ["still", "done"]
    assert growth.classes[0].interval[0] > growth.classes[1].expected


def test_equal_seeds_give_equal_forecasts():
    wrong = judged(lambda n: n**-0.3)
    assert foretold(wrong, error_now=0.15) == foretold(wrong, error_now=0.15)
    assert foretold(wrong, error_now=0.15) != foretold(wrong, error_now=0.15, seed=1)
