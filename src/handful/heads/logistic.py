"""Multinomial logistic regression: every penalty on every fold solved together, as one batched problem.

P problems (penalties times folds) share the features and differ in their penalty and in the rows they see. Working in
the basis of the features' spectrum makes the Hessian nearly diagonal, so a limited-memory quasi-Newton method started
from that diagonal needs few steps; one matrix product serves all problems at each step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handful.core.records import FittedHead, FloatArray, Head, IntArray
from handful.heads.judge import Judge
from handful.heads.probability import softmax
from handful.heads.spectrum import Spectrum
from handful.split import folds

PENALTIES = np.logspace(-5.0, -1.0, 9)
"""Penalties tried, in units of the mean squared length of a centred feature row."""

N_FOLDS = 5
MEMORY = 8
"""Steps that the quasi-Newton method remembers (Nocedal and Wright 2006, section 7.2, advise 3 to 20)."""

MAX_STEPS = 200
SEARCH_TOLERANCE = 1e-6
FINAL_TOLERANCE = 1e-13
"""Solved when half the squared gradient, in the metric of the diagonal, is below this: about the objective's error."""

LONGEST = 16.0
"""Longest step, in units of the quasi-Newton step."""

CHUNK = 20_000_000
"""Scores (rows times problems times classes) held at once while searching; bounds memory."""


@dataclass(frozen=True, slots=True)
class Problems:
    """P regularised problems on the same rows.

    Attributes:
        rows: (N, R + 1) features in the spectrum's basis, last column ones.
        targets: (N, C) indicators.
        shares: (N, P) weight of each row in each problem; columns sum to 1, zero where the row is held out.
        penalties: (P,).
        curvature: (R + 1,) diagonal of the Hessian of the mean loss, about.
    """

    rows: FloatArray
    targets: FloatArray
    shares: FloatArray
    penalties: FloatArray
    curvature: FloatArray


def fit_logistic(
    spectrum: Spectrum,
    labels: IntArray,
    *,
    n_classes: int,
    units: IntArray,
    seed: int,
    weights: FloatArray | None = None,
) -> FittedHead:
    """Returns the logistic head with the penalty that has the least log loss in cross-validation.

    `min_W,b mean cross-entropy + penalty / 2 |W|^2`, b not penalised. The search runs in float32, the final fit in
    float64.

    Args:
        spectrum: decomposition of the features, (N, D), by the same weights.
        labels: int64 (N,), in 0..C-1.
        n_classes: C.
        units: int64 (N,): rows with equal numbers are held out together.
        seed: decides the folds.
        weights: float64 (N,), positive, mean 1: how much each row counts; all alike where None.
    """
    fold_of = folds(labels, units, n_folds=N_FOLDS, seed=seed)
    penalties = PENALTIES * spectrum.mean_square
    held_out = _held_out_scores(spectrum, labels, penalties, n_classes=n_classes, fold_of=fold_of)
    judge = Judge.of(labels, units, weights)
    temperatures, losses = zip(*(judge.choose_temperature(scores) for scores in held_out), strict=True)
    best = int(np.argmin(losses))
    every_row = spectrum.roots[:, None] ** 2 / len(labels)
    problems = _problems(spectrum, labels, every_row, penalties[best : best + 1], n_classes=n_classes)
    solution = solve(problems, tolerance=FINAL_TOLERANCE)[:, :, 0]
    weight = spectrum.right @ solution[:-1]
    return FittedHead(
        kind="logistic",
        layer=Head(weight, solution[-1] - spectrum.mean @ weight, temperatures[best]),
        penalty=float(penalties[best]),
        held_out_proba=softmax(held_out[best], temperature=temperatures[best]),
        judged=judge.rows,
        held_out_loss=losses[best],
        search=tuple(
            {
                "penalty": float(penalty),
                "log_loss": loss,
                "accuracy": judge.accuracy(scores),
            }
            for penalty, loss, scores in zip(penalties, losses, held_out, strict=True)
        ),
    )


def solve(problems: Problems, *, tolerance: float) -> FloatArray:
    """Returns (R + 1, C, P): each problem's minimiser, by L-BFGS on all of them at once.

    The last row is the intercept, not penalised. A step's scores are linear in its length, so the line search costs
    no matrix product. Problems lie innermost in memory, so that sums over the few classes run at full width.
    """
    n_weights, n_problems, n_classes = problems.rows.shape[1], len(problems.penalties), problems.targets.shape[1]
    dtype = problems.rows.dtype
    penalty = np.broadcast_to(problems.penalties, (n_weights, n_problems)).astype(dtype)[:, None, :].copy()
    penalty[-1] = 0.0
    inverse = 1.0 / (problems.curvature[:, None, None] + penalty)
    point = np.zeros((n_weights, n_classes, n_problems), dtype=dtype)
    scores = np.zeros((len(problems.rows), n_classes, n_problems), dtype=dtype)
    gradient = _gradient(problems, scores, point, penalty)
    history: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for _ in range(MAX_STEPS):
        unsolved = _inner(gradient, inverse * gradient) / 2.0 >= tolerance
        if not unsolved.any():
            break
        direction = np.where(unsolved, -_two_loop(gradient, inverse, history), 0.0).astype(dtype)
        along = _scores(problems.rows, direction)
        length = _line_search(problems, scores, along, point=point, direction=direction, penalty=penalty)
        step = length * direction
        point = point + step
        scores = scores + length * along
        new_gradient = _gradient(problems, scores, point, penalty)
        change = new_gradient - gradient
        curvature = _inner(step, change)
        usable = curvature > np.finfo(dtype).eps * _inner(step, step / inverse)
        history.append((step, change, np.where(usable, 1.0 / np.where(usable, curvature, 1.0), 0.0).astype(dtype)))
        del history[:-MEMORY]
        gradient = new_gradient
    return point


