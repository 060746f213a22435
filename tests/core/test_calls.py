import pytest

from handful.core.calls import extended, is_python, python_call, python_options


@pytest.mark.parametrize("options", [{}, {"backbone": "lite1", "seed": 1, "classes": ("a", "b"), "lr": 1e-3}])
def test_a_python_call_can_be_read_back(options):
    call = python_call(options)
    assert is_python(call)
    assert python_options(call) == options


def test_a_command_line_is_no_python_and_is_lengthened_word_by_word():
    command = extended("handful train 'my photos' --seed 1", {"folds": 5, "view_use": "rows"})
    assert not is_python(command)
    assert command == "handful train 'my photos' --seed 1 --folds 5 --view-use rows"


def test_further_options_of_a_python_call_take_the_place_of_those_it_has():
    assert extended("handful.train(data, seed=1)", {"seed": 2, "folds": 5}) == "handful.train(data, seed=2, folds=5)"
