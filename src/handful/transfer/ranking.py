"""Which pre-trained network suits the user's pictures: those at hand, compared on held-out training pictures.

Every network is shown the same training pictures, as they are and with its own resampling, and a ridge head on its
features predicts each of them without its unit: exact, and a small part of the time that the network takes. The test
part is not read. Training then uses the same features.

The order. The first is, of the networks that no other beats, the one with the lowest held-out log loss; the same rule
among the others gives the second, and so on. A network beats another if it is right on more pictures than chance
allows, by the paired rule of `transfer.tries`. So a network that is larger and slower than the default comes before it
only if it is right more often beyond chance, or, where that cannot be told, has the lower loss. The loss decides there
because it uses every probability, where accuracy counts the few pictures that change sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter

from handful.backbones import BackboneSpec, LocatedWeights, availability
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, NothingHeldOutError, WeightsError
from handful.core.progress import Progress
from handful.core.ranking import Ranked, Ranking, Unranked
from handful.core.records import ImageTable, IntArray, Split
from handful.evaluate import wilson_interval
from handful.features import extract
from handful.heads import fit_head
from handful.split import NO_TWO_OF_A_CLASS, can_hold_out, subset, units
from handful.transfer.bench import BoolArray
from handful.transfer.frozen import frozen_trunk
from handful.transfer.plan import plan_features
from handful.transfer.tries import is_shown, paired

MOST_RANKED = 2000
"""Training pictures that networks are compared on, at most: with more, the probe would take longer than the network."""

UNDECIDED = "no difference that these data can show"


@dataclass(frozen=True, slots=True)
class Probed:
    """A network's record, and which of the pictures it has right, bool (N,)."""

    record: Ranked
    right: BoolArray


def locate_all(config: TrainConfig) -> tuple[tuple[BackboneSpec, LocatedWeights], ...]:
    """Returns all networks at hand with their weights; quick, and without torch.

    Raises:
        WeightsError: none is at hand, or the folder that was named is not there.
    """
    entries = availability(Path(config.run.weights) if config.run.weights else None)
    found = tuple((entry.spec, entry.located) for entry in entries if entry.located)
    if not found:
        raise WeightsError("no network is at hand to be ranked. To get one: handful backbones --get NAME")
    return found


def rank(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    backbones: Sequence[tuple[BackboneSpec, LocatedWeights]],
    threads: int,
    progress: Progress,
) -> Ranking:
    """Returns the networks at hand, the best for these pictures first; see this module for the rule.

    Args:
        table: the data set.
        split: its parts; only the training part is looked at.
        config: the options; those about the network and its views are left out of account.
        backbones: the networks at hand, from `locate_all`.
        threads: resolved.
        progress: told about the work.

    Raises:
        NothingHeldOutError: no class has two training pictures, so there is nothing to rank by.
        WeightsError: no network can be used.
    """
    rows = split.train
    if len(rows) > MOST_RANKED:
        rows = rows[subset(table.labels[rows], n_images=MOST_RANKED, seed=config.run.seed)]
    if not can_hold_out(table, rows):
        raise NothingHeldOutError(
            f"networks are ranked by training pictures that are held out, and {NO_TWO_OF_A_CLASS} among the "
            f"{len(rows)} that were looked at. Add pictures, or name a network with --backbone."
        )
    at_hand = {spec.name for spec, _ in backbones}
    probed, others = [], []
    for spec, located in backbones:
        try:
            probed.append(_probe(spec, located, table, rows, config, threads=threads, progress=progress))
        except (ConfigError, WeightsError) as error:
            others.append(Unranked(spec.name, spec.title, f"failed: {error}"))
    others += [
        Unranked(entry.spec.name, entry.spec.title, entry.how)
        for entry in availability()
        if entry.spec.name not in at_hand
    ]
    if not probed:
        reasons = "; ".join(f"{other.backbone}: {other.reason}" for other in others)
        raise WeightsError(f"no network can be ranked, because none is at hand that works here. {reasons}")
    ordered = order(probed)
    return Ranking(_compared(ordered), tuple(others), len(ordered[0].right), _reason(ordered))


