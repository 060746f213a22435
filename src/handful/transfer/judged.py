"""What a search made, judged on pictures that it did not see, and which of it is averaged in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from handful.core.config import TrainConfig
from handful.core.records import FloatArray, ImageTable, IntArray, Resolved
from handful.core.search import Attempt, Search
from handful.evaluate import log_loss
from handful.heads import choose_temperature, softmax
from handful.transfer.model import Model
from handful.transfer.probe import Trained, joined

BY_USER = "chosen by the user"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was made, and its answers for training pictures that it did not see; equal only to itself.

    Attributes:
        trained: what was made; of one network.
        record: what is told of it.
        seconds_each: that an answer takes.
    """

    trained: Trained
    record: Attempt
    seconds_each: float

    @property
    def rows(self) -> IntArray:
        """The pictures, int64 (M,), as places in the table."""
        return self.trained.held_out

    @property
    def proba(self) -> FloatArray:
        """Its answers for them, float64 (M, C), rows sum to 1."""
        return self.trained.held_out_proba

    def answers(self, rows: IntArray) -> FloatArray:
        """Returns its answers for some of its pictures."""
        places = {int(row): place for place, row in enumerate(self.rows)}
        return self.proba[[places[int(row)] for row in rows]]


def alike(found: Sequence[Judged], labels: IntArray) -> list[Judged]:
    """Returns networks with one temperature for all, chosen on all their held-out answers together.

    One part may hold a handful of pictures, too few to choose by.

    Args:
        found: each judged on pictures of its own.
        labels: int64, of the whole table.
    """
    if not found:
        return []
    scores = [np.log(each.proba.clip(1e-300)) * each.trained.heads[0].layer.temperature for each in found]
    rows = np.concatenate([each.rows for each in found])
    temperature, _ = choose_temperature(np.concatenate(scores), labels[rows])
    return [
        replace(
            each,
            trained=replace(_tempered(each.trained, temperature), held_out_proba=softmax(own, temperature=temperature)),
        )
        for each, own in zip(found, scores, strict=True)
    ]


def choose(probes: Sequence[Judged], found: Sequence[Judged], labels: IntArray) -> tuple[Judged, ...]:
    """Returns what is averaged, by held-out log loss: probes, trained networks, or both.

    Probes are all taken, or the first one where that is better alone. A network counts by all its trainings together,
    and is left out where they neither do better than the probes, on the pictures that they were judged on, nor make
    them better.

    Args:
        probes: at least one; each judged on all pictures that any of the others was.
        found: the trainings.
        labels: int64, of the whole table.
    """
    solved = _best_probes(probes, labels)

    def losses(own: Sequence[Judged]) -> tuple[float, float, float]:
        """Returns the log loss of trainings, of the probes, and of all, on the pictures of the trainings."""
        rows, trained = answers(own)
        base = answers(solved, rows)[1]
        both = (len(own) * trained + len(solved) * base) / (len(own) + len(solved))
        return log_loss(trained, labels[rows]), log_loss(base, labels[rows]), log_loss(both, labels[rows])

    kept: list[Judged] = []
    for name in dict.fromkeys(each.record.backbone for each in found):
        own = [each for each in found if each.record.backbone == name]
        alone, base, both = losses(own)
        if min(alone, both) < base:
            kept += own
    if not kept:
        return solved
    alone, _, both = losses(kept)
    return (*solved, *kept) if both < alone else tuple(kept)


def answers(judged: Sequence[Judged], rows: IntArray | None = None) -> tuple[IntArray, FloatArray]:
    """Returns pictures, all that were answered by default, and the mean answer of those that did not see each."""
    rows = np.unique(np.concatenate([each.rows for each in judged])) if rows is None else rows
    sums = np.zeros((len(rows), judged[0].proba.shape[1]))
    for each in judged:
        places = np.flatnonzero(np.isin(rows, each.rows))
        sums[places] += each.answers(rows[places])
    return rows, sums / sums.sum(axis=1, keepdims=True)


def why_averaged(config: TrainConfig) -> str:
    """Returns why networks are averaged: they are at hand, or the user named them."""
    return "at hand, and on ImageNet no worse than the default one" if config.features.backbone == "auto" else BY_USER


def _best_probes(probes: Sequence[Judged], labels: IntArray) -> tuple[Judged, ...]:
    """Returns all probes where their average has a lower log loss than the first one, and that one otherwise.

    The best of them is not asked for: one of many is best by chance, above all where pictures are few.
    """

    def loss(some: Sequence[Judged]) -> float:
        rows, proba = answers(some)
        return log_loss(proba, labels[rows])

    return tuple(probes) if loss(probes) < loss(probes[:1]) else (probes[0],)


def _tempered(trained: Trained, temperature: float) -> Trained:
    """Returns what was made from one network with another temperature of its output layer."""
    (member,), (head,) = trained.model.members, trained.heads
    layer = replace(member.head, temperature=temperature)
    model = replace(trained.model, members=(replace(member, head=layer),))
    return replace(trained, model=model, heads=(replace(head, layer=layer),))


def together(answer: Sequence[Judged], table: ImageTable, config: TrainConfig, search: Search) -> Trained:
    """Returns the average of some networks, with answers for every picture that one of the trained ones did not see."""
    trained = [each for each in answer if each.trained.training]
    solved = [each for each in answer if not each.trained.training]
    own = trained or solved
    rows, held_out = answers(own)
    if trained and solved:
        held_out = (len(trained) * held_out + len(solved) * answers(solved, rows)[1]) / len(answer)
    by_network = {f"{each.record.backbone} on {each.record.size} pixels": each.trained.options for each in own}
    members = tuple(member for each in answer for member in each.trained.model.members)
    names = "+".join(dict.fromkeys(member.trunk.spec.name for member in members))
    return Trained(
        model=Model(table.classes, members, table.full_scale, config.reading),
        heads=tuple(head for each in answer for head in each.trained.heads),
        held_out=rows,
        held_out_proba=held_out,
        options={
            **joined(by_network),
            "backbone": Resolved(names, why_averaged(config)),
        },
        weights=tuple(used for each in answer for used in each.trained.weights),
        training=tuple(training for each in answer for training in each.trained.training),
        search=search,
    )
