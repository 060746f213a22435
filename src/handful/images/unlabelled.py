"""Pictures whose class is not known, gathered from whatever the user named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.core.progress import Progress, Silent
from handful.core.records import ImageTable, Skipped
from handful.images.channels import DEFAULT_FULL_SCALE
from handful.images.check import as_picture, check_files
from handful.images.films import unfold
from handful.images.given import Given
from handful.images.layout import Placed, looks_like_picture, some
from handful.images.sources import FolderSource, JoinedSource, ListedSource, open_source


def read_unlabelled(
    wanted: Sequence[Path] | Given,
    config: ReadingConfig,
    *,
    full_scale: int = DEFAULT_FULL_SCALE,
    threads: int = 1,
    progress: Progress | None = None,
) -> ImageTable:
    """Reads pictures whose class is not known, for prediction.

    Args:
        wanted: pictures, folders (searched to any depth), zip or tar archives, files being tried whatever their names;
            or what `given` made of pictures in memory.
        config: the limits on size.
        full_scale: what stands for white in pictures of more than 8 bits; the training data set's.
        threads: pictures decoded at the same time.
        progress: told about every picture.

    Returns:
        A table without classes, every label -1, in the order in which the paths were given, each once; each picture is
        named as the user named it, or below what they named.

    Raises:
        DataError: a path does not exist, or there are no pictures at all.
    """
    root, source, names, refused = _gathered(wanted, config, progress or Silent())
    checked = check_files(source, names, config, threads=threads, progress=progress or Silent())
    pictures, skipped = [], list(refused)
    for name, found in zip(names, checked, strict=True):
        if found.facts.reason:
            skipped.append(Skipped(name, found.facts.reason))
        else:
            pictures.append(as_picture(Placed(name, ""), -1, found))
    in_order = tuple(sorted(skipped, key=lambda one: one.path))
    return ImageTable(root, source, (), tuple(pictures), in_order, full_scale=full_scale)


def _gathered(
    wanted: Sequence[Path] | Given, config: ReadingConfig, progress: Progress
) -> tuple[Path, ListedSource, list[str], list[Skipped]]:
    """Returns what the pictures are called together, where they come from, their names, and what was refused."""
    if isinstance(wanted, Given):
        return Path(wanted.title), wanted.source, [picture.name for picture in wanted.layout.placed], []
    places: dict[str, tuple[ListedSource, str]] = {}
    refused: list[Skipped] = []
    for path in wanted:
        _gather(path, places, refused, films=config.fps is not None)
    if not places and not refused:
        raise DataError(
            f"no pictures in {some([str(path) for path in wanted])}. Expected picture files, or folders of them."
        )
    root = Path(os.path.commonpath([path.absolute() for path in wanted]))
    if config.fps is None:
        return root, JoinedSource(places), list(places), refused
    unfolded = unfold(places, fps=config.fps, max_pixels=config.max_megapixels * 1e6, progress=progress)
    return root, JoinedSource(unfolded.places), list(unfolded.places), [*refused, *unfolded.refused]


def _gather(path: Path, places: dict[str, tuple[ListedSource, str]], refused: list[Skipped], *, films: bool) -> None:
    """Adds the pictures of one path, under names that the user recognises."""
    if path.is_file() and looks_like_picture(path.name):
        places.setdefault(str(path), (FolderSource(path.parent.resolve()), path.name))
        return
    try:
        source = open_source(path)
    except DataError:
        if not path.is_file():
            raise
        places.setdefault(str(path), (FolderSource(path.parent), path.name))
        return
    for entry in source.entries():
        name = f"{path.as_posix()}/{entry.name}"
        if entry.reason:
            refused.append(Skipped(name, entry.reason))
        elif not entry.is_folder and looks_like_picture(entry.name, films=films):
            places.setdefault(name, (source, entry.name))
