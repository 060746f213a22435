"""Damaged on purpose: whatever bytes come, the reader gives a picture or its one error."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handful.images.anatomy import MOST_EXIF, MOST_PARTS, MOST_SCANS, refuse_excess
from handful.images.decode import decode
from handful.images.unreadable import UnreadableError
from handful.testing.hostile import SEEDS, encoded, mutated, png, seeds, smooth, tiff

QUICK = 1e6
"""Pixels: a mutation may claim millions, which take seconds to fill and test nothing new."""


def outcome(data):
    """Returns the shape of a picture, or the reason."""
    try:
        pixels = decode(data, max_pixels=QUICK).rgb(65535)
    except UnreadableError as error:
        return str(error)
    assert pixels.dtype == np.uint8
    return pixels.shape


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.integers(0, 10_000_000))
@example(17_491)
@example(12_483)
def test_mutated_files_are_refused_with_a_reason_or_read(number):
    found = outcome(mutated(random.Random(number)))
    assert found
    assert isinstance(found, str) or found[2] == 3


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(SEEDS).map(lambda data: data[:12]), st.binary(max_size=200))
def test_so_is_noise_that_begins_like_a_picture(start, noise):
    assert isinstance(outcome(start + noise), str)


def test_the_files_that_mutations_begin_from_are_read():
    assert seeds() == SEEDS
    assert len(SEEDS) == 20
    for data in SEEDS:
        assert outcome(data)[2] == 3


# What a decoder goes through before the first pixel.


def chunk(kind, content=b""):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_as_many_chunks_as_are_allowed_are_read_and_one_more_is_not():
    enough = MOST_PARTS - 3  # the header, the pixels and the end are chunks too
    assert outcome(png(8, 8, before=chunk(b"abCd") * enough)) == (8, 8, 3)
    assert "more than 20,000 parts" in outcome(png(8, 8, before=chunk(b"abCd") * (enough + 1)))


def jpeg(extra=b"", **options):
    import PIL.Image

    data = encoded(PIL.Image.fromarray(smooth()), "JPEG", **options)
    return data[:2] + extra + data[2:]


def test_a_jpeg_may_have_its_metadata_in_many_segments():
    extended = b"\xff\xe1\0\x22http://ns.adobe.com/xmp/extension\0"[:36]
    assert outcome(jpeg(extended * 300)) == (48, 80, 3)
    exif = b"\xff\xe1\0\x08Exif\0\0"
    assert outcome(jpeg(exif * MOST_EXIF)) == (48, 80, 3)
    assert "EXIF segments" in outcome(jpeg(exif * (MOST_EXIF + 1)))


def test_a_progressive_jpeg_and_one_with_restarts_are_within_the_limits():
    assert outcome(jpeg(progressive=True)) == (48, 80, 3)
    assert outcome(jpeg(restart_marker_blocks=1)) == (48, 80, 3)
    data = jpeg(progressive=True)
    scan = data[data.rfind(b"\xff\xda") : -2]
    n_scans = data.count(b"\xff\xda")
    assert outcome(data[:-2] + scan * (MOST_SCANS - n_scans) + b"\xff\xd9") == (48, 80, 3)
    assert "scans" in outcome(data[:-2] + scan * (MOST_SCANS - n_scans + 1) + b"\xff\xd9")


def test_what_follows_the_end_of_a_jpeg_does_not_count():
    """A phone's moving picture is a JPEG with a film behind it, in which any marker may occur by chance."""
    assert outcome(jpeg() + b"\xff\xda" * 1000) == (48, 80, 3)


def test_a_tiff_of_one_row_in_a_strip_is_no_excess():
    refuse_excess(tiff(strips=64_000))
    with pytest.raises(UnreadableError, match="more than 20,000 parts"):
        refuse_excess(tiff(strips=300_000))


@pytest.mark.parametrize("order", [b"II", b"MM"])
def test_large_tiffs_of_either_order_are_counted(order):
    mark = "<" if order == b"II" else ">"
    head = order + struct.pack(mark + "HHHQ", 43, 8, 0, 16)
    with pytest.raises(UnreadableError, match="more than 20,000 parts"):
        refuse_excess(head + struct.pack(mark + "Q", 30_000) + bytes(20 * 30_000))
    refuse_excess(head + struct.pack(mark + "Q", 3) + bytes(20 * 3 + 8))
    refuse_excess(order + struct.pack(mark + "HHHQ", 43, 8, 0, 2**64 - 1))


@pytest.mark.parametrize("data", [data[:cut] for data in SEEDS for cut in (2, 3, 6, 9, 12, 14, 20)])
def test_beginnings_of_files_are_counted_without_a_fault(data):
    refuse_excess(data)
