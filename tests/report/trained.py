"""Made-up trainings and decisions for the report to write down."""

from __future__ import annotations

import dataclasses

import numpy as np

from handful.core.advice import Decision, Similarity, Try
from handful.core.records import Resolved, Run
from handful.core.training import Iteration, Training
from handful.transfer.choose import choose
from handful.transfer.similarity import similarity_of


def training(*, n_epochs=12, per_epoch=17, turn=5.0, seed=0, stopped="", overfits=True, validated=True) -> Training:
    """Returns a training whose validation loss is lowest after `turn` epochs, looked at once in an epoch."""
    rng = np.random.default_rng(seed)
    iterations = []
    for step in range(1, n_epochs * per_epoch + 1):
        passed = step / per_epoch
        loss = 1.6 * np.exp(-passed / 3) + 0.04
        looked = validated and step % per_epoch == 0
        iterations.append(
            Iteration(
                step=step,
                epoch=(step - 1) // per_epoch + 1,
                rate=3e-4,
                loss=float(loss * rng.lognormal(sigma=0.35)),
                accuracy=float(rng.binomial(32, 1 - 0.75 * np.exp(-passed / 2.5) - 0.01) / 32),
                validation_loss=float(0.45 + 0.02 * (passed - turn) ** 2) if looked else None,
                validation_accuracy=float(0.84 - 0.003 * (passed - turn) ** 2) if looked else None,
            )
        )
    best = round(turn) * per_epoch if validated else n_epochs * per_epoch
    return Training(
        iterations=tuple(iterations),
        stopped=stopped or f"no better validation loss in {n_epochs - round(turn)} checks",
        best_step=best,
        overfits_from=best if overfits else None,
        failed_at=None,
        seconds=184.2,
    )


def decision(*, divergence=0.388, n_images=1968, n_classes=2, spread=1.15) -> Decision:
    """Returns the decision of the solar cells, or of other pictures."""
    interval = (similarity_of(divergence * spread), similarity_of(divergence / spread))
    return choose(
        Similarity(similarity_of(divergence), interval, divergence, 96),
        n_images=n_images,
        n_classes=n_classes,
        backbone="efficientnet-lite0",
        n_groups=9,
    )


def tried(decided: Decision, *outcomes, n_validation=80) -> Decision:
    """Returns the decision with tries: for each of its ways (accuracy, difference, standard error) or the reason."""
    plans = [decided.plan, *(other.plan for other in decided.alternatives)]
    return dataclasses.replace(
        decided,
        tries=tuple(
            Try(plan, reason=outcome, seconds=2400.0)
            if isinstance(outcome, str)
            else Try(
                plan,
                seconds=95.3,
                n_validation=n_validation,
                accuracy=outcome[0],
                loss=0.4 - outcome[0] / 10,
                difference=outcome[1],
                standard_error=outcome[2],
            )
            for plan, outcome in zip(plans, outcomes, strict=True)
        ),
        command="handful train photos/ --strategy features",
    )


def with_training(run: Run, *trainings: Training, limit: int = 20) -> Run:
    """Returns the run as one that trained layers, one network for each training."""
    weights = tuple(
        dataclasses.replace(run.weights[0], backbone=f"efficientnet-lite{index}") for index in range(len(trainings))
    )
    heads = tuple(dataclasses.replace(run.heads[0], kind="layers", search=()) for _ in trainings)
    options = {**run.options, "epochs": Resolved(limit, "chosen by the user")}
    strategy = Resolved("freeze", "chosen by the user")
    return dataclasses.replace(
        run, weights=weights, heads=heads, training=trainings, options=options, strategy=strategy
    )
