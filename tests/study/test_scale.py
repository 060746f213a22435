import pytest

from handful.core.study import Axis
from handful.study.scale import label_of, scale_of, setting_text, value_text


def places(*values, **options):
    scale = scale_of(Axis("lr", values, **options))
    return [scale.place(value) for value in values]


def test_values_that_span_decades_lie_apart_by_their_logarithm():
    assert places(1e-5, 1e-4, 1e-3) == pytest.approx([-5, -4, -3])
    assert places(0.5, 0.9, 0.99) == pytest.approx([0.5, 0.9, 0.99])


def test_zero_lies_one_step_below_the_smallest_value_of_a_logarithmic_axis():
    assert places(0, 1e-4, 1e-2) == pytest.approx([-6, -4, -2])
    scale = scale_of(Axis("l2", (0, 1e-4, 1e-2)))
    assert [text for _, text in scale.ticks] == ["0", "0.0001", "0.01"]
    assert (scale.low, scale.high) == pytest.approx((-6, -2))


@pytest.mark.parametrize("values", [("75-C", "C"), (None, 0.995), (True, False), ("sgd", "adamw")])
def test_values_that_are_no_numbers_lie_one_step_apart_in_their_order(values):
    scale = scale_of(Axis("head", values))
    assert not scale.continuous
    assert [scale.place(value) for value in values] == [0.0, 1.0]


def test_a_range_that_is_searched_has_round_ticks_inside():
    rate = scale_of(Axis("lr", low=1e-5, high=1.0, log=True))
    assert [text for _, text in rate.ticks] == ["1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]
    assert (rate.low, rate.high, rate.place(0.01)) == pytest.approx((-5, 0, -2))
    narrow = scale_of(Axis("lr", low=2e-4, high=3e-3, log=True))
    assert [text for _, text in narrow.ticks] == ["0.0002", "0.0005", "0.001", "0.002"]
    momentum = scale_of(Axis("momentum", low=0.5, high=0.99))
    assert [text for _, text in momentum.ticks] == ["0.5", "0.6", "0.7", "0.8", "0.9"]


def test_ticks_without_room_are_drawn_and_not_written():
    ticks = scale_of(Axis("lr", (0.0, 1.0, 1.01, 2.0))).ticks
    assert [text for _, text in ticks] == ["0", "1", "", "2"]
    assert [place for place, _ in ticks] == pytest.approx([0.0, 1.0, 1.01, 2.0])


def test_one_value_is_an_axis_too():
    scale = scale_of(Axis("lr", (0.1,)))
    assert scale.place(0.1) == scale.low == scale.high


def test_a_word_where_numbers_are_is_refused():
    with pytest.raises(TypeError, match="'fast' is not a number"):
        scale_of(Axis("lr", (0.1, 0.2))).place("fast")


def test_values_and_settings_are_written_as_one_would_type_them():
    assert [value_text(value) for value in (1e-5, 0.00012345, 2000, "", False)] == [
        "1e-5",
        "0.0001234",
        "2000",
        "none",
        "no",
    ]
    assert setting_text({"lr": 0.001, "batch": 32}) == "lr 0.001, batch 32"
    assert (label_of("lr"), label_of("stop_at")) == ("learning rate", "stop at")
