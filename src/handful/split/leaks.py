"""Test pictures that were learnt from: copies on both sides of the user's own parts."""

from __future__ import annotations

from collections.abc import Iterator

from handful.core.records import ImageTable, Picture

MOST_NAMED = 3


def find_leaks(table: ImageTable) -> tuple[tuple[int, int], ...]:
    """Returns a pair for each picture of the user's test part that has a copy outside it: its index and the copy's.

    A copy has the same pixels, or shows the same picture (`Picture.look`).
    """
    outside: dict[tuple[str, str], int] = {}
    for index, picture in enumerate(table.pictures):
        if picture.part != "test" and not picture.added:
            for key in _identities(picture):
                outside.setdefault(key, index)
    found = []
    for index, picture in enumerate(table.pictures):
        if picture.part == "test":
            copies = [outside[key] for key in _identities(picture) if key in outside]
            found += [(index, copy) for copy in copies[:1]]
    return tuple(found)


def leak_note(table: ImageTable, leaks: tuple[tuple[int, int], ...]) -> str:
    """Returns what the leaks of a table mean, in words; begins with LEAK."""
    n_test = sum(picture.part == "test" for picture in table.pictures)
    named = [f"{table.pictures[test].path} is {table.pictures[copy].path}" for test, copy in leaks[:MOST_NAMED]]
    return (
        f"LEAK: {len(leaks)} of {n_test} test pictures {'is a copy' if len(leaks) == 1 else 'are copies'} of pictures "
        f"outside the test part, pixel by pixel or encoded again, resized, mirrored or cropped ({', '.join(named)}"
        f"{', ...' if len(leaks) > MOST_NAMED else ''}); the test accuracy is too good. Remove them from one side"
    )


def _identities(picture: Picture) -> Iterator[tuple[str, str]]:
    if picture.pixel_sha256:
        yield "pixels", picture.pixel_sha256
    if picture.look:
        yield "look", picture.look
