import pytest

from handful.core.training import Iteration
from handful.finetune.freeze import Pooling, Trainable
from handful.finetune.history import Keeper, overfitting_step, pass_accuracy, standing
from handful.finetune.layers import NewLayer
from handful.finetune.stack import Stack


def history(training, validation):
    pairs = zip(training, validation, strict=True)
    return [Iteration(step, 1, 0.1, loss, 0.5, seen) for step, (loss, seen) in enumerate(pairs, start=1)]


def test_overfitting_begins_at_the_lowest_validation_loss_while_training_goes_on_falling():
    assert overfitting_step(history([5, 4, 3, 2, 1], [5, 4, 3, 4, 5])) == 3


def test_training_losses_are_averaged_between_checks():
    assert overfitting_step(history([5, 4, 3, 4, 1, 2, 0, 2], [None, 4, None, 3, None, 4, None, 5])) == 4


@pytest.mark.parametrize(
    ("training", "validation"),
    [
        ([5, 4, 3, 2, 1], [5, 4, 3, 2, 1]),  # still getting better
        ([5, 4, 3, 4, 5], [5, 4, 3, 4, 5]),  # training got worse as well
        ([5, 4, 3, 2, 1], [5, 4, 3, 2, 3]),  # one check may be chance
        ([5, 4, 3, 2, 1], [5, 3, 3, 3, 3]),  # no worse
        ([5, 4, 3], [None, None, None]),
    ],
)
def test_anything_else_is_not_overfitting(training, validation):
    assert overfitting_step(history(training, validation)) is None


def test_the_accuracy_of_a_pass_needs_a_whole_pass():
    iterations = [Iteration(step, 1, 0.1, 1.0, accuracy) for step, accuracy in enumerate([0.0, 0.5, 1.0], start=1)]
    assert pass_accuracy(iterations, 4) is None
    assert pass_accuracy(iterations, 3) == pytest.approx(0.5)


@pytest.fixture
def keeper():
    return Keeper(Trainable([], Pooling("flatten"), Stack([NewLayer(2)], 4, "rectifier"), group_names=[]), keeps=False)


def test_how_a_training_stands_is_the_mean_of_a_pass_the_last_check_and_the_best(keeper):
    recent = [Iteration(7, 2, 0.1, 0.5, 0.75), Iteration(8, 2, 0.1, 0.3, 1.0)]
    assert standing(keeper, recent, epochs=20) == "Epoch 2 of 20: training loss 0.400, accuracy 87.5 %"
    keeper.look(Iteration(4, 1, 0.1, 0.6, 0.5, validation_loss=0.61, validation_accuracy=0.7))
    keeper.look(Iteration(8, 2, 0.1, 0.3, 1.0, validation_loss=0.75, validation_accuracy=0.725))
    assert standing(keeper, recent, epochs=20).splitlines()[1] == (
        "validation loss 0.750, accuracy 72.5 %; best 0.610, 70.0 % in epoch 1"
    )


def test_the_lines_fit_a_terminal_of_80_columns(keeper):
    check = Iteration(2000, 1000, 0.1, 123.4567, 1.0, validation_loss=12.3456, validation_accuracy=1.0)
    keeper.look(check)
    assert max(map(len, standing(keeper, [check], epochs=1000).splitlines())) <= 80
