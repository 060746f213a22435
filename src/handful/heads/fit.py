"""The output layer of a frozen network: the heads side by side, and the best one."""

from __future__ import annotations

import numpy as np

from handful.core.records import FeatureArray, FittedHead, FloatArray, IntArray, LinearHead, Resolved
from handful.heads.logistic import fit_logistic
from handful.heads.probability import choose_temperature, softmax
from handful.heads.ridge import fit_ridge
from handful.heads.spectrum import decompose

LOGISTIC_LIMIT = 2e8
"""Rows times features times classes up to which `auto` fits a logistic head too (about 20 s on two cores)."""


def fit_head(
    features: FeatureArray, labels: IntArray, *, kind: str, n_classes: int, units: IntArray, seed: int
) -> tuple[FittedHead, Resolved]:
    """Returns the head of the wanted kind, and for "auto" the one with the lowest held-out log loss, with the reason.

    Args:
        features: float32 (N, D), one row per training example.
        labels: int64 (N,), in 0..C-1.
        kind: "ridge", "logistic", "average" (of the two, in log odds) or "auto".
        n_classes: C.
        units: int64 (N,): rows with equal numbers are held out together.
        seed: decides the folds.
    """
    spectrum = decompose(features)
    if kind == "logistic":
        only = fit_logistic(spectrum, labels, n_classes=n_classes, units=units, seed=seed)
        return only, Resolved("logistic", "chosen by the user")
    ridge = fit_ridge(spectrum, labels, n_classes=n_classes, units=units)
    if kind == "ridge":
        return ridge, Resolved("ridge", "chosen by the user")
    if kind == "auto" and features.size * n_classes > LOGISTIC_LIMIT:
        return ridge, Resolved("ridge", "every penalty at once; the set is too large to try a logistic head as well")
    logistic = fit_logistic(spectrum, labels, n_classes=n_classes, units=units, seed=seed)
    average = average_heads(ridge, logistic, labels)
    if kind == "average":
        return average, Resolved("average", "chosen by the user")
    chosen, *others = sorted((ridge, logistic, average), key=lambda head: head.held_out_loss)
    losses = ", ".join(f"{head.held_out_loss:.4f} for {head.kind}" for head in others)
    reason = f"held-out log loss {chosen.held_out_loss:.4f} on the training part, against {losses}"
    return chosen, Resolved(chosen.kind, reason)


def average_heads(first: FittedHead, second: FittedHead, labels: IntArray) -> FittedHead:
    """Returns the average of two heads' log odds: again one linear head, with a temperature of its own."""
    held_out = (np.log(first.held_out_proba.clip(1e-300)) + np.log(second.held_out_proba.clip(1e-300))) / 2.0
    temperature, loss = choose_temperature(held_out, labels)
    one, two = first.linear, second.linear
    weight = (one.weight / one.temperature + two.weight / two.temperature) / 2.0
    bias = (one.bias / one.temperature + two.bias / two.temperature) / 2.0
    return FittedHead(
        kind="average",
        linear=LinearHead(weight, bias, temperature),
        penalty=first.penalty,
        held_out_proba=softmax(held_out, temperature=temperature),
        held_out_loss=loss,
        search=first.search,
    )


def predict_proba(head: LinearHead, features: FeatureArray) -> FloatArray:
    """Returns float64 (N, C), rows sum to 1, for features float32 (N, V, D): views are averaged before the head."""
    rows = features.astype(np.float64).mean(axis=1)
    return softmax(rows @ head.weight + head.bias, temperature=head.temperature)
