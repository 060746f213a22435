import pytest

from handful.core.training import Iteration
from handful.finetune.history import overfitting_step, pass_accuracy


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