def _held_out_scores(
    spectrum: Spectrum, labels: IntArray, penalties: FloatArray, *, n_classes: int, fold_of: IntArray
) -> list[FloatArray]:
    """Returns, for each penalty, float64 (N, C): every row's scores by the model of the fold that holds it out."""
    n_rows, n_folds = len(labels), int(fold_of.max()) + 1
    trains = (fold_of[:, None] != np.arange(n_folds)) * spectrum.roots[:, None] ** 2
    shares = trains / np.maximum(trains.sum(axis=0), np.finfo(float).tiny)
    per_chunk = max(1, CHUNK // (n_rows * n_folds * n_classes))
    held_out: list[FloatArray] = []
    for start in range(0, len(penalties), per_chunk):
        chunk = penalties[start : start + per_chunk]
        problems = _problems(
            spectrum, labels, np.tile(shares, len(chunk)), np.repeat(chunk, n_folds), n_classes=n_classes, dtype="f4"
        )
        scores = _scores(problems.rows, solve(problems, tolerance=SEARCH_TOLERANCE))
        scores = scores.reshape(n_rows, n_classes, len(chunk), n_folds)
        held_out.extend(scores[np.arange(n_rows), :, which, fold_of].astype(np.float64) for which in range(len(chunk)))
    return held_out


def _problems(
    spectrum: Spectrum,
    labels: IntArray,
    shares: FloatArray,
    penalties: FloatArray,
    *,
    n_classes: int,
    dtype: str = "f8",
) -> Problems:
    rows = np.c_[spectrum.left * spectrum.values / spectrum.roots[:, None], np.ones(len(labels))]
    frequency = np.bincount(labels, weights=spectrum.roots**2, minlength=n_classes) / len(labels)
    steepness = float(np.mean(frequency * (1.0 - frequency)))
    curvature = np.r_[spectrum.values**2 / len(labels), 1.0] * max(steepness, 1e-3)
    targets = np.eye(n_classes)[labels]
    return Problems(*(array.astype(dtype) for array in (rows, targets, shares, penalties, curvature)))


def _scores(rows: FloatArray, weights: FloatArray) -> FloatArray:
    product: FloatArray = (rows @ weights.reshape(len(weights), -1)).reshape(len(rows), *weights.shape[1:])
    return product


def _gradient(problems: Problems, scores: FloatArray, point: FloatArray, penalty: FloatArray) -> FloatArray:
    error = _softmax(scores)
    error -= problems.targets[:, :, None]
    error *= problems.shares[:, None, :]
    slope: FloatArray = (problems.rows.T @ error.reshape(len(error), -1)).reshape(point.shape) + penalty * point
    return slope


def _softmax(scores: FloatArray) -> FloatArray:
    """Returns the softmax over the classes, the middle axis; in place, which takes half as long as scipy's."""
    proba: FloatArray = scores - scores.max(axis=1, keepdims=True)
    np.exp(proba, out=proba)
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


def _inner(first: FloatArray, second: FloatArray) -> FloatArray:
    """Returns (P,): the inner product of each problem's weights."""
    product: FloatArray = np.einsum("rcp,rcp->p", first, second)
    return product


def _two_loop(
    gradient: FloatArray, inverse: FloatArray, history: list[tuple[FloatArray, FloatArray, FloatArray]]
) -> FloatArray:
    """Returns the quasi-Newton step for every problem (Nocedal and Wright 2006, algorithm 7.4)."""
    step = gradient.copy()
    used = []
    for move, change, scale in reversed(history):
        amount = scale * _inner(move, step)
        used.append(amount)
        step -= amount * change
    step *= inverse
    for (move, change, scale), amount in zip(history, reversed(used), strict=True):
        step += (amount - scale * _inner(change, step)) * move
    return step


def _line_search(
    problems: Problems,
    scores: FloatArray,
    along: FloatArray,
    *,
    point: FloatArray,
    direction: FloatArray,
    penalty: FloatArray,
) -> FloatArray:
    """Returns (P,): step lengths near the minimum along the direction, by a few safeguarded Newton steps."""
    quadratic = _inner(penalty * direction, direction)
    linear = _inner(penalty * point, direction)
    along_targets = (problems.shares * (problems.targets[:, :, None] * along).sum(axis=1)).sum(axis=0)
    length = np.ones(len(quadratic), dtype=scores.dtype)
    low, high = np.zeros_like(length), np.full_like(length, LONGEST)
    for _ in range(3):
        proba = _softmax(scores + length * along)
        proba *= along
        mean_along = proba.sum(axis=1)
        proba *= along
        variance = proba.sum(axis=1) - mean_along**2
        slope = (problems.shares * mean_along).sum(axis=0) - along_targets
        slope += linear + length * quadratic
        bend = (problems.shares * variance).sum(axis=0) + quadratic
        low, high = np.where(slope < 0.0, length, low), np.where(slope >= 0.0, length, high)
        safe = bend > np.abs(slope) / LONGEST
        proposed = length - slope / np.where(safe, bend, 1.0)
        inside = safe & (proposed > low) & (proposed < high)
        length = np.where(inside, proposed, (low + high) / 2.0).astype(scores.dtype)
    return length
