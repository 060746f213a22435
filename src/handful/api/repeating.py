"""A run made again from its own folder, and compared with itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from handful.api.training import Result, train
from handful.core.config import TrainConfig, option_fields
from handful.core.errors import BundleError, ConfigError, DataError
from handful.core.folders import free_name
from handful.core.progress import Progress
from handful.report import Comparison, compare
from handful.report.compared import hashes, read_json
from handful.report.provenance import FILE, FORMAT

PATHS = ("labels", "add", "weights")
"""Options that name files."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What `rerun` returns: the new run, and how it stands to the first."""

    result: Result
    comparison: Comparison

    @property
    def agrees(self) -> bool:
        """Whether weights, predictions and figures are the same to the last bit."""
        return self.comparison.agrees

    def __str__(self) -> str:
        return self.comparison.sentence


def rerun(
    run: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    data: Any = None,
    progress: Progress | None = None,
) -> Rerun:
    """Repeats a run from what its folder records, and says whether it comes out the same, and if not, why.

    Options, engine, threads and pictures are those of the run. Features that are still kept are not computed again.

    Args:
        run: the run folder.
        out: the new run folder; by default RUN-again beside it, or RUN-again-2, ...
        data: where the pictures are now, if not where they were; a data set in memory has to be given.
        progress: told about the work.

    Raises:
        BundleError: the folder is no run, or was made by a version that recorded too little.
        DataError: the pictures are not there any more.
        ConfigError: files that the options name are not there any more.
        WeightsError: pre-trained weights that are not at hand.
    """
    first = Path(os.path.normpath(run))
    hashes(first)  # whatever is missing there is said before any work
    made = read_json(first / FILE)
    if made.get("format") != FORMAT:
        raise BundleError(f"{first / FILE} is of format {made.get('format')!r}; this version reads format {FORMAT}.")
    try:
        config = _config(made["options"], given=made["given"])
        _check_paths(made["options"], Path(made["folder"]))
        pictures = _pictures(made) if data is None else data
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{first / FILE} does not say what it should: {error!r}.") from error
    again = Path(os.path.normpath(out)) if out is not None else free_name(first.with_name(f"{first.name}-again"))
    result = train(pictures, again, config=config, progress=progress)
    return Rerun(result, compare(first, again))


def _config(recorded: Mapping[str, Any], *, given: list[str]) -> TrainConfig:
    """Returns the options of a run as far as this version takes them; `compare` tells of the others.

    A tracker is not told again.
    """
    options = {name: value for name, value in recorded.items() if name in option_fields() and _is_taken(name, value)}
    config = TrainConfig.of({**options, "track": "none"})
    return replace(config, given=frozenset(given) & options.keys())


def _is_taken(name: str, value: Any) -> bool:
    try:
        TrainConfig.of({name: value})
    except ConfigError:
        return False
    return True


def _pictures(made: Mapping[str, Any]) -> Path:
    """Returns where a run's pictures were, and are."""
    root = Path(made["data"]["root"])
    if made["in_memory"]:
        raise DataError(
            f"the run was trained on a {root}, which no folder holds. Give it: handful.rerun(RUN, data=...)"
        )
    if not root.exists():
        raise DataError(f"the pictures of the run are not in {root} any more. Say where they are now with --data.")
    return root


def _check_paths(options: Mapping[str, Any], folder: Path) -> None:
    """Raises ConfigError where a relative path in the options leads nowhere from here, but did from another folder."""
    for name in PATHS:
        value = options.get(name) or ()
        for path in [value] if isinstance(value, str) else value:
            if not Path(path).exists():
                raise ConfigError(
                    f"{name} names {path}, which is not there; the run was made in {folder}. Go there first if it is "
                    "a relative path, or put it back."
                )
