"""Many trainings at once, and the best of them as a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from handful.api.options import command_line, one_config
from handful.api.training import Result, train
from handful.core.config import TrainConfig
from handful.core.errors import TrainingError
from handful.core.files import check_cache
from handful.core.folders import free_name, refuse_held
from handful.core.machine import count_threads
from handful.core.progress import Progress, Silent
from handful.core.records import ImageTable, Split
from handful.core.stops import told_when_stopped
from handful.core.study import Study
from handful.images import read
from handful.split import split
from handful.study import Asked, check_asked, check_data, conduct, described, inline_html, winner, write_page


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What `run_study` returns: the record of the study, and the folder with its page and one file per trial."""

    folder: Path
    study: Study

    @property
    def page(self) -> Path:
        """The page to look at."""
        return self.folder / "index.html"

    def _repr_html_(self) -> str:
        """Returns the best settings, for a notebook."""
        return inline_html(self.study, str(self.page))


def run_study(
    data: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    vary: Sequence[str],
    seeds: int = 3,
    search: Literal["grid", "random", "tpe"] = "grid",
    trials: int | None = None,
    prune: Literal["none", "median", "halving"] = "none",
    time: str | None = None,
    resume: bool = False,
    ray: str | None = None,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> StudyResult:
    """Trains many times with some options varied, and shows what each does; the test part is not read.

    Args:
        data: as in `train`.
        out: the folder of the study; by default `study` in the current folder, or `study-2`, ...
        vary: what is varied, such as `["lr=1e-5..1e-1:log5", "l2=0,1e-4"]`; `study.axes.read_axis` has the notation.
        seeds: trainings of each setting.
        search: "grid" for every combination; "random" and "tpe" let Optuna propose settings.
        trials: settings that a search proposes.
        prune: how a search gives settings up early.
        time: "10m": no training is begun after it.
        resume: go on with the study that is in the folder.
        ray: train on a cluster: "local" for one on this machine, "auto", "HOST:PORT" or "ray://HOST:PORT"; results are
            the same. `threads` is then that of one training that uses several; the others use one.
        config: all options that are not varied, at once; or give single ones by name.
        progress: told about the work.
        options: as in `train`.

    Raises:
        ConfigError: an option that does not exist or cannot work, or a folder with another study.
        DataError: pictures that cannot be used as they are.
        WeightsError: pre-trained weights that are not at hand.
        TrainingError: every trial failed.
        HandfulError: no cluster answers, or its nodes differ in what decides the bits of results.
    """
    config = one_config(config, options)
    asked = Asked(tuple(vary), seeds, search, trials, prune, time, resume, ray)
    check_asked(asked)
    threads, watch = count_threads(config.run.threads), progress or Silent()
    default = Path("study") if resume else free_name(Path("study"))
    folder = Path(os.path.normpath(out)) if out is not None else default
    refuse_held(folder)
    check_cache()
    table, parts = _study_pictures(Path(data), config, threads=threads, progress=watch)
    command = command_line(Path(data), config, command="study", more={**asdict(asked), "resume": False})
    with told_when_stopped(partial(_kept, folder, resume=resume)):
        study = conduct(table, parts, config, asked, folder=folder, command=command, threads=threads, progress=watch)
        write_page(study, folder)
    results = [result for setting in study.settings for result in setting.results]
    if results and all(result.status == "failed" for result in results):
        reasons = dict.fromkeys(result.stopped for result in results if result.failed_at is None)
        remedy = next(iter(reasons), "Lower rates are the usual remedy.")
        raise TrainingError(f"every trial of the study failed; {folder / 'index.html'} says why each. {remedy}")
    return StudyResult(folder, study)


def train_from_study(
    study: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    data: str | PathLike[str] | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
) -> Result:
    """Trains the best setting of a study on all its learning pictures, and measures it on the test part, once.

    Args:
        study: the folder of the study.
        out: the run folder to make, as in `train`.
        data: where the pictures are now, if not where the study found them.
        ray: as in `train`.
        progress: told about the work.

    Raises:
        DataError: the pictures are not those of the study any more.
        HandfulError: the folder is no study, or none of its settings is done.
    """
    folder, watch = Path(study), progress or Silent()
    place, config, setting = winner(folder)
    place = Path(data) if data is not None else place
    threads = count_threads(config.run.threads)
    check_data(folder, *_study_pictures(place, config, threads=threads, progress=watch))
    note = config.run.note or f"Best setting of the study {folder.absolute()}: {described(setting)}"
    return train(place, out, ray=ray, config=replace(config, run=replace(config.run, note=note)), progress=watch)


def _kept(folder: Path, *, resume: bool) -> str:
    """Returns what is kept of a study that is stopped, in words."""
    n_done = sum(1 for _ in (folder / "trials").glob("*.json"))
    how = "" if resume else f" with --resume --out {folder}"
    done = f"{n_done} finished training{'' if n_done == 1 else 's'}"
    return f"{done} of the study {folder} kept, and the same command{how} goes on from there" if n_done else ""


def _study_pictures(data: Path, config: TrainConfig, *, threads: int, progress: Progress) -> tuple[ImageTable, Split]:
    """Returns a study's pictures and their parts; how many are learnt from is up to every trial."""
    table = read(data, config.reading, threads=threads, progress=progress)
    return table, split(table, replace(config.split, images=None), seed=config.run.seed)
