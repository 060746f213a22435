"""The parts of a file that a decoder goes through before the first pixel, counted first.

A small file can hold very many of them. A decoder spends a microsecond or more on each, and with some its time grows
with the square of their number, so a file of a few megabytes would keep it busy for minutes. Real files stay far below
these limits; those beyond are refused.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from handful.images.unreadable import UnreadableError

MOST_PARTS = 20_000
"""Segments, chunks, blocks, directory entries; a PNG of 50 MB in chunks of 8 KB, as libpng writes it, has 6 400."""

MOST_SCANS = 50
"""Passes over all pixels of a progressive JPEG; encoders write about ten (libjpeg-turbo, "Two Issues with the JPEG
Standard")."""

MOST_EXIF = 8
"""EXIF segments of a JPEG, which Pillow joins one by one; a file has one."""

MOST_RUNS_BYTES = 1_000_000
"""Of a bitmap in run-length encoding, which Pillow decodes in Python; they were made for drawings of few colours."""

MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
START, SCAN, END = 0xD8, 0xDA, 0xD9
OPAQUE = frozenset((1, 2, 6, 7))
"""Types of TIFF entries whose values stay bytes."""

NUMBERS_A_PART = 10
"""Numbers of a TIFF entry that take as long as another part: one for each row of a large scan is usual."""


def refuse_excess(data: bytes) -> None:
    """Raises UnreadableError for a file of more parts than any real picture has; knows them only by their frames."""
    if data.startswith(b"\xff\xd8\xff"):
        _within(_jpeg_parts(data))
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        _within(_png_parts(data))
    elif data.startswith((b"GIF87a", b"GIF89a")):
        _within(_gif_parts(data))
    elif data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        _within(_tiff_parts(data))
    elif data.startswith(b"BM") and data[30:34] in (b"\1\0\0\0", b"\2\0\0\0") and len(data) > MOST_RUNS_BYTES:
        raise UnreadableError(f"a bitmap of {len(data) / 1e6:.3g} MB in run-length encoding; save it as PNG")


def _within(parts: Iterator[int]) -> None:
    total = 0
    for n_parts in parts:
        total += n_parts
        if total > MOST_PARTS:
            raise UnreadableError(f"it has more than {MOST_PARTS:,} parts, as no picture has")


def _jpeg_parts(data: bytes) -> Iterator[int]:
    """Yields 1 for every segment and for every byte that fills the room before one; the picture's own have none."""
    place, n_scans, n_exif = 0, 0, 0
    while marker := MARKER.search(data, place):
        kind = data[marker.end() - 1]
        yield 1 + (0 if n_scans else marker.end() - place - 2)
        if kind == END:
            return
        place = marker.end()
        if kind == START or place + 2 > len(data):
            continue
        n_scans += kind == SCAN
        n_exif += data.startswith(b"Exif", place + 2)
        if n_scans > MOST_SCANS or n_exif > MOST_EXIF:
            what = f"{MOST_SCANS} scans" if n_scans > MOST_SCANS else f"{MOST_EXIF} EXIF segments"
            raise UnreadableError(f"a JPEG of more than {what}, as no picture has")
        place += int.from_bytes(data[place : place + 2], "big")


def _png_parts(data: bytes) -> Iterator[int]:
    """Yields 1 for every chunk."""
    place = 8
    while place + 8 <= len(data):
        yield 1
        place += 12 + int.from_bytes(data[place : place + 4], "big")


def _gif_parts(data: bytes) -> Iterator[int]:
    """Yields 1 for every block up to the second frame, every byte between blocks, and every part that is not full.

    The parts in which a large picture lies are full.
    """
    place, n_frames = 13 + _colours(data, 10), 0
    while place < len(data) and n_frames < 2 and data[place] != 0x3B:
        yield 1
        if data[place] == 0x2C:
            n_frames += 1
            place += 11 + _colours(data, place + 9)
        elif data[place] == 0x21:
            place += 2
        else:
            place += 1
            continue
        while place < len(data) and data[place]:
            if data[place] < 255:
                yield 1
            place += 1 + data[place]
        place += 1


def _colours(data: bytes, place: int) -> int:
    """Returns the bytes of a GIF's table of colours, which follows the byte of flags at a place."""
    flags = data[place] if place < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff_parts(data: bytes) -> Iterator[int]:
    """Yields 1 for every directory and entry, and a share of the numbers that an entry stands for."""
    order = "<" if data.startswith(b"II") else ">"
    big = 43 in data[2:4]
    head, count, entry, link = ("Q", "Q", "HHQQ", "Q") if big else ("I", "H", "HHII", "I")
    known: set[int] = set()
    try:
        (place,) = struct.unpack_from(order + head, data, 8 if big else 4)
        while place and place not in known:
            known.add(place)
            (n_entries,) = struct.unpack_from(order + count, data, place)
            yield 1 + n_entries
            place += struct.calcsize(order + count)
            for _ in range(n_entries):
                _, kind, n_values, _ = struct.unpack_from(order + entry, data, place)
                yield 0 if kind in OPAQUE else n_values // NUMBERS_A_PART
                place += struct.calcsize(order + entry)
            (place,) = struct.unpack_from(order + link, data, place)
    except (struct.error, OverflowError):  # it is cut off there, and so it will be for the decoder
        return
