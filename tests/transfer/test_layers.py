"""Training again on all training pictures."""

from __future__ import annotations

from handful.core.config import FinetuneConfig
from handful.core.training import Iteration, Training
from handful.transfer.layers import again


def test_training_again_takes_the_epochs_that_gave_the_kept_weights():
    iterations = tuple(Iteration(step, (step + 2) // 3, 0.1, 1.0, 0.5) for step in range(1, 10))
    training = Training(iterations, "", best_step=5, overfits_from=None, failed_at=None, seconds=1.0)
    recipe = again(FinetuneConfig(epochs=9, stop_at=0.9, time="1m", lr=0.5), training)
    assert (recipe.epochs, recipe.stop_at, recipe.time, recipe.lr) == (2, None, None, 0.5)
