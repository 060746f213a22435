"""Ridge regression on class indicators: every penalty, and every held-out prediction, from one decomposition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handful.core.records import FittedHead, FloatArray, Head, IntArray
from handful.heads.judge import Judge
from handful.heads.probability import softmax
from handful.heads.spectrum import Spectrum

PENALTIES = np.logspace(-4.0, 3.0, 29)
"""Penalties tried, in units of the mean squared length of a centred feature row."""


def fit_ridge(
    spectrum: Spectrum, labels: IntArray, *, n_classes: int, units: IntArray, weights: FloatArray | None = None
) -> FittedHead:
    """Returns the ridge head whose exactly held-out predictions have the least log loss.

    `min_W sum |Y - X W - b|^2 + penalty |W|^2` on indicators Y, with b not penalised. The prediction of a row by the
    model without its unit follows from the hat matrix H without fitting again (for single rows the textbook
    `(y_i - yhat_i) / (1 - h_ii)`; for units of several rows the same with the unit's block of H), for every penalty
    from the one decomposition of X (Golub, Heath and Wahba 1979; Rifkin and Lippert 2007, section 3). Where rows are
    weighted, all of it happens on rows times the roots of their weights; a refit without a unit keeps the weights.

    Args:
        spectrum: decomposition of the features, (N, D), by the same weights.
        labels: int64 (N,), in 0..C-1.
        n_classes: C.
        units: int64 (N,): rows with equal numbers (views of one picture, duplicates, groups) are held out together.
        weights: float64 (N,), positive, mean 1: how much each row counts; all alike where None.
    """
    judge, roots = Judge.of(labels, units, weights), spectrum.roots[:, None]
    offset, centred = _targets(spectrum, labels, n_classes=n_classes)
    projected = spectrum.left.T @ centred
    blocks = list(blocks_of(units))
    best: tuple[float, float, float, FloatArray] | None = None
    search = []
    for penalty in PENALTIES * spectrum.mean_square:
        shrink = spectrum.values**2 / (spectrum.values**2 + penalty)
        scores = held_out_scores(spectrum.left, shrink, projected, centred, blocks=blocks, roots=roots) / roots + offset
        temperature, loss = judge.choose_temperature(scores)
        search.append({"penalty": float(penalty), "log_loss": loss, "accuracy": judge.accuracy(scores)})
        if best is None or loss < best[0]:
            best = (loss, float(penalty), temperature, scores)
    assert best is not None
    loss, penalty, temperature, scores = best
    return FittedHead(
        kind="ridge",
        layer=solve(spectrum, labels, n_classes=n_classes, penalty=penalty, temperature=temperature),
        penalty=penalty,
        held_out_proba=softmax(scores, temperature=temperature),
        judged=judge.rows,
        held_out_loss=loss,
        search=tuple(search),
    )


def solve(spectrum: Spectrum, labels: IntArray, *, n_classes: int, penalty: float, temperature: float) -> Head:
    """Returns the ridge layer of one penalty; arguments as in `fit_ridge`."""
    offset, centred = _targets(spectrum, labels, n_classes=n_classes)
    shrunk = (spectrum.values / (spectrum.values**2 + penalty))[:, None] * (spectrum.left.T @ centred)
    weight = spectrum.right @ shrunk
    return Head(weight, offset - spectrum.mean @ weight, temperature)


def _targets(spectrum: Spectrum, labels: IntArray, *, n_classes: int) -> tuple[FloatArray, FloatArray]:
    """Returns the mean of the rows' indicators, float64 (C,), and (N, C), what is beyond it, times the rows' roots."""
    targets, weights = np.eye(n_classes)[labels], spectrum.roots**2
    offset = weights @ targets / weights.sum()
    return offset, spectrum.roots[:, None] * (targets - offset)


def held_out_scores(
    left: FloatArray,
    shrink: FloatArray,
    projected: FloatArray,
    centred: FloatArray,
    *,
    blocks: list[IntArray],
    roots: FloatArray,
) -> FloatArray:
    """Returns float64 (N, C): the rows' centred predictions by the ridge fitted without their block, times their roots.

    Args:
        left: (N, R) left singular vectors.
        shrink: (R,) filter factors, s^2 / (s^2 + penalty).
        projected: (R, C), left.T @ centred.
        centred: (N, C) targets less their mean, times the roots.
        blocks: int64 (B, n) each: rows of B blocks of n rows; together they hold every row once.
        roots: (N, 1) of the rows' weights, whose sum is N; the intercept's part of the hat matrix.
    """
    n_rows = len(left)
    residual = centred - left @ (shrink[:, None] * projected)
    held_out = np.empty_like(residual)
    for rows in blocks:
        if rows.shape[1] == 1:
            leverage = roots[rows[:, 0], 0] ** 2 / n_rows + (left[rows[:, 0]] ** 2) @ shrink
            held_out[rows[:, 0]] = residual[rows[:, 0]] / _positive(1.0 - leverage)[:, None]
            continue
        own, root = left[rows], roots[rows]
        hat = np.einsum("bir,r,bjr->bij", own, shrink, own, optimize=True) + root @ root.swapaxes(1, 2) / n_rows
        held_out[rows] = np.linalg.solve(np.eye(rows.shape[1]) * (1.0 + 1e-12) - hat, residual[rows])
    return centred - held_out


def _positive(share: FloatArray) -> FloatArray:
    """Keeps a division finite where a row alone decides its own prediction (as many directions as rows, no penalty)."""
    return np.maximum(share, 1e-12)


def blocks_of(units: IntArray) -> Iterator[IntArray]:
    """Yields the rows of all units of one size, int64 (B, n), for each size."""
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(units[order]) != 0])
    sizes = np.diff(np.r_[starts, len(units)])
    for size in np.unique(sizes):
        chosen = starts[sizes == size]
        yield order[chosen[:, None] + np.arange(size)]
