"""Which of the placed pictures are used: the classes asked for, the first of each, and classes that can be learnt."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from handful.core.config import ReadingConfig
from handful.core.errors import ConfigError, DataError
from handful.core.records import Finding, Skipped
from handful.images.layout import Layout, Placed, some
from handful.images.relabel import relabel

MIN_PER_CLASS = 2
"""Pictures of a class: one to train with, and one to test with. One is enough where there is a test part already."""


def select(layout: Layout, config: ReadingConfig, root: Path) -> Layout:
    """Returns the layout with the classes and numbers of pictures that the options ask for, and corrected labels.

    Numbers count by the labels that pictures came with, so that a correction does not let other pictures in; classes
    are those of the corrected labels.

    Raises:
        DataError: a class that does not exist was asked for, or a table of labels has a fault.
    """
    everything = layout.placed
    if config.per_class is not None:
        layout = replace(layout, placed=tuple(_first_of_each(layout.placed, config.per_class)))
    left_out = len(everything) - len(layout.placed)
    layout = relabel(layout, config.labels, everything, root)
    placed: Sequence[Placed] = layout.placed
    if config.classes:
        names = sorted({picture.class_name for picture in placed})
        for wanted in config.classes:
            if wanted not in names:
                near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
                hint = f"Did you mean {near[0]!r}?" if near else f"The classes are {some(names, 10)}."
                raise DataError(f"there is no class {wanted!r} in {root}. {hint}")
        placed = [picture for picture in placed if picture.class_name in config.classes]
    left_out += len(layout.placed) - len(placed)
    findings = layout.findings
    if left_out:
        message = f"{left_out} pictures are left out by --classes or --per-class; {len(placed)} are used."
        findings = (*findings, Finding("subset", message))
    return replace(layout, placed=tuple(placed), findings=findings)


def compile_groups(expression: str | None) -> re.Pattern[str] | None:
    """Returns the compiled `--group-by`.

    Raises:
        ConfigError: it is no regular expression.
    """
    if expression is None:
        return None
    try:
        return re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"group_by is {expression!r}, which is no regular expression: {error}. Expected one that matches what "
            r"pictures of one group share in their paths, like 'patient(\d+)'."
        ) from None


def group(layout: Layout, pattern: re.Pattern[str]) -> Layout:
    """Returns the layout with groups from the pictures' names: the first bracket, or the whole match."""
    placed = tuple(replace(picture, group=_group_of(picture.name, pattern)) for picture in layout.placed)
    alone = [picture.name for picture in placed if not picture.group]
    if not alone:
        return replace(layout, placed=placed)
    if len(alone) == len(placed):
        raise ConfigError(
            f"group_by is {pattern.pattern!r}, which matches none of the {len(placed)} paths, such as {alone[0]!r}. "
            "Expected a regular expression that finds what pictures of one group share, for instance 'patient(\\d+)'."
        )
    message = f"{len(alone)} of {len(placed)} paths do not match --group-by and stand alone: {some(alone)}."
    return replace(layout, placed=placed, findings=(*layout.findings, Finding("no-group", message)))


def check_classes(layout: Layout, root: Path, *, drop_small: bool, lost: Mapping[str, int] | None = None) -> Layout:
    """Returns the layout if its classes can be learnt and tested, without small classes where that was asked for.

    Args:
        layout: what is to be used.
        root: for messages.
        drop_small: leave out classes with fewer pictures to learn from than it takes, instead of stopping.
        lost: pictures per class that could not be read and are not in the layout any more.

    Raises:
        DataError: fewer than two classes, names that one folder could have on another system, a part with classes of
            its own, or a class with too few pictures.
    """
    lost = lost or {}
    n_learn = Counter(picture.class_name for picture in layout.placed if picture.part in ("", "train"))
    names = sorted({picture.class_name for picture in layout.placed} | set(lost))
    _refuse_twins(names, root)
    _refuse_untrained([name for name in names if not n_learn[name] and name not in lost], layout, root)
    least = 1 if any(picture.part == "test" for picture in layout.placed) else MIN_PER_CLASS
    small = [name for name in names if n_learn[name] < least]
    if small and not drop_small:
        raise _too_small(small, names, n_learn, least=least, lost=lost, root=root)
    if small:
        layout = _without_classes(layout, small, least=least)
    kept = [name for name in names if name not in small]
    if len(kept) < 2:
        raise _too_few_classes(kept, small, root)
    return layout


