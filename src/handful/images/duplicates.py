"""Copies: files that show one picture although their pixels differ. They stay on one side of every split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import PIL
from PIL import Image

from handful.core.files import cache_folder, sha256_bytes
from handful.core.machine import limit_threads, open_threads
from handful.core.progress import Progress
from handful.core.records import Copy, Finding, ImageTable, Picture
from handful.core.remembered import recall, remember
from handful.images.alignment import LARGEST, SMALLEST, Pair, likenesses, square
from handful.images.layout import some
from handful.images.pixels import pixels
from handful.images.proposals import Proposal, propose
from handful.images.sketch import read_sketches

VERSION = 1
"""Raised whenever other pairs may be found; part of the key under which a data set's pairs are remembered."""

SQUARES_KEPT = 4096
"""Decoded pictures held at a time, 25 KB each."""

AT_ONCE = 32
"""Pairs that a thread compares together: enough that arrays are large, few enough that they stay in its caches."""

LONGEST_CHAIN = 8
LARGEST_SHARE = 0.1
"""A chain of copies may hold so many pictures, or this share of the data set, whichever is more: beyond, what is taken
for copies is rather the look of the data set, and a unit larger than the test part could never be tested on."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Pictures joined by their copies.

    Attributes:
        look: the chain of each picture that has copies, by path.
        kept: the pairs that were joined, or lie in one chain.
        cut: the pairs that would have made a chain too long.
    """

    look: Mapping[str, str]
    kept: tuple[Copy, ...]
    cut: tuple[Copy, ...]


def find_copies(table: ImageTable, sketches: Mapping[str, str], *, threads: int, progress: Progress) -> ImageTable:
    """Returns the table with its copies: who looks like whom, and what the user should know about it.

    Sketches propose pairs, the pixels confirm them. Pictures with equal pixels count once here (`Picture.pixel_sha256`
    keeps them together); pictures of less than 24 pixels, or of one colour, are never taken for copies.

    Args:
        table: the data set.
        sketches: a sketch of each picture, by path; "" where there is none.
        threads: pictures that are compared at the same time; the result does not depend on it.
        progress: told about every pair that is compared.

    Raises:
        DataError: a picture has changed or gone since it was checked.
    """
    different: dict[str, Picture] = {}
    for picture in table.pictures:
        different.setdefault(picture.pixel_sha256, picture)
    known = [picture for picture in different.values() if _can_be_told(picture, sketches[picture.path])]
    copies = _recall(table, known)
    if copies is None:
        # The products are small: threads of the linear algebra library would mostly wait for each other.
        with limit_threads(1):
            copies = _compare(table, known, [sketches[picture.path] for picture in known], threads, progress)
        _remember(table, known, copies)
    joined = chains(copies, limit=max(LONGEST_CHAIN, int(LARGEST_SHARE * len(table.pictures))))
    pictures = tuple(replace(one, look=joined.look.get(one.path, "")) for one in table.pictures)
    findings = (*table.findings, *_findings(table, joined))
    return replace(table, pictures=pictures, copies=joined.kept, findings=findings)


def chains(copies: Sequence[Copy], *, limit: int) -> Chains:
    """Joins pictures by their copies, the most alike first, as long as no chain holds more pictures than `limit`."""
    chain: dict[str, list[str]] = {}
    cut = []
    for copy in copies:
        first = chain.setdefault(copy.first, [copy.first])
        second = chain.setdefault(copy.second, [copy.second])
        if first is second:
            continue
        if len(first) + len(second) > limit:
            cut.append(copy)
            continue
        first += second
        chain.update(dict.fromkeys(second, first))
    look = {path: min(members) for path, members in chain.items() if len(members) > 1}
    apart = {copy for copy in cut if chain[copy.first] is not chain[copy.second]}
    kept = tuple(copy for copy in copies if copy not in apart)
    return Chains(look, kept, tuple(copy for copy in copies if copy in apart))


def _can_be_told(picture: Picture, sketch: str) -> bool:
    return bool(sketch) and min(picture.width, picture.height) >= SMALLEST


