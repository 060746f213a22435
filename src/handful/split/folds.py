"""Folds for cross-validation that are stratified and keep together what belongs together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handful.core.records import IntArray

NO_TWO_OF_A_CLASS = "no class has two training pictures that are not copies or of one group"
"""Why nothing can be held out to choose or to judge by."""


def folds(labels: IntArray, units: IntArray, *, n_folds: int, seed: int) -> IntArray:
    """Returns int64 (N,): the fold, in 0..K-1, in which each row is held out.

    Units are visited in a drawn order; each goes to the fold that has the fewest rows of its classes, then the fewest
    rows at all. Single rows therefore spread evenly: the folds' counts of a class differ by at most one.

    Args:
        labels: int64 (N,).
        units: int64 (N,): rows with equal numbers share a fold.
        n_folds: K, at least 2.
        seed: decides the order.
    """
    names, unit_of = np.unique(units, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (unit_of, labels), 1)
    filled = np.zeros((n_folds, counts.shape[1]), dtype=np.int64)
    fold_of = np.zeros(len(names), dtype=np.int64)
    for unit in np.random.default_rng(seed).permutation(len(names)):
        of_its_classes = filled @ (counts[unit] > 0)
        fold = int(np.lexsort((filled.sum(axis=1), of_its_classes))[0])
        fold_of[unit] = fold
        filled[fold] += counts[unit]
    assigned: IntArray = fold_of[unit_of]
    return assigned


def can_be_judged(labels: IntArray, units: IntArray) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): which rows a model can get right that did not see their unit: another one has their class too.

    Args:
        labels: int64 (N,).
        units: int64 (N,): rows with equal numbers are held out together.
    """
    _, own = np.unique(units, return_inverse=True)
    n_units = int(own.max(initial=0)) + 1
    n_apart = np.bincount(np.unique(labels * n_units + own) // n_units, minlength=int(labels.max(initial=0)) + 1)
    judged: npt.NDArray[np.bool_] = n_apart[labels] > 1
    return judged
