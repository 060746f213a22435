"""A stratified, seeded split that never separates what belongs together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from handful.core.config import SplitConfig
from handful.core.errors import DataError
from handful.core.records import ImageTable, IntArray, Picture, Split
from handful.split.folds import can_be_judged
from handful.split.leaks import find_leaks, leak_note
from handful.split.subset import subset


def split(table: ImageTable, config: SplitConfig, *, seed: int) -> Split:
    """Returns the user's own parts where the data set has them, and draws a test part otherwise.

    With `config.images`, so many of the training pictures are drawn and the others left out.

    Pictures that were added beside the data set take no part in the draw: the test part is the same with and without
    them, so that accuracies can be compared. They join the training part, except for copies of pictures outside it,
    and those of a group there.

    The test part has the paper's size: `n_test = round(N r / (1 + r))`, so that it is `r` times as large as the
    training part (Petrovska et al. 2018, section 4: 20 %). Every class gives its share, and at least one picture where
    it can spare one. Copies of a picture, and pictures of one group, stay on one side.

    Args:
        table: the data set.
        config: the test share r, and how many pictures to learn from.
        seed: equal seeds give equal splits, in whatever order the files were found.

    Raises:
        ConfigError: `images` is less than one for each class, or more than there are.
        DataError: a class has no training picture, or there is nothing to test with.
    """
    parts = {picture.part for picture in table.pictures}
    drawn = _with_added(table, _given(table) if "test" in parts else _drawn(table, config, seed))
    _check(table, drawn)
    return drawn if config.images is None else _thinned(table, drawn, n_images=config.images, seed=seed)


def test_size(n_images: int, share: float) -> int:
    """Returns n_test for N images when the test part is to be `share` times as large as the training part."""
    return round(n_images * share / (1.0 + share))


def hold_out(pictures: Sequence[Picture], *, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): which of some pictures are set apart, drawn as a test part is.

    Args:
        pictures: N labelled pictures.
        share: size of the part set apart, as a share of the size of the rest.
        seed: equal seeds give equal parts.
    """
    labels = np.array([picture.label for picture in pictures], dtype=np.int64)
    n_classes = int(labels.max(initial=0)) + 1
    return _choose(labels, units(pictures), n_classes, test_size(len(pictures), share), seed)


