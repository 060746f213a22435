"""Every figure that a run reports about its answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handful.core.records import ClassFigures, Evaluation, FloatArray, IntArray
from handful.evaluate.calibration import calibration_bins, calibration_error
from handful.evaluate.intervals import wilson_interval

SMALLEST_PROBABILITY = 1e-15
"""What the true class gets at least before the logarithm, so that one certain mistake costs 34.5 and not infinity."""

ROW_SUM_TOLERANCE = 1e-5
"""How far a row may be from 1; room for probabilities that were computed in float32."""


def evaluate(proba: FloatArray, labels: IntArray, *, classes: Sequence[str], train_labels: IntArray) -> Evaluation:
    """Returns the figures of some answers; the answer is the most probable class, the first of equals.

    Balanced accuracy and macro F1 are means over the classes present in `labels`, as in scikit-learn. Log loss clips
    the probability of the true class at 1e-15 (scikit-learn: at 2.2e-16).

    Args:
        proba: float64 (N, C), rows sum to 1, columns in the order of classes; N >= 1.
        labels: int64 (N,), the true classes, in 0..C-1.
        classes: C names.
        train_labels: int64 (N_train,), the training part's classes; the most frequent one (the first of equals) is
            what the majority baseline answers. Without any, the baseline is NaN.

    Raises:
        ValueError: shapes that do not fit, labels out of range, or rows that are not probabilities.
    """
    _check(proba, labels, len(classes), train_labels)
    n_images, n_classes = proba.shape
    answers = proba.argmax(axis=1)
    n_right = int(np.sum(answers == labels))
    confusion = np.bincount(labels * n_classes + answers, minlength=n_classes**2).reshape(n_classes, n_classes)
    confusion = confusion.astype(np.int64)
    per_class = tuple(_figures(name, confusion, index) for index, name in enumerate(classes))
    present = [figures for figures in per_class if figures.n_test]
    return Evaluation(
        n_test=n_images,
        accuracy=n_right / n_images,
        accuracy_interval=wilson_interval(n_right, n_images),
        balanced_accuracy=float(np.mean([figures.recall for figures in present])),
        macro_f1=float(np.mean([figures.f1 for figures in present])),
        log_loss=log_loss(proba, labels),
        calibration_error=calibration_error(calibration_bins(proba, labels)),
        majority_baseline=_majority_baseline(labels, train_labels, n_classes),
        confusion=confusion,
        per_class=per_class,
    )


def log_loss(proba: FloatArray, labels: IntArray) -> float:
    """Returns the mean log loss of probabilities, float64 (N, C), for true classes, int64 (N,), clipped at 1e-15."""
    of_the_truth = proba[np.arange(len(labels)), labels]
    return abs(float(np.mean(np.log(np.clip(of_the_truth, SMALLEST_PROBABILITY, 1.0)))))  # abs: no -0.0


def _figures(name: str, confusion: IntArray, index: int) -> ClassFigures:
    n_right = int(confusion[index, index])
    n_true = int(confusion[index].sum())
    n_answered = int(confusion[:, index].sum())
    return ClassFigures(
        name=name,
        n_test=n_true,
        recall=_ratio(n_right, n_true),
        recall_interval=wilson_interval(n_right, n_true),
        precision=_ratio(n_right, n_answered),
        f1=_ratio(2 * n_right, n_true + n_answered),
    )


def _majority_baseline(labels: IntArray, train_labels: IntArray, n_classes: int) -> float:
    if len(train_labels) == 0:
        return float("nan")
    most_frequent = np.bincount(train_labels, minlength=n_classes).argmax()
    return float(np.mean(labels == most_frequent))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _check(proba: FloatArray, labels: IntArray, n_classes: int, train_labels: IntArray) -> None:
    if proba.ndim != 2 or proba.shape[0] == 0 or proba.shape[1] != n_classes:
        raise ValueError(f"proba has shape {proba.shape}; expected (N, {n_classes}), N at least 1, a column per class")
    if labels.shape != (len(proba),):
        raise ValueError(f"labels has shape {labels.shape}; expected ({len(proba)},), one per row of proba")
    for name, indices in (("labels", labels), ("train_labels", train_labels)):
        if len(indices) and not (indices.min() >= 0 and indices.max() < n_classes):
            raise ValueError(f"{name} reach from {indices.min()} to {indices.max()}; expected 0 to {n_classes - 1}")
    off = ~(np.abs(proba.sum(axis=1) - 1.0) <= ROW_SUM_TOLERANCE) | ~(proba >= 0.0).all(axis=1)  # NaN counts as off
    if off.any():
        row = int(off.argmax())
        raise ValueError(
            f"row {row} of proba is {proba[row].tolist()}; expected probabilities: no NaN, none negative, sum 1"
        )
