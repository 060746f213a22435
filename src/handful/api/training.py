"""The path through the house: from a folder of pictures to a classifier and its report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from handful import export
from handful.api.data import as_data
from handful.api.made import gather
from handful.api.options import command_line, given_options, one_config
from handful.api.prediction import Classifier, Predictions
from handful.backbones import BackboneSpec, LocatedWeights, licence_words
from handful.core.advice import Decision
from handful.core.cluster import Cluster, opened
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError
from handful.core.files import check_cache
from handful.core.folders import free_name, staged_folder
from handful.core.machine import count_threads, describe_machine, limit_threads, versions
from handful.core.progress import Progress, Silent
from handful.core.ranking import Ranking
from handful.core.records import (
    Evaluation,
    Finding,
    FloatArray,
    ImageTable,
    IntArray,
    Picture,
    Resolved,
    Run,
    Split,
    Stage,
)
from handful.evaluate import evaluate
from handful.finetune import kept_trainings
from handful.images import Given, read
from handful.report import bundle_facts, check_tracker, run_html, untracked, write_run
from handful.split import split
from handful.transfer import (
    BEST,
    Examined,
    Time,
    Trained,
    Way,
    check_folds,
    check_miss,
    check_spread,
    check_ways,
    choose_backbones,
    choose_way,
    decide,
    examine,
    fill,
    find_looks,
    find_trust,
    idle_options,
    locate_all,
    located,
    rank,
    settled,
    train_way,
)


@dataclass(frozen=True, slots=True)
class Result:
    """What `train` returns: the classifier, its figures, and the run folder with its report.

    Attributes:
        folder: the run folder.
        run: what the run knows.
        classifier: answers for new pictures.
        untracked: why the tracker that was asked for (option `track`) has not got the run; empty where it has.
    """

    folder: Path
    run: Run
    classifier: Classifier
    untracked: str = ""

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.folder / "report.html"

    @property
    def evaluation(self) -> Evaluation:
        """Figures on the test part."""
        return self.run.evaluation

    def predict(self, pictures: Any) -> Predictions:
        """Returns `Classifier.predict` of the classifier that was just trained."""
        return self.classifier.predict(pictures)

    def _repr_html_(self) -> str:
        """Returns the summary and the surest mistakes, for a notebook."""
        return run_html(self.run, str(self.report))


def train(
    data: Any,
    out: str | PathLike[str] | None = None,
    *,
    ray: str | None = None,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Trains a classifier on a folder of pictures, measures it on pictures kept apart, and writes a run folder.

    Args:
        data: a folder with one folder per class, a table (CSV, Parquet), or an archive of these; or a data set that you
            hold: a pandas or polars frame, one of Hugging Face's, or one like torchvision's (docs/python.md).
        out: the run folder to make; by default `run` in the current folder, or `run-2`, `run-3`, ...
        ray: the cluster that trains layers (strategy freeze or full), named as in `run_study`.
        config: all options at once; or give single ones by name.
        progress: told about the work.
        options: any option of `TrainConfig` by name, such as `seed=1`; the library's only open keyword list.

    Returns:
        The classifier, its figures, and where the report is.

    Raises:
        ConfigError: an option that does not exist or cannot work.
        DataError: pictures that cannot be used as they are.
        WeightsError: pre-trained weights that are not at hand.
        HandfulError: no cluster answers, or its nodes differ in what decides the bits of results.
    """
    config, pictures = settled(one_config(config, options)), as_data(data)
    watch, clock, time, threads = progress or Silent(), _Clock(), Time.given(config), count_threads(config.run.threads)
    folder = Path(os.path.normpath(out)) if out is not None else free_name(Path("run"))
    with _begun(folder, config, ray=ray, threads=threads, progress=watch) as (staging, cluster):
        backbones = _told(located(config), config, watch)
        with clock("read pictures"):
            table, parts = _pictures(pictures, config, threads=threads, progress=watch)
        with clock("choose the way"):
            chosen = choose_way(table, parts, config, backbones=backbones, threads=threads, progress=watch)
        with clock("train"):
            trained = train_way(table, parts, chosen, time=time, cluster=cluster, threads=threads, progress=watch)
        with clock("find out what to rely on"):
            trust = find_trust(trained, table, parts, chosen.config, threads=threads, progress=watch)
        model = replace(trained.model, rules=trust.rules)
        measure = partial(_measured, table=table, split=parts)
        answer = partial(examine, model, table, threads=threads, progress=watch, use_cache=True)
        with clock("test"):
            test = answer([table.pictures[i] for i in parts.test])
        with clock("see where it looks"):
            looks = find_looks(model, table, parts, test.proba, seed=config.run.seed, threads=threads, progress=watch)
        made = gather(pictures, config, trained, threads=threads)
        with clock("save the model"):
            export.save(model, staging / "model", made=bundle_facts(table, made))
        run = Run(
            table=table,
            split=parts,
            options=_resolved(chosen, trained),
            strategy=_strategy(chosen, trained),
            weights=trained.weights,
            heads=trained.heads,
            evaluation=measure(test.proba, parts.test),
            held_out=measure(trained.held_out_proba, trained.held_out) if len(trained.held_out) else None,
            test_proba=test.proba,
            stages=clock.stages(),
            versions=versions(),
            machine=describe_machine(threads),
            command=command_line(pictures, config, more={"ray": ray}),
            seed=config.run.seed,
            validation=None if _has_chosen(trained, chosen) else _validation(table, parts, answer, measure),
            training=trained.training,
            search=trained.search,
            trust=replace(trust, test_distances=test.distances),
            unleaked=_unleaked(test.proba, parts, measure),
            ranking=chosen.ranking,
            looks=looks,
            decision=chosen.decision and replace(chosen.decision, command=_direct(pictures, chosen.config)),
            made=made,
        )
        with watch.stage("Report", 1):
            write_run(run, staging, final=folder)
    return Result(folder, run, Classifier(model), untracked(run, folder))