def order(probed: Sequence[Probed]) -> list[Probed]:
    """Returns the networks, the best first, by this module's rule; of equal losses the smaller file first."""
    left, ordered = list(probed), []
    while left:
        unbeaten = [each for each in left if not any(_beats(other, each) for other in left)]
        first = min(unbeaten, key=lambda each: (each.record.loss, each.record.n_bytes, each.record.backbone))
        ordered.append(first)
        left.remove(first)
    return ordered


def _probe(
    spec: BackboneSpec,
    located: LocatedWeights,
    table: ImageTable,
    rows: IntArray,
    config: TrainConfig,
    *,
    threads: int,
    progress: Progress,
) -> Probed:
    """Returns how the exactly held-out ridge head on a network's features does."""
    start = perf_counter()
    pictures, labels = [table.pictures[index] for index in rows], table.labels[rows]
    plan = plan_features(replace(config.features, views="plain"), spec, pictures, held_out_loss=None)
    features = extract(
        frozen_trunk((spec, located), config, threads=threads, progress=progress),
        table,
        pictures,
        preprocessing=plan.preprocessing,
        views=plan.views,
        threads=threads,
        progress=progress,
    )
    seen = perf_counter() - start
    head, _ = fit_head(
        features.values[:, 0],
        labels,
        kind="ridge",
        n_classes=len(table.classes),
        units=units(pictures),
        seed=config.run.seed,
    )
    right = (head.held_out_proba.argmax(axis=1) == labels)[head.judged]
    record = Ranked(
        backbone=spec.name,
        title=spec.title,
        accuracy=float(right.mean()),
        accuracy_interval=wilson_interval(int(right.sum()), len(right)),
        loss=head.held_out_loss,
        seconds=perf_counter() - start,
        seconds_features=seen,
        n_computed=features.n_computed,
        n_bytes=located.path.stat().st_size,
        licence=spec.licence,
    )
    return Probed(record, right)


def _beats(first: Probed, second: Probed) -> bool:
    return is_shown(*paired(first.right, second.right), len(first.right))


def _compared(ordered: Sequence[Probed]) -> tuple[Ranked, ...]:
    """Returns the records, each with its difference from the one above and what that means."""
    first = replace(ordered[0].record, sentence="the one to use")
    rest = []
    for above, each in pairwise(ordered):
        difference, standard_error = paired(each.right, above.right)
        is_worse = _beats(above, each)
        points = f"{100 * difference:+.1f} points (standard error {100 * standard_error:.1f})"
        sentence = (
            f"{points}: fewer right than with {above.record.title}, by more than chance"
            if is_worse
            else f"{UNDECIDED} between it and {above.record.title}: {points}"
        )
        rest.append(
            replace(
                each.record,
                difference=difference,
                standard_error=standard_error,
                is_worse=is_worse,
                sentence=sentence,
            )
        )
    return (first, *rest)


def _reason(ordered: Sequence[Probed]) -> str:
    """Returns why the first network is the one to use."""
    first, others = ordered[0], ordered[1:]
    n_pictures = len(first.right)
    if not others:
        return f"the only network at hand; {100 * first.record.accuracy:.1f} % of {n_pictures} held-out pictures right"
    found = (
        f"{100 * first.record.accuracy:.1f} % of {n_pictures} held-out training pictures right, "
        f"log loss (smoothed) {first.record.loss:.4f}"
    )
    beaten = [other.record.backbone for other in others if _beats(first, other)]
    level = [other.record for other in others if not _beats(first, other)]
    parts = []
    if beaten:
        parts.append(f"more than with {', '.join(beaten)} by more than chance")
    if level:
        losses = ", ".join(f"{record.backbone} ({record.loss:.4f})" for record in level)
        lowest = all(record.loss >= first.record.loss for record in level)
        parts.append(
            f"{UNDECIDED} in accuracy from {losses}"
            + (", whose loss is higher" if lowest else "; those of lower loss are beaten by another network")
        )
    return f"ranked first of {len(ordered)} networks at hand: {found}; {'; '.join(parts)}"