def folded(name: str) -> str:
    """Returns a name as file systems compare it that ignore case and ways of composing letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _first_of_each(placed: Sequence[Placed], limit: int) -> list[Placed]:
    """Returns so many pictures to learn from of each class; those that were added take no other's place."""
    taken: Counter[str] = Counter()
    kept = []
    for picture in placed:
        if picture.part in ("", "train") and not picture.added:
            taken[picture.class_name] += 1
            if taken[picture.class_name] > limit:
                continue
        kept.append(picture)
    return kept


def _group_of(name: str, pattern: re.Pattern[str]) -> str:
    match = pattern.search(name)
    if match is None:
        return ""
    return (match.group(1) if pattern.groups else match.group(0)) or ""


def _refuse_twins(names: Sequence[str], root: Path) -> None:
    by_folded = defaultdict(list)
    for name in names:
        by_folded[folded(name)].append(name)
    twins = [" and ".join(map(ascii, alike)) for alike in by_folded.values() if len(alike) > 1]
    if twins:
        raise DataError(
            f"classes in {root} differ only in upper and lower case or in how letters are composed: {some(twins)}. On "
            "other systems they are one folder, so one name per class is expected; rename one, or join them."
        )


def _refuse_untrained(names: Sequence[str], layout: Layout, root: Path) -> None:
    if names:
        parts = sorted({picture.part for picture in layout.placed if picture.class_name in names})
        raise DataError(
            f"class {some([repr(name) for name in names])} in {root} is only in the {' and '.join(parts)} part; a "
            "class needs training pictures. Add some, or choose the others with --classes."
        )


def _too_small(
    small: Sequence[str],
    names: Sequence[str],
    n_learn: Mapping[str, int],
    *,
    least: int,
    lost: Mapping[str, int],
    root: Path,
) -> DataError:
    def counted(name: str) -> str:
        n_images = n_learn.get(name, 0)
        gone = f" ({lost[name]} more cannot be read)" if lost.get(name) else ""
        return f"{name!r} has {n_images} image{'' if n_images == 1 else 's'}{gone}"

    fewer = _fewer(least)
    if len(small) == len(names):
        return DataError(
            f"every class in {root} has {fewer} to learn from: "
            f"{some([counted(name) for name in small])}. Add images; 10 for each class are a fair start."
        )
    need = f"at least {least} to learn from" if least == 1 else f"at least {least}, or 1 beside a test part"
    return DataError(
        f"class {some([counted(name) for name in small])} in {root}; it takes {need}. Add images or pass "
        "--drop-small-classes."
    )


def _fewer(least: int) -> str:
    return "no image" if least == 1 else f"fewer than {least} images"


def _too_few_classes(kept: Sequence[str], small: Sequence[str], root: Path) -> DataError:
    dropped = f" after {some(small)} had too few images" if small else ""
    if not kept:
        return DataError(f"no class is left in {root}{dropped}. Add images; at least 2 classes are expected.")
    return DataError(
        f"{root} has one class, {kept[0]!r}{dropped}; to tell things apart takes at least 2. Expected one folder per "
        "class, like photos/cat/1.jpg and photos/dog/2.jpg; add a second class."
    )


def _without_classes(layout: Layout, small: Sequence[str], *, least: int) -> Layout:
    reason = f"its class has {_fewer(least)} to learn from (--drop-small-classes)"
    dropped = [Skipped(picture.name, reason) for picture in layout.placed if picture.class_name in small]
    message = f"left out for having {_fewer(least)} to learn from: {some([repr(n) for n in small])}."
    return replace(
        layout,
        placed=tuple(picture for picture in layout.placed if picture.class_name not in small),
        set_aside=(*layout.set_aside, *dropped),
        findings=(*layout.findings, Finding("dropped-class", message)),
    )
