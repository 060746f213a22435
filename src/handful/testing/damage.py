"""Bytes as a bad disk, a broken transfer or an editor leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def damages(whole: bytes, *, places: Iterable[int]) -> Iterator[bytes]:
    """Yields bytes with one bit changed, one byte changed, or cut off, at each place; and with some more at the end."""
    for place in places:
        for other in (whole[place] ^ 1, (whole[place] + 128) % 256):
            yield whole[:place] + bytes([other]) + whole[place + 1 :]
        yield whole[:place]
    yield whole + b"\0"
    yield whole + b"\n"
