"""A second data set beside the first: pictures to learn from that are never tested, such as corrections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handful.core.errors import DataError
from handful.core.records import Finding, Skipped
from handful.images.layout import Layout, some
from handful.images.sources import Entry, ListedSource
from handful.images.survey import open_surveyed, survey


@dataclass(frozen=True, slots=True)
class ExtendedSource:
    """A source and others beside it, whose files are named by what the user called each of them.

    Attributes:
        main: the data set; its files keep their names.
        added: the beginning of the names, and the source, of each of the others.
    """

    main: ListedSource
    added: tuple[tuple[str, ListedSource], ...]

    def names(self) -> Iterator[str]:
        """Yields the names of the files."""
        yield from self.main.names()
        for prefix, source in self.added:
            yield from (f"{prefix}/{name}" for name in source.names())

    def entries(self) -> Iterator[Entry]:
        """Yields what there is; see `ListedSource`."""
        yield from self.main.entries()
        for prefix, source in self.added:
            yield from (replace(entry, name=f"{prefix}/{entry.name}") for entry in source.entries())

    def size(self, name: str) -> int:
        """Returns the size in bytes; see `ListedSource`."""
        source, inner = self._place(name)
        return source.size(inner)

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file."""
        source, inner = self._place(name)
        return source.read(inner)

    def _place(self, name: str) -> tuple[ListedSource, str]:
        for prefix, source in self.added:
            if name.startswith(f"{prefix}/"):
                return source, name[len(prefix) + 1 :]
        return self.main, name


def survey_all(
    root: Path, add: Sequence[str], *, class_level: int | None = None, films: bool = False
) -> tuple[ListedSource, Layout]:
    """Opens a data set and those beside it; all that was added is marked, and belongs to the training part.

    Args:
        root: as in `survey`.
        add: more of these, as the user named them: that is how their pictures are called.
        class_level: see `find_layout`; counts in each of them.
        films: take video files too, in each of them.

    Raises:
        DataError: one of them cannot be opened, holds no classes, is named twice, or is a part of the first.
    """
    source, layout = survey(root, class_level=class_level, films=films)
    if not add:
        return source, layout
    own = {picture.name for picture in layout.placed}
    opened: list[tuple[str, ListedSource]] = []
    for word in add:
        prefix, place = Path(word).as_posix(), Path(word).absolute()
        _refuse_overlap(place, root, prefix, taken=[name for name, _ in opened], own=own)
        more, found = survey(place, class_level=class_level, films=films)
        opened.append((prefix, more))
        layout = _joined(layout, found, prefix)
    return ExtendedSource(source, tuple(opened)), layout


def open_again(root: Path, add: Mapping[str, str]) -> ListedSource:
    """Returns where the pictures of a data set lie, under the names that they had in a run.

    Args:
        root: as in `survey_all`.
        add: where those beside it lie, by what they were called.

    Raises:
        DataError: one of them is gone.
    """
    return ExtendedSource(open_surveyed(root), tuple((name, open_surveyed(Path(place))) for name, place in add.items()))


def _refuse_overlap(place: Path, root: Path, prefix: str, *, taken: Sequence[str], own: set[str]) -> None:
    here, there = place.resolve(), root.resolve()
    if here == there or (there.is_dir() and here.is_relative_to(there)):
        raise DataError(
            f"--add names {prefix}, which lies in {root}: its pictures belong to that data set already. Move it out, "
            "or leave --add away."
        )
    begin = tuple(f"{name}/" for name in taken)
    if prefix in taken or f"{prefix}/".startswith(begin) or any(name.startswith(f"{prefix}/") for name in taken):
        raise DataError(f"--add names {prefix} twice, or a folder inside another. Name each once.")
    clash = next((name for name in own if name.startswith(f"{prefix}/")), None)
    if clash is not None:
        raise DataError(
            f"--add names {prefix}, and {clash} in {root} is called like a picture in it. Give the whole path: "
            f"--add {place}."
        )


def _joined(layout: Layout, more: Layout, prefix: str) -> Layout:
    """Returns a layout with the pictures of another; what the other says about itself is told by its name."""

    def named(skipped: tuple[Skipped, ...]) -> tuple[Skipped, ...]:
        return tuple(replace(one, path=f"{prefix}/{one.path}") for one in skipped)

    known = {picture.class_name for picture in layout.placed}
    added = tuple(
        replace(picture, name=f"{prefix}/{picture.name}", part="train", added=True) for picture in more.placed
    )
    unknown = sorted({picture.class_name for picture in added} - known)
    findings = [
        Finding("added", f"{len(added)} pictures of {prefix} are learnt from beside the others, and never tested."),
        *(replace(finding, message=f"{prefix}: {finding.message}") for finding in more.findings),
    ]
    if unknown:
        findings.append(
            Finding(
                "added-class",
                f"only {prefix} has {some(unknown)}; no picture of such a class is tested. If a name is misspelt, "
                "rename the folder.",
            )
        )
    return Layout(
        placed=tuple(sorted((*layout.placed, *added), key=lambda picture: picture.name)),
        set_aside=(*layout.set_aside, *named(more.set_aside)),
        unreadable=(*layout.unreadable, *named(more.unreadable)),
        findings=(*layout.findings, *findings),
    )