def advise(
    data: Any,
    *,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Decision:
    """Says which of the paper's four cases a data set is, and how to train on it; trains nothing.

    The test part is drawn as `train` draws it, and takes no part.

    Args:
        data: as in `train`.
        config: all options at once; or give single ones by name.
        progress: told about the work.
        options: as in `train`.

    Raises:
        ConfigError: an option that does not exist or cannot work.
        DataError: pictures that cannot be used as they are.
        WeightsError: the network that measures similarity is not on this machine.
    """
    config = one_config(config, options)
    specs, _ = choose_backbones(config)
    if len(specs) > 1:
        raise ConfigError(f"backbone is {config.features.backbone!r}; advice is for one network at a time. Name one.")
    threads = count_threads(config.run.threads)
    watch = progress or Silent()
    pictures = as_data(data)
    table = read(pictures, config.reading, threads=threads, progress=watch)
    parts = split(table, config.split, seed=config.run.seed)
    with limit_threads(threads):
        decision = decide(table, parts, config, specs=specs, threads=threads, progress=watch)
    return replace(decision, command=_direct(pictures, fill(config, decision.plan)))


def rank_backbones(
    data: Any,
    *,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Ranking:
    """Compares the pre-trained networks at hand on the training part of a data set, the best first.

    The test part is drawn as `train` draws it, and takes no part. `handful.transfer.ranking` has the rule; features
    are kept, so that training with the first network computes none of them again.

    Args:
        data: as in `train`.
        config: all options at once; or give single ones by name.
        progress: told about the work.
        options: as in `train`, less `backbone`.

    Raises:
        ConfigError: an option that does not exist or cannot work, or a network that is named.
        DataError: pictures that cannot be used as they are.
        WeightsError: no network is at hand.
    """
    config = one_config(config, options)
    if config.features.backbone not in ("auto", BEST):
        raise ConfigError(
            f"backbone is {config.features.backbone!r}, but all networks at hand are ranked. Leave it out."
        )
    config = replace(config, features=replace(config.features, backbone=BEST))
    threads, watch = count_threads(config.run.threads), progress or Silent()
    check_cache()
    with limit_threads(threads):
        backbones = _told(locate_all(config), config, watch)
        table, parts = _pictures(as_data(data), config, threads=threads, progress=watch)
        return rank(table, parts, config, backbones=backbones, threads=threads, progress=watch)


@dataclass
class _Clock:
    """Measures stages of a run."""

    measured: list[Stage] = field(default_factory=list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.measured.append(Stage(name, perf_counter() - start))

    def stages(self) -> tuple[Stage, ...]:
        return tuple(self.measured)


@contextmanager
def _begun(
    folder: Path, config: TrainConfig, *, ray: str | None, threads: int, progress: Progress
) -> Iterator[tuple[Path, Cluster | None]]:
    """Opens a run: gives the folder to write into, which gets its name at the end, and the cluster where one trains."""
    if ray is not None:
        check_spread(config)
    check_cache()
    with (
        kept_trainings(),
        staged_folder(folder, progress=progress) as staging,
        limit_threads(threads),
        nullcontext() if ray is None else opened(ray, threads=threads) as cluster,
    ):
        yield staging, cluster


def _pictures(data: Path | Given, config: TrainConfig, *, threads: int, progress: Progress) -> tuple[ImageTable, Split]:
    """Returns the data set with its parts, once the options fit its classes."""
    table = _noted(read(data, config.reading, threads=threads, progress=progress), config.run.note)
    check_miss(config.trust, table.classes)
    parts = split(table, config.split, seed=config.run.seed)
    check_folds(config.trust, table, parts)
    return table, parts


def _told(
    backbones: Sequence[tuple[BackboneSpec, LocatedWeights]], config: TrainConfig, progress: Progress
) -> Sequence[tuple[BackboneSpec, LocatedWeights]]:
    """Returns the networks of a run once the options go with them; says the licences of other libraries' weights."""
    check_ways(config, backbones)
    check_tracker(config.run)
    for spec, _ in backbones:
        if spec.library:
            progress.say(f"Network {spec.title}; licence of its weights: {licence_words(spec.licence)}.")
    return backbones


def _measured(proba: FloatArray, rows: IntArray, *, table: ImageTable, split: Split) -> Evaluation:
    """Returns the figures of some of the table's pictures, against the training part's most frequent class."""
    labels = table.labels
    return evaluate(proba, labels[rows], classes=table.classes, train_labels=labels[split.train])


def _has_chosen(trained: Trained, way: Way) -> bool:
    """Returns whether something was chosen by the user's validation part, where there is one."""
    return bool(trained.training) or trained.search is not None or way.decision is not None


def _validation(
    table: ImageTable,
    parts: Split,
    answer: Callable[[list[Picture]], Examined],
    measure: Callable[[FloatArray, IntArray], Evaluation],
) -> Evaluation | None:
    """Returns the figures on the user's own validation part, where there is one."""
    pictures = [table.pictures[index] for index in parts.validation]
    return measure(answer(pictures).proba, parts.validation) if pictures else None


def _unleaked(
    proba: FloatArray, parts: Split, measure: Callable[[FloatArray, IntArray], Evaluation]
) -> Evaluation | None:
    """Returns the figures on the test pictures that have no copy outside; None where all have one, or none has."""
    clean = ~np.isin(parts.test, [test for test, _ in parts.leaks])
    return measure(proba[clean], parts.test[clean]) if parts.leaks and clean.any() else None


def _resolved(way: Way, trained: Trained) -> dict[str, Resolved]:
    """Returns every option: as the user gave it, as training resolved it, with the reason of the way's plan."""
    planned = {
        name: Resolved(trained.options.get(name, value).value, value.reason) for name, value in way.planned.items()
    }
    ranked = {"backbone": Resolved(way.ranking.best, way.ranking.reason)} if way.ranking else {}
    return {
        **given_options(way.config),
        **trained.options,
        **planned,
        **ranked,
        "strategy": _strategy(way, trained),
    }


def _strategy(way: Way, trained: Trained) -> Resolved:
    """Returns which way was taken and why; a search with nothing to judge by has a reason of its own."""
    return trained.options.get("strategy", way.strategy)


def _noted(table: ImageTable, note: str) -> ImageTable:
    """Returns the table with the user's own sentence as its first finding."""
    return replace(table, findings=(Finding("note", note), *table.findings)) if note else table


def _direct(data: Path | Given, config: TrainConfig) -> str:
    """Returns the command line that takes a way without asking, less the options that do nothing there."""
    return command_line(data, replace(config, given=config.given - idle_options(config)))
