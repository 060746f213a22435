"""The output layer of a frozen network: the heads side by side, and the best one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache as once
from functools import partial
from typing import Literal

import numpy as np

from handful.core.errors import DataError, NothingHeldOutError
from handful.core.progress import Progress, Silent
from handful.core.records import FeatureArray, FittedHead, FloatArray, Head, IntArray, Resolved, StackedHead
from handful.heads.judge import Judge
from handful.heads.kernel import fit_kernel, kernel_scores
from handful.heads.logistic import fit_logistic
from handful.heads.probability import softmax
from handful.heads.ridge import fit_ridge
from handful.heads.spectrum import decompose
from handful.heads.stacked import stacked_scores
from handful.heads.typical import PENALTY, TEMPERATURE, fit_typical
from handful.split import NO_TWO_OF_A_CLASS, can_be_judged

KINDS = ("ridge", "logistic", "linear", "kernel", "average")
"""Of output layers that are solved for, in the order in which "auto" tries them."""

LOGISTIC_LIMIT = 2e8
"""Rows times features times classes up to which `auto` fits a logistic head too (about 20 s on two cores)."""

KERNEL_LIMIT = 5000
"""Rows up to which `auto` fits a kernel head too (about 20 s on two cores)."""


def fit_head(
    features: FeatureArray,
    labels: IntArray,
    *,
    kind: str,
    n_classes: int,
    units: IntArray,
    seed: int,
    weights: FloatArray | None = None,
    progress: Progress | None = None,
) -> tuple[FittedHead, Resolved]:
    """Returns the head of the wanted kind, and for "auto" the one with the lowest held-out log loss, with the reason.

    Where no class has two units there is nothing to choose by, and a head with typical settings is made.

    Args:
        features: float32 (N, D), one row per training example.
        labels: int64 (N,), in 0..C-1.
        kind: "ridge", "logistic", "linear" (the average of these two, in log odds), "kernel", "average" (of linear
            and kernel) or "auto".
        n_classes: C.
        units: int64 (N,): rows with equal numbers are held out together.
        seed: decides the folds.
        weights: float64 (N,), positive, mean 1: how much each row counts, in the fit and in every choice; all alike
            where None.
        progress: told about every head that "auto" tries.

    Raises:
        DataError: there is one unit alone.
        NothingHeldOutError: there is nothing to choose by, and another kind than ridge is wanted.
    """
    if len(np.unique(units)) < 2:
        raise DataError(
            f"all {len(labels)} training examples are identical or of one group, so none can be held out from the "
            "others. Add pictures, or check --group-by."
        )
    if not can_be_judged(labels, units).any() and kind in ("auto", "ridge"):
        typical = fit_typical(features, labels, n_classes=n_classes, weights=weights)
        settings = f"penalty {PENALTY:g} and temperature {TEMPERATURE:g} are typical ones"
        return typical, Resolved("ridge", f"{NO_TWO_OF_A_CLASS}, so nothing could be held out to choose by: {settings}")
    too_large = {
        *(("logistic", "linear", "average") if features.size * n_classes > LOGISTIC_LIMIT else ()),
        *(("kernel", "average") if len(features) > KERNEL_LIMIT else ()),
    }
    names = [kind] if kind != "auto" else [name for name in KINDS if name not in too_large]
    tried = fit_heads(
        features,
        labels,
        kinds=names,
        n_classes=n_classes,
        units=units,
        seed=seed,
        weights=weights,
        progress=progress,
    )
    if kind != "auto":
        return tried[0], Resolved(kind, "chosen by the user")
    chosen, *others = sorted(tried, key=lambda head: head.held_out_loss)
    losses = ", ".join(f"{head.held_out_loss:.4f} for {head.kind}" for head in others)
    smoothed = "smoothed" if weights is None else "smoothed, weighted"
    reason = f"held-out log loss ({smoothed}) {chosen.held_out_loss:.4f} on the training part" + (
        f", against {losses}" if losses else ""
    )
    if too_large:
        reason += f"; the set is too large to try {', '.join(sorted(too_large))} as well"
    rivals = tuple((head.kind, head.held_out_loss) for head in others)
    return replace(chosen, rivals=rivals), Resolved(chosen.kind, reason)


def fit_heads(
    features: FeatureArray,
    labels: IntArray,
    *,
    kinds: Sequence[str],
    n_classes: int,
    units: IntArray,
    seed: int,
    weights: FloatArray | None = None,
    progress: Progress | None = None,
) -> list[FittedHead]:
    """Returns heads of the wanted kinds, in their order, which share all that they can.

    Args:
        features: float32 (N, D), one row per training example.
        labels: int64 (N,), in 0..C-1.
        kinds: some of `KINDS`.
        n_classes: C.
        units: int64 (N,): rows with equal numbers are held out together.
        seed: decides the folds.
        weights: float64 (N,), positive, mean 1: how much each row counts; all alike where None.
        progress: told about every head, where there are several.

    Raises:
        NothingHeldOutError: no class has two units, so nothing can be chosen.
    """
    judge = Judge.of(labels, units, weights)
    if not judge.rows.any():
        raise NothingHeldOutError(
            f"{NO_TWO_OF_A_CLASS}, so none can be held out to choose the settings of an output layer by. Add pictures, "
            "or take --head ridge, which then has typical ones."
        )
    spectrum = once(lambda: decompose(features, weights))
    ridge = partial(fit_ridge, labels=labels, n_classes=n_classes, units=units, weights=weights)
    logistic = partial(fit_logistic, labels=labels, n_classes=n_classes, units=units, seed=seed, weights=weights)
    averaged = partial(average_heads, judge=judge)
    makers: dict[str, Callable[[], FittedHead]] = {
        "ridge": once(lambda: ridge(spectrum())),
        "logistic": once(lambda: logistic(spectrum())),
        "linear": once(lambda: averaged(makers["ridge"](), makers["logistic"](), kind="linear")),
        "kernel": once(lambda: fit_kernel(features, labels, n_classes=n_classes, units=units, weights=weights)),
        "average": once(lambda: averaged(makers["linear"](), makers["kernel"](), kind="average")),
    }
    watch = progress if progress is not None and len(kinds) > 1 else Silent()
    fitted = []
    with watch.stage("Output layers tried", len(kinds)) as advance:
        for kind in kinds:
            fitted.append(makers[kind]())
            advance(1)
    return fitted


def average_heads(
    first: FittedHead, second: FittedHead, *, kind: Literal["linear", "average"], judge: Judge
) -> FittedHead:
    """Returns the average of two heads' log odds: again one head, with a temperature of its own.

    At most one of the two has a kernel part.
    """
    held_out = (np.log(first.held_out_proba.clip(1e-300)) + np.log(second.held_out_proba.clip(1e-300))) / 2.0
    temperature, loss = judge.choose_temperature(held_out)
    layers = [head.layer for head in (first, second) if isinstance(head.layer, Head)]
    halves = [(layer, 0.5 / layer.temperature) for layer in layers]
    kernels = [
        replace(layer.kernel, weight=share * layer.kernel.weight) for layer, share in halves if layer.kernel is not None
    ]
    layer = Head(
        weight=sum((share * layer.weight for layer, share in halves), np.zeros(())),
        bias=sum((share * layer.bias for layer, share in halves), np.zeros(())),
        temperature=temperature,
        kernel=kernels[0] if kernels else None,
    )
    return FittedHead(
        kind=kind,
        layer=layer,
        penalty=first.penalty,
        held_out_proba=softmax(held_out, temperature=temperature),
        judged=judge.rows,
        held_out_loss=loss,
        search=first.search,
    )


def pool_views(head: FittedHead, labels: IntArray, *, n_views: int, weights: FloatArray | None = None) -> FittedHead:
    """Returns a head that was fitted on V rows per picture, held out as it will be used: by the mean log odds of views.

    Args:
        head: fitted on N * V rows, the views of a picture next to each other and held out together.
        labels: int64 (N,), of the pictures.
        n_views: V.
        weights: float64 (N,), mean 1: how much each picture counts; all alike where None.
    """
    judged = head.judged[::n_views]
    if not judged.any():
        return replace(head, held_out_proba=head.held_out_proba[::n_views], judged=judged)
    logs = np.log(head.held_out_proba.clip(1e-300)).reshape(len(labels), n_views, -1).mean(axis=1)
    temperature, loss = Judge(labels, judged, weights).choose_temperature(logs)
    layer = replace(head.layer, temperature=head.layer.temperature * temperature)
    proba = softmax(logs, temperature=temperature)
    return replace(head, layer=layer, held_out_proba=proba, judged=judged, held_out_loss=loss)


def predict_proba(head: Head | StackedHead, features: FeatureArray) -> FloatArray:
    """Returns float64 (N, C), rows sum to 1, for features float32 (N, V, D): views are averaged before the head."""
    rows = features.astype(np.float64).mean(axis=1)
    if isinstance(head, StackedHead):
        return softmax(stacked_scores(head, rows), temperature=head.temperature)
    scores = rows @ head.weight + head.bias
    if head.kernel is not None:
        scores += kernel_scores(head.kernel, rows)
    return softmax(scores, temperature=head.temperature)
