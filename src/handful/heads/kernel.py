"""Kernel ridge regression on class indicators: an output layer that is not linear, held out exactly.

The radial kernel lets a few unlike kinds of pictures make up one class, which a linear layer cannot follow. One
inverse gives the fit and every held-out prediction, as the hat matrix does for ridge.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from handful.core.records import FeatureArray, FittedHead, FloatArray, Head, IntArray, KernelPart
from handful.heads.judge import Judge
from handful.heads.probability import softmax
from handful.heads.ridge import blocks_of

SHARPNESSES = (1.0, 2.0, 4.0)
"""Tried at the middle penalty, in units of 1 / the median squared distance between pictures."""

PENALTIES = (0.1, 0.03, 0.3)
"""Tried at the best sharpness; the first is the middle one. The kernel of a picture with itself is 1."""


def fit_kernel(
    features: FeatureArray,
    labels: IntArray,
    *,
    n_classes: int,
    units: IntArray,
    weights: FloatArray | None = None,
) -> FittedHead:
    """Returns the kernel head whose exactly held-out predictions have the least log loss.

    With G = (K + penalty I)^-1, dual weights A = G Y, and a unit of rows B, the residual of B by the model without B
    is (G_BB)^-1 A_B (Rifkin and Lippert 2007, section 3, for single rows). The targets are indicators less 1 / C, a
    constant, so that nothing of a held-out row remains in the model. A row that counts w times has penalty / w.

    Args:
        features: float32 (N, D).
        labels: int64 (N,), in 0..C-1.
        n_classes: C.
        units: int64 (N,): rows with equal numbers are held out together.
        weights: float64 (N,), positive, mean 1: how much each row counts; all alike where None.
    """
    distances = squared_distances(features, features)
    unit_length = float(np.median(distances[np.triu_indices(len(labels), 1)])) if len(labels) > 1 else 1.0
    unit_length = unit_length or 1.0
    targets = np.eye(n_classes)[labels] - 1.0 / n_classes
    blocks, judge = list(blocks_of(units)), Judge.of(labels, units, weights)
    counts = np.ones(len(labels)) if weights is None else weights
    search: list[dict[str, float]] = []
    best: tuple[float, float, float, float, FloatArray, FloatArray] | None = None
    kernel = np.empty_like(distances)  # one for all attempts: the system takes long to give out so much memory anew

    def attempt(sharpness: float, penalty: float) -> None:
        nonlocal best
        np.exp(np.multiply(distances, -sharpness, out=kernel), out=kernel)
        weight, held_out = _solve(kernel, penalty / counts, targets, blocks=blocks)
        temperature, loss = judge.choose_temperature(held_out)
        accuracy = judge.accuracy(held_out)
        search.append({"penalty": penalty, "sharpness": sharpness, "log_loss": loss, "accuracy": accuracy})
        if best is None or loss < best[0]:
            best = (loss, sharpness, penalty, temperature, weight, held_out)

    for relative in SHARPNESSES:
        attempt(relative / unit_length, PENALTIES[0])
    assert best is not None
    sharpness = best[1]
    for penalty in PENALTIES[1:]:
        attempt(sharpness, penalty)
    loss, sharpness, penalty, temperature, weight, held_out = best
    return FittedHead(
        kind="kernel",
        layer=Head(
            weight=np.zeros((features.shape[1], n_classes)),
            bias=np.full(n_classes, 1.0 / n_classes),
            temperature=temperature,
            kernel=KernelPart(features, weight, sharpness),
        ),
        penalty=penalty,
        held_out_proba=softmax(held_out, temperature=temperature),
        judged=judge.rows,
        held_out_loss=loss,
        search=tuple(entry for entry in search if entry["sharpness"] == sharpness),
    )


def kernel_scores(part: KernelPart, features: FeatureArray | FloatArray) -> FloatArray:
    """Returns float64 (N, C): the kernel part's share of the scores, for features (N, D)."""
    kernel = squared_distances(features, part.centres)
    kernel *= -part.sharpness
    scores: FloatArray = np.exp(kernel, out=kernel) @ part.weight
    return scores


def squared_distances(rows: FeatureArray | FloatArray, centres: FeatureArray) -> FloatArray:
    """Returns float64 (N, M): squared Euclidean distances, by one matrix product about the centres' mean."""
    middle = centres.mean(axis=0, dtype=np.float64)
    x, y = rows - middle, centres - middle
    distances: FloatArray = x @ y.T
    distances *= -2.0
    distances += np.einsum("nd,nd->n", x, x)[:, None]
    distances += np.einsum("md,md->m", y, y)
    return np.maximum(distances, 0.0, out=distances)


def _solve(
    kernel: FloatArray, penalties: FloatArray, targets: FloatArray, *, blocks: list[IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Returns dual weights (N, C) and exactly held-out predictions (N, C); `penalties` (N,) are those of the rows."""
    kernel[np.diag_indices_from(kernel)] += penalties
    # The transpose is what LAPACK calls its own order, so nothing is copied; only the lower triangle is filled.
    factor, _ = scipy.linalg.lapack.dpotrf(kernel.T, lower=True, overwrite_a=True)
    inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)
    weight: FloatArray = scipy.linalg.blas.dsymm(1.0, inverse, targets, lower=True)
    residual = np.empty_like(targets)
    for rows in blocks:
        if rows.shape[1] == 1:
            residual[rows[:, 0]] = weight[rows[:, 0]] / inverse[rows[:, 0], rows[:, 0]][:, None]
        else:
            across, down = rows[:, None, :], rows[:, :, None]
            own = inverse[np.maximum(across, down), np.minimum(across, down)]
            residual[rows] = np.linalg.solve(own, weight[rows])
    return weight, targets - residual