def _compare(
    table: ImageTable, known: Sequence[Picture], sketches: Sequence[str], threads: int, progress: Progress
) -> tuple[Copy, ...]:
    """Returns the pairs of pictures that are copies, the most alike first."""
    proposals = propose(read_sketches(sketches), threads=threads)
    if not proposals:
        return ()

    @lru_cache(maxsize=SQUARES_KEPT)
    def seen(index: int) -> Image.Image:
        return square(pixels(table, known[index], shortest=LARGEST))

    def confirm(chunk: list[Proposal]) -> list[Copy]:
        pairs = [Pair(seen(each.first), seen(each.second), each.box, each.mirrored) for each in chunk]
        confirmed = []
        for each, found in zip(chunk, likenesses(pairs), strict=True):
            if found is not None:
                first, second = sorted((known[each.first].path, known[each.second].path))
                confirmed.append(Copy(first, second, round(found, 6), each.mirrored))
        return confirmed

    copies: list[Copy] = []
    chunks = [proposals[start : start + AT_ONCE] for start in range(0, len(proposals), AT_ONCE)]
    with progress.stage("Looking for copies", len(proposals)) as advance, open_threads(threads) as pool:
        for chunk, found in zip(chunks, pool.map(confirm, chunks), strict=True):
            copies += found
            advance(len(chunk))
    return tuple(sorted(copies, key=lambda copy: (-copy.likeness, copy.first, copy.second)))


def _recall(table: ImageTable, known: Sequence[Picture]) -> tuple[Copy, ...] | None:
    """Returns the copies that were found among the same pictures before, or None."""
    try:
        pairs = recall(_memory(table, known))["pairs"]
        return tuple(
            Copy(known[first].path, known[second].path, float(likeness), bool(mirrored))
            for first, second, likeness, mirrored in pairs
        )
    except (KeyError, ValueError, TypeError, IndexError):
        return None


def _remember(table: ImageTable, known: Sequence[Picture], copies: Sequence[Copy]) -> None:
    """Writes the copies down; where the disk cannot be written to, the next reading takes longer and no more."""
    row = {picture.path: index for index, picture in enumerate(known)}
    remember(
        _memory(table, known),
        {"pairs": [(row[copy.first], row[copy.second], copy.likeness, copy.mirrored) for copy in copies]},
    )


def _memory(table: ImageTable, known: Sequence[Picture]) -> Path:
    content = " ".join([str(table.full_scale), *(picture.pixel_sha256 for picture in known)])
    return cache_folder("copies") / f"{VERSION}-pillow-{PIL.__version__}" / f"{sha256_bytes(content.encode())}.json"


def _findings(table: ImageTable, joined: Chains) -> Iterator[Finding]:
    if joined.kept:
        yield Finding(
            "copies",
            f"{len(joined.look)} pictures are copies of others although their pixels differ (encoded again, resized, "
            f"mirrored or cropped a little): {some([_told(copy) for copy in joined.kept])}. Those of one picture stay "
            "on one side of every split that is drawn, so that nothing is tested that was learnt; keep one of each.",
        )
    classes = {picture.path: table.classes[picture.label] for picture in table.pictures}
    torn = [copy for copy in joined.kept if classes[copy.first] != classes[copy.second]]
    if torn:
        yield Finding(
            "copies-two-labels",
            f"{len(torn)} {'pair' if len(torn) == 1 else 'pairs'} of copies are in different classes: "
            f"{some([_told(copy) for copy in torn])}. At most one of the labels is right; look at them, and remove or "
            "move the other.",
        )
    if joined.cut:
        longest = max(Counter(joined.look.values()).values())
        yield Finding(
            "look-alikes",
            f"so many pictures look like copies of each other that keeping all of them together would leave too "
            f"little to test with; {longest} are kept together at most, and {len(joined.cut)} pairs such as "
            f"{_told(joined.cut[0])} may be torn apart. If they are frames of one scene, say what belongs together "
            "with --group-by, or with a column group.",
        )


def _told(copy: Copy) -> str:
    return f"{copy.first} and {copy.second}{' (mirrored)' if copy.mirrored else ''}"
