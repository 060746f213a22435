"""A study from its definition to its record: begun or taken up again, run, and summed up."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Literal

from handful.core.cluster import check_address
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, DataError, HandfulError
from handful.core.files import dump_json, remove_unfinished
from handful.core.folders import reserved, staged_folder
from handful.core.machine import describe_machine, versions
from handful.core.notation import read_duration
from handful.core.progress import Progress, Silent
from handful.core.records import ImageTable, Split
from handful.core.study import Axis, Setting, Study, StudyPlan, Trial, TrialResult, Value
from handful.study.axes import read_axes, written
from handful.study.run import check_trials, run_trials
from handful.study.search import check_search, search
from handful.study.shared import Learning
from handful.study.store import PLAN, load_plan, load_results, save_plan
from handful.study.trainers import hired
from handful.study.trials import base_options, best_setting, data_sha256, grid, settings_of, trial_config
from handful.transfer import idle_options
from handful.transfer.layers import trains_layers

MOST_TRIALS = 100_000
"""Trials of a grid; more is a slip of the finger."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked a study to do.

    Attributes:
        vary: one notation per option, see `axes.read_axis`.
        seeds: trainings of each setting.
        search: "grid", "random" or "tpe".
        trials: settings that a search proposes.
        prune: how a search gives trials up early.
        time: "10m": no training is begun after it.
        resume: go on with the study in the folder.
        ray: where trials are trained, as `core.cluster.opened` takes it; None for this process.
    """

    vary: tuple[str, ...]
    seeds: int = 3
    search: Literal["grid", "random", "tpe"] = "grid"
    trials: int | None = None
    prune: Literal["none", "median", "halving"] = "none"
    time: str | None = None
    resume: bool = False
    ray: str | None = None


def check_asked(asked: Asked) -> tuple[Axis, ...]:
    """Returns the axes of a study, after everything that needs no picture was checked.

    Raises:
        ConfigError: every fault of the axes, or options of a search without one.
        MissingExtraError: a search without Optuna, or an address without Ray.
    """
    if asked.search not in ("grid", "random", "tpe"):
        raise ConfigError(f"search is {asked.search!r}; expected grid, random or tpe.")
    if asked.prune not in ("none", "median", "halving"):
        raise ConfigError(f"prune is {asked.prune!r}; expected none, median or halving.")
    if not 1 <= asked.seeds <= 1000:
        raise ConfigError(f"seeds is {asked.seeds}; expected from 1 to 1000. Three say something about the spread.")
    if asked.search == "grid" and (asked.trials is not None or asked.prune != "none"):
        raise ConfigError("trials and prune belong to a search; add --search tpe or random, or leave them out.")
    if asked.search != "grid" and not (asked.trials or 0) >= 1:
        raise ConfigError(f"trials is {asked.trials}; a search needs the number of settings to try: --trials 60.")
    if not asked.vary:
        raise ConfigError("nothing is varied; name at least one option, for instance --vary lr=1e-5..1e-1:log5.")
    if asked.time is not None:
        read_duration(asked.time, option="time")
    axes = read_axes(asked.vary, searched=asked.search != "grid")
    if asked.search != "grid":
        check_search()
    if asked.ray is not None:
        check_address(asked.ray)
    return axes


def conduct(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    asked: Asked,
    *,
    folder: Path,
    command: str,
    threads: int,
    progress: Progress,
) -> Study:
    """Runs a study, or what is missing of it, and returns its record.

    Args:
        table: the data set.
        split: its parts; the test part is not looked at.
        config: options that are not varied.
        asked: what to do.
        folder: of the study; every finished trial is kept in it.
        command: the command that makes the study again.
        threads: resolved.
        progress: told about the work.

    Raises:
        ConfigError: options that cannot work, or a folder that holds another study.
        HandfulError: the folder exists, and `resume` was not asked for.
    """
    began = monotonic()
    axes = check_asked(asked)
    base = base_options(config, axes)
    seeds = tuple(range(config.run.seed, config.run.seed + asked.seeds))
    plan = _plan(table, split, config, asked, axes=axes, seeds=seeds)
    n_settings = asked.trials or math.prod(len(axis.values) for axis in axes)
    if n_settings * len(seeds) > MOST_TRIALS:
        raise ConfigError(f"{n_settings * len(seeds):,} trials; expected at most {MOST_TRIALS:,}. Vary less.")
    examples = [Trial({**base, **options}, seeds[0]) for options in _examples(axes)]
    check_trials(examples, table)
    _check_effect(axes, [trial_config(trial) for trial in examples])
    learning = Learning(table, split, threads, progress)
    for trial in examples:
        learning.parts(trial_config(trial))
    _open(folder, plan, resume=asked.resume, command=command)
    deadline = began + read_duration(asked.time, option="time") if asked.time else None
    run = partial(run_trials, table, split, folder=folder, threads=threads, progress=progress, deadline=deadline)
    results: Sequence[TrialResult]
    with reserved(folder, progress=progress), hired(asked.ray, threads=threads) as trainer:
        remove_unfinished(folder)
        run = partial(run, trainer=trainer)
        if asked.search == "grid":
            results = run([Trial({**base, **options}, seed) for options in grid(axes) for seed in seeds])
        else:
            results = search(
                axes,
                base,
                sampler=asked.search,
                n_settings=asked.trials or 0,
                seeds=seeds,
                prune=asked.prune,
                run=lambda batch, judge: run(batch, judge=judge),
            )
    return summed_up(plan, results, command=command, threads=threads, seconds=monotonic() - began)


def summed_up(plan: StudyPlan, results: Sequence[TrialResult], *, command: str, threads: int, seconds: float) -> Study:
    """Returns the record of a study."""
    settings = settings_of(results, [axis.option for axis in plan.axes])
    return Study(
        plan=plan,
        settings=settings,
        best=best_setting(settings, n_seeds=len(plan.seeds)),
        versions=versions(),
        machine=describe_machine(threads),
        command=command,
        seconds=seconds,
    )


def winner(folder: Path) -> tuple[Path, TrainConfig, Setting]:
    """Returns a study's data, the options that train its best setting on all learning pictures, and that setting.

    The number of pictures, where it was varied, is left out: the model learns from all of them.

    Raises:
        HandfulError: the folder is no study, or none of its settings is done for every seed.
    """
    plan, _, _ = load_plan(folder)
    varied = [axis.option for axis in plan.axes]
    settings = settings_of(load_results(folder, data=plan.data_sha256), varied)
    best = best_setting(settings, n_seeds=len(plan.seeds))
    if best is None:
        raise HandfulError(
            f"no setting of the study {folder} is done for all {len(plan.seeds)} seeds. Finish it with --resume, or "
            f"look at {folder / 'index.html'} for why its trainings failed."
        )
    trial = Trial(settings[best].results[0].trial.options, plan.seeds[0])
    config = trial_config(trial)
    options = {**plan.base, **trial.options, "seed": trial.seed, "interpolation": config.features.interpolation}
    if "images" in varied:
        options.pop("images")
    if trains_layers(config):
        options |= {"patience": None, "keep": "last", "refit": True}
    idle = idle_options(TrainConfig.of(options))
    taken = {name: value for name, value in options.items() if name not in idle}
    return Path(plan.data), TrainConfig.of(taken), settings[best]


def check_data(folder: Path, table: ImageTable, split: Split) -> None:
    """Raises DataError where the pictures are not those that a study was made with."""
    plan, _, _ = load_plan(folder)
    if data_sha256(table, split) != plan.data_sha256:
        raise DataError(
            f"the pictures of {table.root} are not those of the study {folder}: some were added, removed, changed or "
            "moved to another class. Pictures that chose the setting could come to test it. Make the study again."
        )


def described(setting: Setting) -> str:
    """Returns a setting and its validation accuracy in a sentence."""
    spread = "" if setting.spread is None else f", standard deviation {setting.spread:.1%}"
    n_seeds = len(setting.results)
    return (
        f"{written(setting.options)} (validation accuracy {setting.accuracy:.1%}, mean of {n_seeds} "
        f"seed{'s' if n_seeds > 1 else ''}{spread})."
    )


def _plan(
    table: ImageTable,
    split: Split,
    config: TrainConfig,
    asked: Asked,
    *,
    axes: tuple[Axis, ...],
    seeds: tuple[int, ...],
) -> StudyPlan:
    flat = {name: value for room in config.to_dict().values() for name, value in room.items()}
    learning = Learning(table, split, threads=1, progress=Silent())
    return StudyPlan(
        data=str(table.root),
        data_sha256=data_sha256(table, split),
        axes=axes,
        base={name: flat[name] for name in flat if name in config.given - {"seed", "threads"}},
        seeds=seeds,
        search=asked.search,
        n_trials=asked.trials or 0,
        prune=asked.prune,
        classes=table.classes,
        n_learn=len(learning.rows),
        n_validation=len(learning.parts(replace(config, split=replace(config.split, images=None))).validation),
        n_test=len(split.test),
        validation_given=bool(len(split.validation)),
    )


def _examples(axes: Sequence[Axis]) -> Iterator[dict[str, Value]]:
    """Yields settings that between them have every value of every axis, and the ends of every range."""
    values = {axis.option: axis.values or (axis.low, axis.high) for axis in axes}
    first = {name: own[0] for name, own in values.items()}
    yield first
    for name, own in values.items():
        yield from ({**first, name: value} for value in own[1:])


def _check_effect(axes: Sequence[Axis], examples: Sequence[TrainConfig]) -> None:
    """Raises ConfigError for an option that does nothing in any of the settings."""
    for axis in axes:
        if all(
            axis.option in idle_options(config) or (axis.option == "freeze" and config.transfer.strategy != "freeze")
            for config in examples
        ):
            raise ConfigError(
                f"vary {axis.option}: it would do nothing in any setting. Layers are trained with --head C or other "
                "new layers; lower ones stay fixed with --strategy freeze."
            )


def _open(folder: Path, plan: StudyPlan, *, resume: bool, command: str) -> None:
    """Begins a study in a new folder, or makes sure that the one in it is the same."""
    if not (resume and (folder / PLAN).exists()):
        if (folder / PLAN).exists():
            raise HandfulError(f"{folder} holds a study. Go on with it: --resume. Or begin another one: --out NAME.")
        with staged_folder(folder) as staging:
            save_plan(staging, plan, versions=versions(), command=command)
        return
    before, made_with, _ = load_plan(folder)
    was, now = (_plain(what) for what in (before, plan))
    differing = [name for name in now if now[name] != was[name]]
    if differing:
        raise ConfigError(
            f"{folder} holds another study: it differs in {', '.join(differing)}. To go on with it give the same data "
            "and the same options; to begin another one give another --out."
        )
    changed = [
        f"{name} {made_with.get(name)}, now {version}"
        for name, version in versions().items()
        if made_with.get(name) != version
    ]
    if changed:
        raise HandfulError(
            f"{folder} was begun with other versions ({'; '.join(changed)}), and its trials could not be compared with "
            "new ones. Finish it with those, or begin another one with --out."
        )


def _plain(plan: StudyPlan) -> dict[str, object]:
    """Returns a plan as its file holds it."""
    return {name: json.loads(dump_json(value)) for name, value in asdict(plan).items()}
