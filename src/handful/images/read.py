"""The way through this room: from what the user named to a table of pictures that were all read once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from handful.core.config import ReadingConfig
from handful.core.errors import ConfigError, DataError
from handful.core.progress import Progress, Silent
from handful.core.records import Finding, ImageTable, Picture, Skipped
from handful.images.additions import survey_all
from handful.images.channels import scale_for
from handful.images.check import Checked, as_picture, check_files, size_fault
from handful.images.duplicates import find_copies
from handful.images.films import unfold_layout
from handful.images.given import Given
from handful.images.layout import Layout, some
from handful.images.runs import find_runs
from handful.images.selection import check_classes, compile_groups, folded, group, select
from handful.images.sources import ListedSource

MOST_NOTES = 3
"""Kinds of notes on how pictures were read that are told, the most frequent first."""

ODD_RATIO = 10
"""Longer side over shorter side above which a picture is called odd: a square shows little of it, or distorts it."""


def read(
    data: Path | Given, config: ReadingConfig, *, threads: int = 1, progress: Progress | None = None
) -> ImageTable:
    """Reads a data set: finds classes and parts, stops at what cannot work, and decodes every picture once.

    What the names alone tell is checked first, so that most errors come before any picture is read.

    Args:
        data: a folder, a table (CSV, TSV, Parquet), a zip or tar archive of these, or CIFAR-10; or what `given` made of
            data in memory.
        config: what to take, and when to stop.
        threads: pictures decoded at the same time; the result does not depend on it.
        progress: told about every picture.

    Raises:
        DataError: the data set cannot be used as it is; docs/data.md lists every case.
        ConfigError: `group_by` is no regular expression.
        MissingExtraError: a Parquet table, and pyarrow is not installed; video files, and PyAV is not.
    """
    pattern = compile_groups(config.group_by)
    root, source, layout = _opened(data, config)
    layout = select(layout, config, root)
    layout = check_classes(layout, root, drop_small=config.drop_small_classes)
    if pattern is not None:
        layout = group(layout, pattern)
    watch, max_pixels = progress or Silent(), config.max_megapixels * 1e6
    source, layout = unfold_layout(source, layout, fps=config.fps, max_pixels=max_pixels, progress=watch)
    _stop_early(source, layout, config, root)

    names = [picture.name for picture in layout.placed]
    checked = check_files(source, names, config, threads=threads, progress=watch)
    skipped = [
        Skipped(name, found.facts.reason) for name, found in zip(names, checked, strict=True) if found.facts.reason
    ]
    _stop_if_unreadable([*layout.unreadable, *skipped], len(names) + len(layout.unreadable), config, root)

    found = dict(zip(names, checked, strict=True))
    lost = Counter(picture.class_name for picture in layout.placed if found[picture.name].facts.reason)
    readable = tuple(picture for picture in layout.placed if not found[picture.name].facts.reason)
    layout = replace(layout, placed=readable, unreadable=(*layout.unreadable, *skipped))
    layout = check_classes(layout, root, drop_small=config.drop_small_classes, lost=lost)
    table = _table(root, source, layout, found)
    sketches = {picture.path: found[picture.path].facts.sketch for picture in table.pictures}
    return find_copies(table, sketches, threads=threads, progress=watch)


def _opened(data: Path | Given, config: ReadingConfig) -> tuple[Path, ListedSource, Layout]:
    """Returns what a data set is called, where its pictures come from, and where they belong."""
    if isinstance(data, Path):
        root = data.absolute()
        return root, *survey_all(root, config.add, class_level=config.class_level, films=config.fps is not None)
    if config.add:
        raise ConfigError(
            f"add names {', '.join(config.add)}, and the {data.title} has no path that it could stand beside. Add its "
            "rows to your own."
        )
    if config.class_level is not None:
        raise ConfigError(
            f"class_level is {config.class_level}, and a {data.title} has no folders: its labels are the classes. "
            "Leave it out."
        )
    return Path(data.title), data.source, data.layout


def _stop_early(source: ListedSource, layout: Layout, config: ReadingConfig, root: Path) -> None:
    """Stops before anything is decoded when too many files are missing or too large already."""
    faults = [(picture.name, size_fault(source, picture.name, config.max_file_mb * 1e6)) for picture in layout.placed]
    known = [*layout.unreadable, *(Skipped(name, fault) for name, fault in faults if fault)]
    _stop_if_unreadable(known, len(faults) + len(layout.unreadable), config, root)


def _stop_if_unreadable(skipped: Sequence[Skipped], n_files: int, config: ReadingConfig, root: Path) -> None:
    if len(skipped) > config.max_unreadable * n_files:
        raise DataError(
            f"{len(skipped)} of {n_files} pictures in {root} ({len(skipped) / n_files:.1%}) cannot be read: "
            f"{some([f'{one.path} ({one.reason})' for one in skipped])}. At most {config.max_unreadable:.0%} are let "
            "pass; repair or remove them, or allow more with --max-unreadable 0.5."
        )


def _table(root: Path, source: ListedSource, layout: Layout, found: dict[str, Checked]) -> ImageTable:
    classes = tuple(sorted({picture.class_name for picture in layout.placed}))
    label = {name: index for index, name in enumerate(classes)}
    pictures = tuple(as_picture(one, label[one.class_name], found[one.name]) for one in layout.placed)
    learnt = [picture for picture in pictures if picture.part != "test"]
    deep = [found[picture.path].facts.maximum for picture in learnt if found[picture.path].facts.maximum]
    full_scale = scale_for(deep)
    skipped = sorted([*layout.set_aside, *layout.unreadable], key=lambda one: one.path)
    findings = (
        *layout.findings,
        *_untested(layout, classes),
        *_findings(pictures, deep, full_scale),
        *_unreadable(layout),
        *find_runs(pictures),
    )
    return ImageTable(root, source, classes, pictures, tuple(skipped), findings, full_scale)


def _untested(layout: Layout, classes: Sequence[str]) -> Iterator[Finding]:
    tested = {picture.class_name for picture in layout.placed if picture.part == "test"}
    untested = [name for name in classes if name not in tested]
    if tested and untested:
        yield Finding("untested-class", f"no test picture of {some(untested)}; the test part says nothing about it.")


def _findings(pictures: Sequence[Picture], deep: Sequence[int], full_scale: int) -> Iterator[Finding]:
    if deep:
        yield Finding(
            "deep-pictures",
            f"{len(deep)} pictures have more than 8 bits; their brightest value is {max(deep)}, so {full_scale} counts "
            "as white in all of them.",
        )
    notes = Counter(note for picture in pictures for note in picture.notes)
    for note, n_pictures in notes.most_common(MOST_NOTES):
        yield Finding("noted", f"{n_pictures} {'picture' if n_pictures == 1 else 'pictures'}: {note}.")
    labels: dict[str, dict[int, str]] = defaultdict(dict)
    for one in pictures:
        labels[one.pixel_sha256].setdefault(one.label, one.path)
    torn = [" and ".join(sorted(paths.values())) for paths in labels.values() if len(paths) > 1]
    if torn:
        yield Finding(
            "two-labels",
            f"{len(torn)} {'picture is' if len(torn) == 1 else 'pictures are'} in more than one class, pixel by pixel: "
            f"{some(torn)}. At most one of the labels is right; remove the others.",
        )
    odd = [one.path for one in pictures if max(one.width, one.height) > ODD_RATIO * min(one.width, one.height)]
    if odd:
        yield Finding("odd-shape", f"{len(odd)} pictures are over {ODD_RATIO} times longer than wide: {some(odd)}.")
    by_name = defaultdict(list)
    for one in pictures:
        if not one.path.isascii():
            by_name[folded(one.path)].append(one.path)
    twins = [ascii(alike[0]) for alike in by_name.values() if len(alike) > 1]
    if twins:
        message = f"{len(twins)} names exist twice, their letters composed in two ways: {some(twins)}. All are used."
        yield Finding("twin-names", message)


def _unreadable(layout: Layout) -> Iterator[Finding]:
    if layout.unreadable:
        listed = some([f"{one.path} ({one.reason})" for one in layout.unreadable])
        yield Finding("unreadable", f"{len(layout.unreadable)} files cannot be read and are not used: {listed}.")
