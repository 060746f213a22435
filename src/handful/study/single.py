"""A trial that cannot be trained together with others: the network's layers, or an output layer that is solved for."""

from __future__ import annotations

from itertools import groupby

from handful.core.config import TrainConfig
from handful.core.errors import HandfulError, NothingHeldOutError, TrainingError
from handful.core.progress import Silent
from handful.core.records import FloatArray, IntArray, Split
from handful.core.study import Trial, TrialResult
from handful.core.training import Checkpoint, Training
from handful.evaluate import evaluate
from handful.study.shared import Learning, SharedActivations
from handful.transfer import classify, locate_weights
from handful.transfer.layers import train_layers, trains_layers
from handful.transfer.probe import train_probe


def curve_of(training: Training) -> tuple[Checkpoint, ...]:
    """Returns how a training stood at the end of each epoch."""
    curve = []
    for epoch, updates in groupby(training.iterations, key=lambda iteration: iteration.epoch):
        seen = list(updates)
        last = seen[-1]
        if last.validation_loss is not None and last.validation_accuracy is not None:
            loss, accuracy = (
                sum(values) / len(seen) for values in zip(*((i.loss, i.accuracy) for i in seen), strict=True)
            )
            curve.append(Checkpoint(epoch, last.step, loss, accuracy, last.validation_loss, last.validation_accuracy))
    return tuple(curve)


def train_single(trial: Trial, config: TrainConfig, learning: Learning, shared: SharedActivations) -> TrialResult:
    """Returns the result of a trial that cannot be trained together with others.

    Args:
        trial: what is trained.
        config: its options, settled.
        learning: the pictures.
        shared: activations that trials have in common.
    """
    try:
        return (_trained if trains_layers(config) else _solved)(trial, config, learning, shared)
    except (TrainingError, NothingHeldOutError) as error:
        return failed(trial, error, learning.parts(config))


def failed(trial: Trial, error: HandfulError, parts: Split) -> TrialResult:
    """Returns the result of a trial whose training came to nothing."""
    failed_at = error.failed_at if isinstance(error, TrainingError) else None
    return TrialResult(trial, "failed", str(error), (), failed_at, len(parts.train), ())


def _trained(trial: Trial, config: TrainConfig, learning: Learning, shared: SharedActivations) -> TrialResult:
    parts = learning.parts(config)
    trained = train_layers(
        learning.table,
        parts,
        config,
        backbone=locate_weights(config)[0],
        threads=learning.threads,
        progress=Silent(),
        known=shared.known(config),
    )
    training = trained.training[0]
    right = _right(trained.held_out_proba, learning, trained.held_out)
    return TrialResult(trial, "done", training.stopped, curve_of(training), None, len(parts.train), right)


def _solved(trial: Trial, config: TrainConfig, learning: Learning, shared: SharedActivations) -> TrialResult:
    parts = learning.parts(config)
    backbones, threads = locate_weights(config), learning.threads
    model = train_probe(learning.table, parts, config, backbones=backbones, threads=threads, progress=Silent()).model
    figures: list[float] = []
    right: tuple[bool, ...] = ()
    for rows in (parts.train, parts.validation):
        pictures = [learning.table.pictures[index] for index in rows]
        proba = classify(model, learning.table, pictures, threads=threads, progress=Silent(), use_cache=True)
        truth = learning.table.labels
        seen = evaluate(proba, truth[rows], classes=learning.table.classes, train_labels=truth[parts.train])
        figures += [seen.log_loss, seen.accuracy]
        right = _right(proba, learning, rows)
    return TrialResult(trial, "done", "solved for", (Checkpoint(0, 0, *figures),), None, len(parts.train), right)


def _right(proba: FloatArray, learning: Learning, rows: IntArray) -> tuple[bool, ...]:
    return tuple(bool(right) for right in proba.argmax(axis=1) == learning.table.labels[rows])
