"""Where a model looks: in its most confident mistakes and in a few typical pictures, and what it has seen like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from handful.core.errors import HandfulError
from handful.core.looks import Alike, Look, Looks
from handful.core.progress import Progress
from handful.core.records import FeatureArray, FloatArray, Head, ImageTable, IntArray, Split
from handful.features import extract, place_maps, seen_part
from handful.heads import score_gradient
from handful.transfer.model import Member, Model

N_MISTAKES = 12
"""The most confident mistakes that are looked into."""

MOST_TYPICAL, MOST_OF_A_CLASS = 12, 3
"""Typical pictures in all and of a class: enough to see a habit, few enough to look at."""

N_ALIKE = 3
"""Training pictures shown beside a mistake."""

MOST_COMPARED = 1000
"""Training pictures that are compared, at most, where layers were trained: 10 s of a network on two cores."""

ONE_PLACE = (
    "The network's last layers see a picture of this size as one place, so there is no map of where it looks. A larger "
    "--size would give one."
)


def find_looks(
    model: Model,
    table: ImageTable,
    split: Split,
    proba: FloatArray,
    *,
    seed: int,
    threads: int,
    progress: Progress,
) -> Looks:
    """Returns where a model looked in some test pictures; of several networks the first is asked.

    It costs one pass over at most 24 pictures. Nothing is chosen with it. Where it cannot be done the reason is
    returned: a finished run must not fail for it.

    Args:
        model: the classifier.
        table: the data set.
        split: its parts.
        proba: float64 (N_test, C), the model's answers for the test pictures.
        seed: decides which, where not all are compared.
        threads: resolved.
        progress: told about the work.
    """
    labels = table.labels[split.test]
    asked = Looks(model.members[0].trunk.spec.name, len(model.members))
    looking = _Looking(model.members[0], table, threads, progress)
    try:
        wrong = looking.at(split.test, proba, confident_mistakes(proba, labels))
        right = looking.at(split.test, proba, typical_answers(proba, labels))
        compared = split.train
        is_solved = isinstance(model.members[0].head, Head)  # then the cache has the training pictures' features
        if not is_solved and len(compared) > MOST_COMPARED:
            compared = np.sort(np.random.default_rng(seed).permutation(compared)[:MOST_COMPARED])
        mistakes = tuple(
            replace(look, alike=alike) for look, alike in zip(wrong, looking.alike(wrong, compared), strict=True)
        )
    except (HandfulError, OSError) as error:
        return replace(asked, left_out=str(error))
    looks = replace(asked, mistakes=mistakes, typical=right, n_compared=len(compared))
    if {look.places.size for look in (*mistakes, *right)} == {1}:
        return replace(looks, left_out=ONE_PLACE)
    return looks


def confident_mistakes(proba: FloatArray, labels: IntArray, *, limit: int = N_MISTAKES) -> list[int]:
    """Returns the rows of the wrong answers, the most confident first; of equals the first."""
    return [row for row in _by_confidence(proba) if proba[row].argmax() != labels[row]][:limit]


def typical_answers(proba: FloatArray, labels: IntArray) -> list[int]:
    """Returns the rows of the most confident right answers, class by class, at most `MOST_TYPICAL` of them.

    With many classes those of the least recognised ones are taken.
    """
    is_right = proba.argmax(axis=1) == labels
    present = np.unique(labels)
    recalls = np.array([is_right[labels == label].mean() for label in present])
    chosen = np.sort(present[np.argsort(recalls, kind="stable")][:MOST_TYPICAL])
    of_each = min(MOST_OF_A_CLASS, max(1, MOST_TYPICAL // len(chosen)))
    rows = [row for row in _by_confidence(proba) if is_right[row]]
    return [row for label in chosen for row in [each for each in rows if labels[each] == label][:of_each]]


@dataclass(frozen=True, slots=True)
class _Looking:
    """The network that is asked, and the pictures."""

    member: Member
    table: ImageTable
    threads: int
    progress: Progress

    def at(self, test: IntArray, proba: FloatArray, rows: list[int]) -> tuple[Look, ...]:
        """Returns where the network looked in some rows of the test part."""
        if not rows:
            return ()
        pictures = [self.table.pictures[index] for index in test[rows]]
        answers = proba[rows].argmax(axis=1)
        maps = place_maps(
            self.member.trunk,
            self.table,
            pictures,
            score_gradient(self.member.head, self.features(test[rows]), answers),
            preprocessing=self.member.preprocessing,
            threads=self.threads,
            progress=self.progress,
        )
        return tuple(
            Look(int(index), int(answer), places, seen_part(picture.width, picture.height, self.member.preprocessing))
            for index, answer, places, picture in zip(test[rows], answers, maps, pictures, strict=True)
        )

    def alike(self, looks: Sequence[Look], compared: IntArray) -> list[tuple[Alike, ...]]:
        """Returns, for each picture, the training pictures whose features have the largest cosine with its own."""
        if not looks:
            return []
        own = _of_length_one(self.features(np.array([look.index for look in looks])))
        cosines = own @ _of_length_one(self.features(compared)).T
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :N_ALIKE]
        return [
            tuple(Alike(int(compared[place]), float(row[place])) for place in places)
            for row, places in zip(cosines, nearest, strict=True)
        ]

    def features(self, rows: IntArray) -> FeatureArray:
        """Returns float32 (N, D), the mean of the views, as the output layer sees it."""
        values = extract(
            self.member.trunk,
            self.table,
            [self.table.pictures[index] for index in rows],
            preprocessing=self.member.preprocessing,
            views=self.member.views,
            threads=self.threads,
            progress=self.progress,
        ).values
        mean: FeatureArray = values.mean(axis=1)
        return mean


def _by_confidence(proba: FloatArray) -> list[int]:
    order: list[int] = np.argsort(-proba.max(axis=1), kind="stable").tolist()
    return order


def _of_length_one(features: FeatureArray) -> FloatArray:
    rows = features.astype(np.float64)
    scaled: FloatArray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return scaled
