"""What may be relied on: rules for the probabilities, and what more pictures would bring, from the training part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from handful.core.config import TrainConfig, TrustConfig
from handful.core.errors import ConfigError
from handful.core.machine import limit_threads
from handful.core.notation import nearest, read_miss
from handful.core.progress import Progress
from handful.core.records import FeatureArray, FloatArray, ImageTable, IntArray, Split
from handful.core.trust import Rules, Suspect, Trust
from handful.evaluate import (
    choose_answering,
    choose_sets,
    choose_threshold,
    doubt_labels,
    forecast,
    get_familiar,
    risk_curve,
)
from handful.features import extract
from handful.split import units
from handful.transfer.cross import cross_validate
from handful.transfer.growth import refit, why_not
from handful.transfer.model import Member
from handful.transfer.probe import Trained

LAYERS_WERE_TRAINED = (
    "Whether a picture is unlike the training pictures, and what more pictures would bring, is not known for this run: "
    "layers of the network were trained on these pictures, so it would take training them again many times. A run with "
    "--strategy features finds out in seconds."
)

NOT_ALL_HELD_OUT = (
    "What more pictures would bring is not forecast: that takes answers for every training picture by models that did "
    "not see it and could know its class."
)

JUDGED_ELSEWHERE = (
    "What more pictures would bring is not forecast: this search was judged by the validation part, and not by "
    "training pictures that were held out."
)


def check_miss(config: TrustConfig, classes: tuple[str, ...]) -> None:
    """Checks what needs the names of the classes.

    Raises:
        ConfigError: `miss` names a class that is not there.
    """
    if config.miss and (name := read_miss(config.miss)[0]) not in classes:
        raise ConfigError(
            f"miss names the class {name!r}, which is not in the data. {nearest(name, classes)}The classes are: "
            f"{', '.join(classes)}."
        )


def find_trust(
    trained: Trained,
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    threads: int,
    progress: Progress,
) -> Trust:
    """Returns the rules for a classifier's probabilities, and what more pictures would bring.

    Everything is chosen on held-out predictions for training pictures, or for those of the user's validation part where
    a search or a training of layers was judged by it; of the test part only the size is used.

    Args:
        trained: the classifier.
        table: the data set.
        split: its parts.
        config: the options; what was asked for is in its room `trust`.
        threads: resolved.
        progress: told about the work.
    """
    labels, proba = table.labels[trained.held_out], trained.held_out_proba
    asked, seed = config.trust, config.run.seed
    rules = Rules(choose_answering(proba, labels, risk=asked.risk), choose_sets(proba, labels, coverage=asked.coverage))
    found = Trust(rules, risk_curve(proba, labels), suspects=_suspects(trained.held_out, proba, labels))
    left_out: tuple[str, ...] = ()
    if asked.miss:
        name, limit = read_miss(asked.miss)
        label = table.classes.index(name)
        if label in labels:
            rules = replace(rules, miss=choose_threshold(proba, labels, label=label, limit=limit))
        else:
            left_out = (f"How not to miss '{name}' is not known: no held-out picture is of that class.",)
    if trained.training:
        return replace(found, rules=rules, left_out=(*left_out, LAYERS_WERE_TRAINED))
    views = [_views(member, table, split, threads=threads, progress=progress) for member in trained.model.members]
    if asked.folds is not None:
        cross = cross_validate(trained, views, table, split, config, threads=threads, progress=progress)
        found = replace(found, cross=cross)
    seen: list[FeatureArray] = [values.mean(axis=1) for values in views]
    own = units([table.pictures[index] for index in split.train])
    rules = replace(rules, familiar=get_familiar(seen[0], own, seed=seed))
    reason = why_not(table.labels[split.train], len(table.classes))
    if not reason and not np.array_equal(trained.held_out, split.train):
        reason = JUDGED_ELSEWHERE if len(split.validation) else NOT_ALL_HELD_OUT
    if reason:
        return replace(found, rules=rules, left_out=(*left_out, reason))
    with limit_threads(1):  # the systems are small: on a busy machine threads wait for each other longer than they work
        sizes, wrong = refit(
            _side_by_side(seen), labels, n_classes=len(table.classes), units=own, seed=seed, progress=progress
        )
    growth = forecast(
        sizes,
        wrong,
        labels=labels,
        held_out_wrong=proba.argmax(axis=1) != labels,
        classes=table.classes,
        n_test=len(split.test),
        seed=seed,
    )
    return replace(found, rules=rules, growth=growth, left_out=left_out)


def _suspects(rows: IntArray, proba: FloatArray, labels: IntArray) -> tuple[Suspect, ...]:
    """Returns the pictures whose labels are doubtful; `rows` are their places in the table."""
    doubts = doubt_labels(proba, labels)
    return tuple(
        Suspect(
            index=int(rows[row]),
            suggested=int(doubts.suggested[row]),
            probability=float(proba[row, doubts.suggested[row]]),
            of_label=float(proba[row, labels[row]]),
        )
        for row in doubts.order[: doubts.n_flagged]
    )


def _views(member: Member, table: ImageTable, split: Split, *, threads: int, progress: Progress) -> FeatureArray:
    """Returns float32 (N, V, D): the training pictures' features, which the cache has."""
    return extract(
        member.trunk,
        table,
        [table.pictures[index] for index in split.train],
        preprocessing=member.preprocessing,
        views=member.views,
        threads=threads,
        progress=progress,
    ).values


def _side_by_side(found: list[FeatureArray]) -> FeatureArray:
    """Returns the features of several networks as one row, each with the same say in a distance."""
    lengths = [float(values.std()) * np.sqrt(values.shape[1]) or 1.0 for values in found]
    return np.concatenate([values / length for values, length in zip(found, lengths, strict=True)], axis=1)
