"""Any number of pictures answered into a table: portion by portion, and on from there after an interruption."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from handful import export
from handful.api.answering import PORTION, Steps
from handful.api.portions import Portion, Wanted, found_at, records_of
from handful.api.spread import spread
from handful.api.unfinished import Unfinished, open_unfinished
from handful.core.cluster import Cluster, opened
from handful.core.errors import ConfigError, HandfulError
from handful.core.machine import count_threads, versions
from handful.core.progress import Advance, Progress
from handful.core.records import Skipped
from handful.images import Place, Sorter, open_place, plan_sorting
from handful.images.sorting import UNSURE, By
from handful.report import check_table, write_answers
from handful.report.answers import Record
from handful.transfer import Model, describe_features

MOST_TOLD = 5
"""Pictures that are named where something was wrong with many."""


@dataclass(slots=True)
class Written:
    """What became of many pictures.

    Attributes:
        out: the table.
        n_pictures: its rows.
        n_before: of them, those whose answers were there when this call began.
        counts: answers by class, in the order of the classes.
        n_unsure: answers marked unsure.
        n_unlike: answers marked unlike the training pictures.
        n_skipped: pictures that could not be read; the table has the reasons.
        skipped: the first of them.
        sorted_into: the folder with a folder for each class, where there is one.
        n_set_apart: pictures in its folder for the doubtful ones.
        n_unsorted: answered pictures that could not be put there.
        unsorted: the first of them.
    """

    out: Path
    n_pictures: int
    n_before: int
    counts: Counter[str]
    n_unsure: int = 0
    n_unlike: int = 0
    n_skipped: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    sorted_into: Path | None = None
    n_set_apart: int = 0
    n_unsorted: int = 0
    unsorted: list[Skipped] = field(default_factory=list)


def predict_into(
    model: Model,
    out: Path,
    paths: Sequence[Path | str],
    *,
    wanted: Wanted,
    sort_into: Path | None,
    by: By,
    ray: str | None,
    threads: int | None,
    progress: Progress,
) -> Written:
    """Writes a model's answers into a table; see `Classifier.predict_into`."""
    check_table(out, features=wanted.features)
    if wanted.top is not None and wanted.top < 1:
        raise ConfigError(f"top is {wanted.top}; expected a number of classes, at least 1.")
    _remove_finished(out)
    _refuse_existing(out)
    places = [open_place(path) for path in paths]
    sorter = None if sort_into is None else plan_sorting(sort_into, by, places, model.classes)
    facts = {
        "the model": export.fingerprint(model)[:12],
        "--top": wanted.top,
        "--features": wanted.features,
        "what is predicted": [str(path) for path in paths],
        **versions(),
    }
    nodes = nullcontext() if ray is None else opened(ray, threads=count_threads(threads))
    with nodes as cluster, open_unfinished(unfinished_path(out)) as unfinished:
        progress.say(f"Finding the pictures in {', '.join(str(path) for path in paths[:3])}.")
        unfinished.begin(facts, places, films=model.reading.fps is not None)
        written = Written(out, unfinished.n_pictures, unfinished.n_done, Counter(dict.fromkeys(model.classes, 0)))
        _answer(model, unfinished, places, wanted=wanted, cluster=cluster, threads=threads, progress=progress)
        if sorter is not None:
            _sort(sorter, unfinished, places, written, progress=progress)
        _refuse_existing(out)
        networks = describe_features(model) if wanted.features else []
        write_answers(out, _counted(unfinished, written), model.classes, top=wanted.top, networks=networks)
    unfinished_path(out).unlink()
    return written


def unfinished_path(out: Path) -> Path:
    """Returns the file in which the answers lie until a table is finished."""
    return out.with_name(f"{out.name}.partial")


def _remove_finished(out: Path) -> None:
    """Removes the answers of a finished table, where a process was killed between its last two steps."""
    path = unfinished_path(out)
    if out.exists() and path.exists():
        with open_unfinished(path) as unfinished:
            is_finished = unfinished.is_finished
        if is_finished:
            path.unlink()


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise HandfulError(f"{out} exists already, and nothing is overwritten. Choose another name with --out.")


def _answer(
    model: Model,
    unfinished: Unfinished,
    places: Sequence[Place],
    *,
    wanted: Wanted,
    cluster: Cluster | None,
    threads: int | None,
    progress: Progress,
) -> None:
    """Answers what is not answered yet, here or on a cluster, and saves it by portions."""
    n_done = unfinished.n_done
    if n_done:
        progress.say(f"{n_done:,} of {unfinished.n_pictures:,} were answered before; goes on with the rest.")
    portions = unfinished.missing(PORTION)
    with progress.stage("Predicting", unfinished.n_pictures) as advance:
        advance(n_done)
        if cluster is None:
            answered = _here(
                model, portions, places, wanted=wanted, threads=threads, advance=advance, progress=progress
            )
        else:
            answered = spread(cluster, model, portions, places, wanted=wanted, advance=advance)
        for portion, records in answered:
            unfinished.save(list(zip((each.number for each in portion), records, strict=True)))


def _here(
    model: Model,
    portions: Iterable[Portion],
    places: Sequence[Place],
    *,
    wanted: Wanted,
    threads: int | None,
    advance: Advance,
    progress: Progress,
) -> Iterator[tuple[Portion, list[str]]]:
    """Yields portions with their records, made by this process."""
    n_threads = count_threads(threads)
    for portion in portions:
        steps = Steps(model, advance, progress)
        yield portion, records_of(model, portion, places, wanted=wanted, threads=n_threads, progress=steps)
        advance(sum(1 for each in portion if each.reason))


def _sort(
    sorter: Sorter, unfinished: Unfinished, places: Sequence[Place], written: Written, *, progress: Progress
) -> None:
    """Puts every answered picture into the folder of its class, or of the doubtful ones; those that are there stay."""
    written.sorted_into = sorter.folder
    with progress.stage("Sorting", unfinished.n_pictures) as advance:
        for listed, text in unfinished.records():
            record: Record = json.loads(text)
            if record["error"] is None:
                doubtful = record["unsure"] or bool(record["unlike"])
                class_name = UNSURE if doubtful else record["predicted"]
                fault = sorter.put(found_at(listed, places), places[listed.place].root, class_name)
                written.n_set_apart += doubtful and not fault
                written.n_unsorted += bool(fault)
                if fault and len(written.unsorted) < MOST_TOLD:
                    written.unsorted.append(Skipped(listed.name, fault))
            advance(1)


def _counted(unfinished: Unfinished, written: Written) -> Iterator[Record]:
    """Yields the records, and counts them on the way."""
    for _, text in unfinished.records():
        record: Record = json.loads(text)
        if record["error"] is None:
            written.counts[record["predicted"]] += 1
            written.n_unsure += record["unsure"]
            written.n_unlike += bool(record["unlike"])
        else:
            written.n_skipped += 1
            if len(written.skipped) < MOST_TOLD:
                written.skipped.append(Skipped(record["path"], record["error"]))
        yield record
