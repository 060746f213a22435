"""The records of a training by gradient descent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Iteration:
    """One update of a training by gradient descent.

    Attributes:
        step: number of the update, from 1.
        epoch: number of the pass over the training pictures, from 1.
        rate: base learning rate of this update, before the layers' factors.
        loss: of the mini-batch before the update, penalties not included.
        accuracy: of the mini-batch before the update, in [0, 1].
        validation_loss: of the validation part after the update, where it was looked at.
        validation_accuracy: the same, in [0, 1].
    """

    step: int
    epoch: int
    rate: float
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How a training stood at the end of an epoch.

    Attributes:
        epoch: number of the pass over the training pictures, from 1.
        step: updates so far.
        loss: mean log loss of the epoch's mini-batches, each before its update.
        accuracy: mean accuracy of the same, in [0, 1].
        validation_loss: mean log loss of the validation pictures after the epoch.
        validation_accuracy: share of right answers among them, in [0, 1].
    """

    epoch: int
    step: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Training:
    """How a training by gradient descent went.

    Attributes:
        iterations: every update, in order.
        stopped: why it ended, in plain words.
        best_step: the update whose weights were kept (the lowest validation loss; the last where there is no
            validation part or the last were asked for); 0 where no weights can be used.
        overfits_from: the update of the lowest validation loss, where training went on to fit its own pictures better
            and the others worse; None where that was not seen.
        failed_at: the update at which the loss was no longer a number; such a training is never chosen.
        seconds: wall-clock time.
    """

    iterations: tuple[Iteration, ...]
    stopped: str
    best_step: int
    overfits_from: int | None
    failed_at: int | None
    seconds: float
