"""Image tables without files, for tests of rooms that only look at the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from handful.core.files import sha256_bytes
from handful.core.records import ImageTable, Part, Picture


class _Empty:
    """A source without files."""

    def names(self) -> Iterator[str]:
        """Yields nothing."""
        return iter(())

    def read(self, name: str) -> bytes:
        """Refuses: there are only records."""
        raise FileNotFoundError(name)


def table_of(
    labels: Sequence[int],
    root: Path,
    *,
    pixels: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    parts: Sequence[Part] | None = None,
) -> ImageTable:
    """Returns a table of pictures that exist only as records.

    Args:
        labels: class index of each picture.
        root: an existing folder.
        pixels: equal texts stand for identical pixels; all different by default.
        groups: group of each picture.
        parts: part of each picture.
    """
    pictures = tuple(
        Picture(
            path=f"{label}/{index:05d}.png",
            label=label,
            file_sha256=sha256_bytes(f"file {index}".encode()),
            pixel_sha256=sha256_bytes((pixels[index] if pixels else f"pixels {index}").encode()),
            width=8,
            height=8,
            part=parts[index] if parts else "",
            group=groups[index] if groups else "",
        )
        for index, label in enumerate(labels)
    )
    classes = tuple(f"class {label}" for label in range(max(labels) + 1))
    return ImageTable(root, _Empty(), classes, pictures)
