"""What the user named, opened and laid out: a folder, a table, an archive of either, or CIFAR-10."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from handful.core.errors import DataError
from handful.core.records import Skipped
from handful.images.layout import Layout, find_layout, looks_like_picture
from handful.images.listing import Row, is_table, place_rows, read_table, unlisted
from handful.images.rows import lay_out_rows, open_rows
from handful.images.sources import Entry, FolderSource, ListedSource, is_file, open_source, telling_unreadable
from handful.images.unreadable import UnreadableError


def survey(root: Path, *, class_level: int | None = None, films: bool = False) -> tuple[ListedSource, Layout]:
    """Opens what the user named and places its pictures in classes and parts, reading nothing but names and tables.

    Args:
        root: a folder, a table, an archive of these, or CIFAR-10.
        class_level: see `find_layout`.
        films: see `find_layout`.

    Raises:
        DataError: it cannot be opened, or no classes are found in it.
    """
    if is_file(root) and is_table(root.name):
        return _table_on_disk(root)
    source = open_source(root)
    entries = list(source.entries())
    tables = [entry.name for entry in entries if not entry.is_folder and is_table(entry.name)]
    listing = _only_table(tables, entries)
    if listing is None:
        return source, find_layout(entries, root, class_level=class_level, films=films)
    return source, _table_inside(source, entries, listing, root)


def open_surveyed(root: Path) -> ListedSource:
    """Returns where the pictures of a data set lie, under the names that `survey` gives them; places none of them.

    Raises:
        DataError: it cannot be opened.
    """
    return _table_on_disk(root)[0] if is_file(root) and is_table(root.name) else open_source(root)


def _table_on_disk(path: Path) -> tuple[ListedSource, Layout]:
    """Places the pictures of a table on disk; looks only into the folders that it names, as it may lie in a big one."""
    with telling_unreadable(path):
        if pictures := open_rows(lambda: path.open("rb"), path.name):
            return pictures, lay_out_rows(pictures)
        rows = read_table(path.read_bytes(), path.name)
    rows, base = _from_common_folder(rows, path.parent)
    source = FolderSource(base)

    def exists(name: str) -> bool:
        return os.path.lexists(base / name)

    layout = place_rows(rows, path.name, folder=base, inside="", exists=exists)
    folders = sorted({picture.name.rpartition("/")[0] for picture in layout.placed})
    return source, unlisted(layout, source.files_in(folders), path.name)


def _from_common_folder(rows: list[Row], folder: Path) -> tuple[list[Row], Path]:
    """Returns the rows with paths from one folder: the table's own, or, where rows lead out of it, their common one.

    A linked folder between the table and its pictures leads out too: a table may name pictures anywhere.
    """
    real = cache(os.path.realpath)
    places = {row.path: _place(folder / row.path, real) for row in rows if row.path}
    if all(Path(place).is_relative_to(real(folder)) for place in places.values()):
        return rows, folder
    try:
        base = Path(os.path.commonpath([Path(place).parent for place in places.values()]))
    except ValueError as error:  # several drives
        raise DataError(
            f"the table in {folder} names pictures on several drives: {error}. Bring them together."
        ) from None
    relative = [os.path.relpath(places[row.path], base) if row.path else "" for row in rows]
    return [replace(row, path=Path(name).as_posix()) for row, name in zip(rows, relative, strict=True)], base


def _place(path: Path, real: Callable[[Path], str]) -> str:
    """Returns where a file lies once the links of its folders are followed; the file itself may be a link."""
    plain = Path(os.path.normpath(path))
    try:
        return os.path.join(real(plain.parent), plain.name)  # noqa: PTH118
    except ValueError:  # a name with NUL
        return str(plain)


def _table_inside(source: ListedSource, entries: Sequence[Entry], listing: str, root: Path) -> Layout:
    """Places the pictures of a table that lies with them in a folder or archive."""
    try:
        rows = read_table(source.read(listing), listing)
    except UnreadableError as error:
        raise DataError(f"{listing} in {root} cannot be read: {error}.") from None
    names = {entry.name for entry in entries if not entry.is_folder}
    inside = listing.rpartition("/")[0]
    layout = place_rows(
        rows, listing, folder=root / inside, inside=f"{inside}/" if inside else "", exists=lambda name: name in names
    )
    refused = {entry.name: entry.reason for entry in entries if entry.reason}
    gone = tuple(Skipped(picture.name, refused[picture.name]) for picture in layout.placed if picture.name in refused)
    kept = tuple(picture for picture in layout.placed if picture.name not in refused)
    return unlisted(replace(layout, placed=kept, unreadable=gone), sorted(names - set(refused)), listing)


def _only_table(tables: Sequence[str], entries: Sequence[Entry]) -> str | None:
    """Returns the one table at the top of a folder or archive, where its folders cannot be the classes.

    Folders are classes when at least two hold pictures; then a table beside them is just another file.
    """
    depth = min((name.count("/") for name in tables), default=0)
    top = [name for name in tables if name.count("/") == depth]
    if len(top) != 1:
        return None
    inside = top[0].rpartition("/")[0]
    below = [entry.name[len(inside) :].lstrip("/") for entry in entries if entry.name.startswith(inside)]
    folders = {name.split("/")[0] for name in below if "/" in name and looks_like_picture(name)}
    return top[0] if len(folders) < 2 else None
