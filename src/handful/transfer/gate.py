"""May a lower precision be used? Only where it costs no accuracy on the user's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handful.core.progress import Progress
from handful.core.records import FeatureArray, ImageTable, IntArray
from handful.features import FrozenTrunk, Preprocessing, cosines, extract
from handful.heads import fit_head
from handful.split import can_hold_out, units

N_PICTURES = 400
"""Training pictures that are looked at in both precisions, at most; the full-precision rows are kept for later runs."""

LEAST_COSINE = 0.995
MOST_LOST = 0.005
"""Of a lower precision: mean cosine of its features to those in fp32, and held-out accuracy that it may cost."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a lower precision does to features and answers.

    Attributes:
        cosine: mean over pictures, to the features in fp32.
        lost: held-out accuracy in fp32 less that in the lower precision, of the same ridge head on the same pictures;
            None where none can be held out.
        n_images: pictures that were looked at.
    """

    cosine: float
    lost: float | None
    n_images: int

    @property
    def passes(self) -> bool:
        """Whether the lower precision may be used."""
        return self.cosine >= LEAST_COSINE and (self.lost or 0.0) <= MOST_LOST + 1e-9  # a share of pictures, rounded

    def __str__(self) -> str:
        held_out = "none can be held out to compare answers"
        if self.lost is not None:
            held_out = f"held-out accuracy is {-self.lost:+.1%} (at least {-MOST_LOST:+.1%})"
        return (
            f"on {self.n_images} training pictures its features have a mean cosine of {self.cosine:.4f} to those in "
            f"fp32 (at least {LEAST_COSINE}), and {held_out}"
        )


def examine_precision(
    trunks: tuple[FrozenTrunk, FrozenTrunk],
    table: ImageTable,
    train: IntArray,
    preprocessing: Preprocessing,
    *,
    seed: int,
    threads: int,
    progress: Progress,
) -> Gate:
    """Returns what a lower precision costs on training pictures, the test part left alone.

    Args:
        trunks: in the lower precision, and in fp32.
        table: the data set.
        train: int64 (N,), the training pictures.
        preprocessing: how they become squares.
        seed: draws the pictures.
        threads: for the network.
        progress: told about the work.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(train)[:N_PICTURES])
    pictures = [table.pictures[index] for index in chosen]
    low, full = (
        extract(
            trunk,
            table,
            pictures,
            preprocessing=preprocessing,
            views=("plain",),
            threads=threads,
            progress=progress,
        ).values[:, 0]
        for trunk in trunks
    )
    labels, together = table.labels[chosen], units(pictures)
    lost = None
    if can_hold_out(table, chosen):
        accuracy_low, accuracy_full = (
            _held_out_accuracy(values, labels, together, table.classes, seed) for values in (low, full)
        )
        lost = accuracy_full - accuracy_low
    return Gate(float(cosines(low, full).mean()), lost, len(pictures))


def _held_out_accuracy(
    features: FeatureArray, labels: IntArray, together: IntArray, classes: Sequence[str], seed: int
) -> float:
    """Returns the share of the judged pictures that a ridge head gets right which did not see them."""
    head, _ = fit_head(features, labels, kind="ridge", n_classes=len(classes), units=together, seed=seed)
    return float((head.held_out_proba.argmax(axis=1) == labels)[head.judged].mean())
