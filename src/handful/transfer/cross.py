"""Cross-validation of a solved output layer: everything that is chosen for it, chosen anew in every fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handful.core.config import TrainConfig, TrustConfig
from handful.core.errors import ConfigError
from handful.core.machine import limit_threads, open_threads
from handful.core.progress import Progress
from handful.core.records import FeatureArray, FittedHead, ImageTable, IntArray, Split
from handful.core.trust import Comparison, CrossValidation, Fold
from handful.evaluate import corrected_interval
from handful.heads import fit_heads, fit_typical, pool_views, predict_proba
from handful.split import can_be_judged, folds, units
from handful.transfer.probe import Trained, as_rows, weights_of

SIDE_BY_SIDE = 10_000
"""Rows of the folds that are fitted at the same time, together: at 5 000 each, a kernel layer takes a gigabyte."""


def check_folds(config: TrustConfig, table: ImageTable, split: Split) -> None:
    """Checks what needs the training pictures.

    Raises:
        ConfigError: more folds than a class has training pictures, copies and pictures of one group counted once.
    """
    if config.folds is None:
        return
    own = units([table.pictures[index] for index in split.train])
    labels = table.labels[split.train]
    counts = {name: len(np.unique(own[labels == label])) for label, name in enumerate(table.classes)}
    name, fewest = min(counts.items(), key=lambda pair: pair[1])
    if fewest < config.folds:
        n_images = int((labels == table.classes.index(name)).sum())
        apart = "" if n_images == fewest else f", {fewest} where copies and pictures of one group count once"
        advice = f"Take --folds {fewest} or fewer, or add pictures" if fewest > 1 else "Add pictures"
        raise ConfigError(
            f"folds is {config.folds}, and class {name!r} has {n_images} training "
            f"{'picture' if n_images == 1 else 'pictures'}{apart}; every fold needs one of every class. {advice}."
        )


def cross_validate(
    trained: Trained,
    views: Sequence[FeatureArray],
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    *,
    threads: int,
    progress: Progress,
) -> CrossValidation:
    """Returns how good models are that learn from K - 1 of K parts of the training pictures, each part held out once.

    In every fold the kind of the output layer, its penalty and its temperature are chosen again, on the fold's training
    part alone, among the kinds that came into question for the whole; typical ones where it has one picture of every
    class. How pictures are shown to the network is not: it was chosen once, on all training pictures.

    The runner-up is the kind with the next lowest held-out loss on all training pictures; of several averaged networks,
    the single one with the lowest. It is fitted in the same folds.

    Args:
        trained: what was chosen on all training pictures.
        views: float32 (N, V, D) for each member: features of the training pictures.
        table: the data set.
        split: its parts; only the training part is used.
        config: the options; `trust.folds` is given.
        threads: folds that are fitted at the same time, where memory allows it each on one core.
        progress: told about the folds.
    """
    n_folds, n_repeats = config.trust.folds or 2, config.trust.repeats
    again = _Again(
        views=views,
        labels=table.labels[split.train],
        units=units([table.pictures[index] for index in split.train]),
        kinds=tuple((head.kind, *(kind for kind, _ in head.rivals)) for head in trained.heads),
        alone=int(np.argmin([head.held_out_loss for head in trained.heads])),
        n_classes=len(table.classes),
        config=config,
    )
    seeds = [config.run.seed + repeat for repeat in range(n_repeats)]
    drawn = [folds(again.labels, again.units, n_folds=n_folds, seed=seed) for seed in seeds]
    repeats, apart = zip(
        *((repeat, fold_of == fold) for repeat, fold_of in enumerate(drawn) for fold in range(n_folds)), strict=True
    )
    n_rows = max(len(values) * as_rows(values[:1], view_use=config.features.view_use)[1] for values in views)
    at_once = max(1, min(threads, SIDE_BY_SIDE // n_rows))
    done: list[Fold] = []
    with (
        progress.stage("Cross-validation", len(apart)) as advance,
        limit_threads(threads // at_once),
        open_threads(at_once) as pool,
    ):
        for fold in pool.map(again.judged, apart, repeats):
            done.append(fold)
            advance(1)
    ratio = float(np.mean([each.n_test / each.n_train for each in done]))
    accuracies = np.array([each.accuracy for each in done])
    low, high = corrected_interval(accuracies, ratio=ratio)
    return CrossValidation(
        n_folds=n_folds,
        n_repeats=n_repeats,
        folds=tuple(done),
        accuracy=float(accuracies.mean()),
        spread=float(accuracies.std(ddof=1)),
        interval=(max(low, 0.0), min(high, 1.0)),
        comparison=_comparison(trained, [each.gain for each in done if each.gain is not None], ratio=ratio),
    )


@dataclass(frozen=True, slots=True)
class _Again:
    """What every fold's fit shares.

    Attributes:
        views: float32 (N, V, D) for each member.
        labels: int64 (N,).
        units: int64 (N,).
        kinds: of output layers that came into question for each member, the chosen one first, then the runner-up.
        alone: the member that would be used if only one were.
        n_classes: C.
        config: the options.
    """

    views: Sequence[FeatureArray]
    labels: IntArray
    units: IntArray
    kinds: tuple[tuple[str, ...], ...]
    alone: int
    n_classes: int
    config: TrainConfig

    def judged(self, apart: npt.NDArray[np.bool_], repeat: int) -> Fold:
        """Returns what is right of some pictures that are set apart, bool (N,), after learning from the others."""
        fitted = [self.fitted(member, ~apart) for member in range(len(self.views))]
        best = [min(heads.values(), key=lambda head: head.held_out_loss) for heads in fitted]
        answers = [predict_proba(head.layer, values[apart]) for head, values in zip(best, self.views, strict=True)]
        labels = self.labels[apart]
        right = np.mean(answers, axis=0).argmax(axis=1) == labels
        gain = None
        if len(answers) > 1:
            gain = right.mean() - (answers[self.alone].argmax(axis=1) == labels).mean()
        elif len(self.kinds[0]) > 1:
            first, second = (
                predict_proba(fitted[0][kind].layer, self.views[0][apart]).argmax(axis=1) == labels
                for kind in self.kinds[0][:2]
            )
            gain = first.mean() - second.mean()
        return Fold(
            repeat=repeat,
            n_train=int((~apart).sum()),
            n_test=int(apart.sum()),
            accuracy=float(right.mean()),
            heads=tuple(head.kind for head in best),
            gain=None if gain is None else float(gain),
        )

    def fitted(self, member: int, learn: npt.NDArray[np.bool_]) -> dict[str, FittedHead]:
        """Returns a member's output layers of every kind, from some pictures, bool (N,)."""
        rows, n_rows = as_rows(self.views[member][learn], view_use=self.config.features.view_use)
        labels = self.labels[learn]
        weights = weights_of(self.config, labels, n_classes=self.n_classes)
        own, kinds = self.units[learn], self.kinds[member]
        shown, repeated = np.repeat(labels, n_rows), None if weights is None else np.repeat(weights, n_rows)
        if not can_be_judged(labels, own).any():
            return dict.fromkeys(kinds, fit_typical(rows, shown, n_classes=self.n_classes, weights=repeated))
        heads = fit_heads(
            rows,
            shown,
            kinds=kinds,
            n_classes=self.n_classes,
            units=np.repeat(own, n_rows),
            seed=self.config.run.seed,
            weights=repeated,
        )
        if n_rows > 1:
            heads = [pool_views(head, labels, n_views=n_rows, weights=weights) for head in heads]
        return {head.kind: head for head in heads}


def _comparison(trained: Trained, gains: list[float], *, ratio: float) -> Comparison | None:
    """Returns how the chosen model and the runner-up compare; None where nothing else came into question."""
    if not gains:
        return None
    heads, names = trained.heads, [used.backbone for used in trained.weights]
    if len(heads) > 1:
        best = int(np.argmin([head.held_out_loss for head in heads]))
        chosen, runner_up = f"the average of {' and '.join(names)}", f"{names[best]} alone"
    else:
        chosen, runner_up = (f"the {kind} head" for kind in (heads[0].kind, heads[0].rivals[0][0]))
    return Comparison(
        chosen=chosen,
        runner_up=runner_up,
        gain=float(np.mean(gains)),
        spread=float(np.std(gains, ddof=1)),
        interval=corrected_interval(np.array(gains), ratio=ratio),
    )
