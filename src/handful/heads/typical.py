"""A head with typical settings, for rows of which none can be judged: where no class has two units."""

from __future__ import annotations

import numpy as np

from handful.core.records import FeatureArray, FittedHead, FloatArray, IntArray
from handful.heads.ridge import solve
from handful.heads.spectrum import decompose

PENALTY = 1.0
"""In units of the mean squared length of a centred row. Of one picture of a class all penalties make about the same."""

TEMPERATURE = 0.2
"""The lowest mean log loss in `benchmarks.one_shot`: about 0.1 is best on CIFAR-10, where one picture tells much, and
0.5 or more on solar cells, where it tells nothing."""


def fit_typical(
    features: FeatureArray, labels: IntArray, *, n_classes: int, weights: FloatArray | None = None
) -> FittedHead:
    """Returns a ridge head that learnt from rows of equal length, and takes them as they are.

    The length of the only row of a class would decide how often that class is answered, by no merit of its own: equal
    lengths gain up to 3 points on CIFAR-10, and cost half a point on solar cells (`benchmarks.one_shot`).

    Args:
        features: float32 (N, D).
        labels: int64 (N,), in 0..C-1.
        n_classes: C.
        weights: float64 (N,), positive, mean 1: how much each row counts; all alike where None.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    alike = (features * (lengths.mean() / np.where(lengths > 0.0, lengths, 1.0))).astype(np.float32)
    spectrum = decompose(alike, weights)
    penalty = PENALTY * spectrum.mean_square
    return FittedHead(
        kind="ridge",
        layer=solve(spectrum, labels, n_classes=n_classes, penalty=penalty, temperature=TEMPERATURE),
        penalty=penalty,
        held_out_proba=np.full((len(labels), n_classes), 1.0 / n_classes),
        judged=np.zeros(len(labels), dtype=bool),
        held_out_loss=float("nan"),
    )