def units(pictures: Sequence[Picture]) -> IntArray:
    """Returns int64 (N,): equal numbers for pictures that must not be separated, directly or through others.

    Two pictures belong together when their pixels are identical or when they share a non-empty group or look.
    """
    parent = list(range(len(pictures)))

    def find(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, picture in enumerate(pictures):
        for key in (("pixels", picture.pixel_sha256), ("group", picture.group), ("look", picture.look)):
            if key[1]:
                parent[find(index)] = find(first.setdefault(key, index))
    return np.array([find(index) for index in range(len(pictures))], dtype=np.int64)


def can_hold_out(table: ImageTable, rows: IntArray) -> bool:
    """Returns whether some of these pictures, int64 (M,), can be held out from the others to judge by."""
    own = units([table.pictures[index] for index in rows])
    return bool(can_be_judged(table.labels[rows], own).any())


def _given(table: ImageTable) -> Split:
    rows = {
        part: np.array(
            [i for i, picture in enumerate(table.pictures) if picture.part in names and not picture.added],
            dtype=np.int64,
        )
        for part, names in {"train": ("train", ""), "validation": ("validation",), "test": ("test",)}.items()
    }
    notes = ["the parts are the user's own"]
    unnamed = sum(picture.part == "" for picture in table.pictures)
    if unnamed:
        notes.append(f"{unnamed} pictures without a part were taken for training")
    leaks = find_leaks(table)
    if leaks:
        notes.append(leak_note(table, leaks))
    known = {table.pictures[i].group for part in ("train", "validation") for i in rows[part]} - {""}
    shared = sorted({table.pictures[i].group for i in rows["test"]} & known)
    if shared:
        notes.append(
            f"LEAK: {len(shared)} groups have pictures both inside and outside the test part "
            f"({', '.join(shared[:3])}{', ...' if len(shared) > 3 else ''}); the test accuracy may be too good"
        )
    return Split(rows["train"], rows["validation"], rows["test"], given=True, notes=tuple(notes), leaks=leaks)


def _drawn(table: ImageTable, config: SplitConfig, seed: int) -> Split:
    candidates = [i for i, one in enumerate(table.pictures) if one.part != "validation" and not one.added]
    pictures = [table.pictures[i] for i in candidates]
    labels = np.array([picture.label for picture in pictures], dtype=np.int64)
    membership = units(pictures)
    chosen = _choose(labels, membership, len(table.classes), test_size(len(pictures), config.test), seed)
    index = np.array(candidates, dtype=np.int64)
    validation = np.array([i for i, p in enumerate(table.pictures) if p.part == "validation"], dtype=np.int64)

    sizes = Counter(membership.tolist())
    together = sum(size for size in sizes.values() if size > 1)
    notes = [
        f"test part drawn with seed {seed}: {int(chosen.sum())} of {len(pictures)} pictures, "
        f"{config.test:g} times the size of the training part, stratified by class"
    ]
    if together:
        notes.append(f"{together} pictures are copies of others or share a group, and stay on one side with them")
    untested = sorted(set(labels.tolist()) - set(labels[chosen].tolist()))
    if untested:
        names = ", ".join(repr(table.classes[label]) for label in untested)
        notes.append(f"no test picture for {names}: all its pictures belong together, and training needs them")
    return Split(index[~chosen], validation, index[chosen], given=False, notes=tuple(notes))


def _with_added(table: ImageTable, drawn: Split) -> Split:
    """Returns the split with the added pictures in its training part, less those that would give others away."""
    added = np.array([i for i, picture in enumerate(table.pictures) if picture.added], dtype=np.int64)
    if not len(added):
        return drawn
    membership = units(table.pictures)
    outside = np.r_[drawn.validation, drawn.test]
    is_free = ~np.isin(membership[added], membership[outside])
    train = np.sort(np.r_[drawn.train, added[is_free]])
    notes = [f"{int(is_free.sum())} pictures were added to the training part; the test part is what it is without them"]
    if not is_free.all():
        left = [table.pictures[index].path for index in added[~is_free]]
        notes.append(
            f"{len(left)} added pictures are copies of test or validation pictures, or of one group with them, and are "
            f"left out ({', '.join(left[:3])}{', ...' if len(left) > 3 else ''}): what is learnt must not be tested"
        )
    return replace(drawn, train=train, notes=(*drawn.notes, *notes))


def _thinned(table: ImageTable, drawn: Split, *, n_images: int, seed: int) -> Split:
    rows = drawn.train[subset(table.labels[drawn.train], n_images=n_images, seed=seed)]
    note = f"learnt from {n_images} of {len(drawn.train)} training pictures, drawn with seed {seed}"
    return replace(drawn, train=rows, notes=(*drawn.notes, note))


def _choose(labels: IntArray, membership: IntArray, n_classes: int, n_test: int, seed: int) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): which pictures test.

    Units are visited in a drawn order and taken while that brings the test part closer to its target per class, in
    the sum of squares: exact where units are single pictures, nearest where they are larger.
    """
    names, unit_of = np.unique(membership, return_inverse=True)
    counts = np.zeros((len(names), n_classes), dtype=np.int64)
    np.add.at(counts, (unit_of, labels), 1)
    total = counts.sum(axis=0)
    wanted = _targets(total, n_test)
    taken = np.zeros(len(names), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(names))
    remaining, left = wanted.copy(), total.copy()

    def take(unit: int) -> None:
        taken[unit] = True
        np.subtract(remaining, counts[unit], out=remaining)
        np.subtract(left, counts[unit], out=left)

    def spares(unit: int) -> bool:
        return bool(np.all((left - counts[unit] > 0) | (counts[unit] == 0)))

    for unit in order:
        gain = np.sum(remaining**2 - (remaining - counts[unit]) ** 2)
        if gain > 0 and spares(unit):
            take(unit)
    for label in range(n_classes):
        if total[label] > 0 and left[label] == total[label]:
            possible = [unit for unit in order if counts[unit, label] and spares(unit)]
            if possible:
                take(min(possible, key=lambda unit: counts[unit].sum()))
    chosen: npt.NDArray[np.bool_] = taken[unit_of]
    return chosen


def _targets(total: IntArray, n_test: int) -> IntArray:
    """Returns int64 (C,): test pictures per class, by largest remainder, at least 1 and never all of a class."""
    exact = total * (n_test / max(total.sum(), 1))
    targets = np.floor(exact).astype(np.int64)
    for label in np.argsort(targets - exact, kind="stable")[: n_test - int(targets.sum())]:
        targets[label] += 1
    bounded: IntArray = np.clip(targets, np.minimum(1, total - 1).clip(0), (total - 1).clip(0))
    return bounded


def _check(table: ImageTable, drawn: Split) -> None:
    trained = set(table.labels[drawn.train].tolist())
    missing = [name for label, name in enumerate(table.classes) if label not in trained]
    if missing:
        raise DataError(
            f"no training picture for class {', '.join(map(repr, missing[:5]))} in {table.root}; every class needs at "
            "least one beside its test pictures. Add pictures, or leave the class out with --classes."
        )
    if len(drawn.test) == 0:
        raise DataError(
            f"no picture is left to test with: {table.root} has {len(table.pictures)} pictures in "
            f"{len(table.classes)} classes, and none can be spared. Add pictures, at least 2 that differ per class."
        )
