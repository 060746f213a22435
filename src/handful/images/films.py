"""Video files as pictures: so many frames of every second, those of one film kept together; needs PyAV, the extra `av`.

Frames are taken once and lie in handful's cache as PNG, under the hash of the film's bytes. Frames of one film look
alike, so that testing on one what was learnt from the next would be too easy: the film is their group.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from handful.core.errors import MissingExtraError
from handful.core.files import cache_folder, sha256_bytes, staged_file
from handful.core.progress import Progress
from handful.core.records import Finding, Skipped
from handful.core.sealed import find_named, named_by_hash
from handful.images.archives import open_zip
from handful.images.layout import Layout, is_film
from handful.images.sources import JoinedSource, ListedSource
from handful.images.unreadable import UnreadableError

Places = Mapping[str, tuple[ListedSource, str]]
"""What pictures and films are called, and where each lies and under which name."""


@dataclass(frozen=True, slots=True)
class Unfolded:
    """Pictures, and frames in place of films.

    Attributes:
        places: of both.
        frames: the names of each film's frames, in their order.
        refused: films that cannot be read.
    """

    places: Places
    frames: Mapping[str, Sequence[str]]
    refused: tuple[Skipped, ...]


def unfold(places: Places, *, fps: float, max_pixels: float, progress: Progress) -> Unfolded:
    """Returns frames in place of films, named "film.mp4/00012.500s.png" by the second that they show.

    A film is read whole, into memory, and its frames one after another.

    Args:
        places: pictures and films.
        fps: frames of every second; at least the first one is taken.
        max_pixels: films with larger frames are refused.
        progress: told about every film.

    Raises:
        MissingExtraError: there are films, and PyAV is not installed.
        HandfulError: the frames cannot be written into the cache.
    """
    films = [name for name in places if is_film(name)]
    if films:
        _require()
    found: dict[str, tuple[ListedSource, str]] = {}
    frames: dict[str, list[str]] = {}
    refused = []
    with progress.stage("Taking frames", len(films)) as advance:
        for name, (source, inner) in places.items():
            if not is_film(name):
                found[name] = (source, inner)
                continue
            try:
                unfolded = open_zip(_archive(source.read(inner), fps=fps, max_pixels=max_pixels))
            except UnreadableError as error:
                refused.append(Skipped(name, str(error)))
            else:
                frames[name] = [f"{name}/{frame}" for frame in unfolded.names()]
                found |= {f"{name}/{frame}": (unfolded, frame) for frame in unfolded.names()}
            advance(1)
    return Unfolded(found, frames, tuple(refused))


def unfold_layout(
    source: ListedSource, layout: Layout, *, fps: float | None, max_pixels: float, progress: Progress
) -> tuple[ListedSource, Layout]:
    """Returns a layout with frames in place of films, grouped by film where no group is given; raises as `unfold`."""
    if fps is None or not any(is_film(picture.name) for picture in layout.placed):
        return source, layout
    places = {picture.name: (source, picture.name) for picture in layout.placed}
    unfolded = unfold(places, fps=fps, max_pixels=max_pixels, progress=progress)
    placed = []
    for picture in layout.placed:
        if picture.name in unfolded.places:
            placed.append(picture)
        for frame in unfolded.frames.get(picture.name, ()):
            placed.append(replace(picture, name=frame, group=picture.group or picture.name))
    n_frames = sum(map(len, unfolded.frames.values()))
    message = (
        f"{n_frames} frames were taken from {len(unfolded.frames)} video files, {fps:g} of every second; those of one "
        "file stay on one side of every split."
    )
    return JoinedSource(unfolded.places), replace(
        layout,
        placed=tuple(sorted(placed, key=lambda picture: picture.name)),
        unreadable=(*layout.unreadable, *unfolded.refused),
        findings=(*layout.findings, Finding("films", message)),
    )


def _require() -> str:
    """Returns PyAV's version."""
    try:
        import av
    except ImportError:
        raise MissingExtraError("taking frames from video files", "av") from None
    return str(av.__version__)


def _archive(film: bytes, *, fps: float, max_pixels: float) -> Path:
    """Returns the zip file of a film's frames in the cache, which is made where it is missing.

    Raises:
        UnreadableError: it is no film, or its frames are too large.
    """
    target = cache_folder("films") / f"{sha256_bytes(film)}-{fps:g}-{_require()}.zip"
    if (known := find_named(target)) is not None:
        return known
    with staged_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for seconds, image in _frames(film, fps=fps, max_pixels=max_pixels):
            stream = io.BytesIO()
            image.save(stream, "PNG", compress_level=1)
            archive.writestr(zipfile.ZipInfo(f"{seconds:09.3f}s.png"), stream.getvalue())
    return named_by_hash(target)


def _frames(film: bytes, *, fps: float, max_pixels: float) -> Iterator[tuple[float, Image.Image]]:
    """Yields the frames that are due, with the second at which each is shown."""
    import av

    try:
        with av.open(io.BytesIO(film)) as container:
            if not container.streams.video:
                raise UnreadableError("a file with sound and no picture")
            start, due = None, 0.0
            for frame in container.decode(video=0):
                if frame.width * frame.height > max_pixels:
                    raise UnreadableError(f"frames of {frame.width} x {frame.height} pixels (--max-megapixels)")
                start = float(frame.time or 0.0) if start is None else start
                seconds = float(frame.time or 0.0) - start
                if seconds >= due - 1e-6:
                    yield seconds, upright(frame)
                    due = (int(seconds * fps + 1e-6) + 1) / fps
            if start is None:
                raise UnreadableError("a film without frames, or cut off")
    except (av.FFmpegError, EOFError, ValueError) as error:
        raise UnreadableError(f"no film that can be read, or damaged: {error}") from None


def upright(frame: Any) -> Image.Image:
    """Returns a frame as a picture, turned as its film asks for: phones note how they were held."""
    image: Image.Image = frame.to_image()
    angle = getattr(frame, "rotation", 0)
    return image.rotate(angle, expand=True) if angle else image
