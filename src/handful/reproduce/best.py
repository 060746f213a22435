"""The best setting, and its one look at the test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handful.core.config import TrainConfig
from handful.core.progress import Progress
from handful.core.records import Evaluation, ImageTable, Split
from handful.core.study import Setting, Value
from handful.evaluate import evaluate
from handful.study.trials import best_setting
from handful.transfer import choose_way, classify, locate_weights, train_way


def choose_best(settings: Sequence[Setting], *, backbone: str) -> Setting | None:
    """Returns the setting with the highest mean validation accuracy among those of the paper's network.

    Settings that learn from fewer pictures, or from random weights, are no candidates.

    Args:
        settings: everything that was tried.
        backbone: the paper's network.
    """
    candidates = [
        setting
        for setting in settings
        if setting.options["backbone"] == backbone
        and "images" not in setting.options
        and setting.options["strategy"] != "scratch"
    ]
    best = best_setting(candidates, n_seeds=len(candidates[0].results)) if candidates else None
    return None if best is None else candidates[best]


def measure_on_test(
    table: ImageTable, split: Split, options: Mapping[str, Value], *, threads: int, progress: Progress
) -> Evaluation:
    """Trains a setting for its epochs on all learning pictures and returns its figures on the test part.

    Args:
        table: the data set.
        split: its parts, all learning pictures in `train`.
        options: the setting.
        threads: resolved.
        progress: told about the work.

    Raises:
        TrainingError: the loss was no longer a number.
    """
    config = TrainConfig.of({**options, "patience": None, "keep": "last", "refit": True})
    backbones = locate_weights(config)
    way = choose_way(table, split, config, backbones=backbones, threads=threads, progress=progress)
    trained = train_way(table, split, way, threads=threads, progress=progress)
    pictures = [table.pictures[index] for index in split.test]
    proba = classify(trained.model, table, pictures, threads=threads, progress=progress, use_cache=True)
    labels = table.labels
    return evaluate(proba, labels[split.test], classes=table.classes, train_labels=labels[split.train])
