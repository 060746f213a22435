"""Every file read, hashed and decoded once, by a few threads; the result does not depend on their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from handful.core.config import ReadingConfig
from handful.core.files import sha256_bytes
from handful.core.machine import open_threads
from handful.core.progress import Progress
from handful.core.records import Picture
from handful.images import memory
from handful.images.decode import decode
from handful.images.layout import Placed, suffix_of
from handful.images.memory import Facts
from handful.images.sketch import sketch
from handful.images.sources import ListedSource
from handful.images.unreadable import UnreadableError

FORMAT_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "HEIC": (".heic", ".heif"),
    "DICOM": (".dcm", ".dicom"),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A file and what was found in it.

    Attributes:
        facts: with a reason where the file cannot be used.
        file_sha256: "" where its bytes were not read.
        lasting: whether the same bytes would give the same facts on another day.
    """

    facts: Facts
    file_sha256: str = ""
    lasting: bool = True


def check_files(
    source: ListedSource, names: Sequence[str], config: ReadingConfig, *, threads: int, progress: Progress
) -> list[Checked]:
    """Returns what was found in each file, in the order of the names; decodes only what is not remembered.

    Args:
        source: where the files are.
        names: files of the source.
        config: the limits on size.
        threads: files that are decoded at the same time.
        progress: told about every file.
    """
    max_pixels = config.max_megapixels * 1e6
    known = memory.recall(max_pixels)
    task = partial(_check, source, max_bytes=config.max_file_mb * 1e6, max_pixels=max_pixels, known=known)
    checked = []
    with progress.stage("Checking pictures", len(names)) as advance, open_threads(threads) as pool:
        for result in pool.map(task, names):
            checked.append(result)
            advance(1)
    learnt = {
        result.file_sha256: result.facts
        for result in checked
        if result.file_sha256 and result.lasting and result.file_sha256 not in known
    }
    memory.remember(learnt, max_pixels)
    return checked


def size_fault(source: ListedSource, name: str, max_bytes: float) -> str:
    """Returns why a file must not be read, found without reading it; "" where nothing speaks against it."""
    try:
        n_bytes = source.size(name)
    except UnreadableError as error:
        return str(error)
    return _oversize(n_bytes, max_bytes)


def read_within(source: ListedSource, name: str, max_bytes: float) -> bytes:
    """Returns the bytes of a file that is not too large.

    Raises:
        UnreadableError: it is, or it cannot be read.
    """
    fault = size_fault(source, name, max_bytes)
    if fault:
        raise UnreadableError(fault)
    data = source.read(name)
    if len(data) > max_bytes and source.size(name):  # one that has grown since, or whose size was not known
        raise UnreadableError(_oversize(len(data), max_bytes))
    return data


def as_picture(placed: Placed, label: int, checked: Checked) -> Picture:
    """Returns the record of a readable picture; a name that tells another format than the bytes is noted."""
    facts = checked.facts
    notes = facts.notes
    suffix = suffix_of(placed.name)
    if suffix and suffix not in FORMAT_SUFFIXES.get(facts.format, ()):
        notes = (*notes, f"a {facts.format} picture although its name ends in {suffix}")
    return Picture(
        path=placed.name,
        label=label,
        file_sha256=checked.file_sha256,
        pixel_sha256=facts.pixel_sha256,
        width=facts.width,
        height=facts.height,
        part=placed.part,
        group=placed.group,
        notes=notes,
        added=placed.added,
    )


def _check(
    source: ListedSource, name: str, *, max_bytes: float, max_pixels: float, known: Mapping[str, Facts]
) -> Checked:
    try:
        data = read_within(source, name, max_bytes)
    except UnreadableError as error:
        return Checked(Facts(reason=str(error)))
    file_sha256 = sha256_bytes(data)
    if file_sha256 in known:
        return Checked(known[file_sha256], file_sha256)
    try:
        return Checked(_facts(data, max_pixels), file_sha256)
    except UnreadableError as error:
        return Checked(Facts(reason=str(error)), file_sha256, lasting=error.lasting)


def _facts(data: bytes, max_pixels: float) -> Facts:
    decoded = decode(data, max_pixels=max_pixels)
    height, width = decoded.values.shape[:2]
    return Facts(
        pixel_sha256=decoded.pixel_sha256(),
        width=width,
        height=height,
        format=decoded.format,
        maximum=decoded.maximum,
        notes=decoded.notes,
        sketch=sketch(decoded),
    )


def _oversize(n_bytes: int, max_bytes: float) -> str:
    if n_bytes <= max_bytes:
        return ""
    return f"{n_bytes / 1e6:.3g} MB; the limit is {max_bytes / 1e6:g} MB (--max-file-mb)"
