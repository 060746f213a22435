"""From a file's bytes to pixels, by one policy for checking, training and predicting (docs/data.md has the table)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from handful.core.errors import MissingExtraError
from handful.core.records import PixelArray
from handful.images.anatomy import refuse_excess
from handful.images.channels import Channels, deep_to_8_bits, read_channels
from handful.images.dicom import is_dicom, open_dicom
from handful.images.quiet import quiet_pillow
from handful.images.unreadable import TooManyPixelsError, UnreadableError

READING_VERSION = 1
"""Raised whenever a change here or in `channels` may change a pixel; part of every cache key that depends on pixels."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_CHANNELS = 4

MAX_SIDE = 100_000
"""Pixels; JPEG and GIF have at most 65 535. Pillow's time for a row grows with its square."""

EXIF_ORIENTATION = 0x0112
TIFF_PHOTOMETRIC, TIFF_SAMPLES, TIFF_EXTRA_SAMPLES = 262, 277, 338

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
FOREIGN = (
    (b"%PDF", "a PDF"),
    (b"%!PS", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"SIMPLE", "a FITS file"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 picture"),
    (b"PK\x03\x04", "a zip archive"),
    (b"<?xml", "an XML or SVG file"),
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)
"""How common files begin that are sometimes named like pictures; lower case for text."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as its file holds it, upright.

    Attributes:
        values: uint8 (H, W, 3) RGB; or uint16 (H, W, 1 or 3 or 4), grey, RGB or RGBA, for more than 8 bits.
        format: "JPEG", "PNG", ...
        notes: what was done to read it, in plain words.
    """

    values: npt.NDArray[Any]
    format: str
    notes: tuple[str, ...]

    @property
    def maximum(self) -> int:
        """The largest colour value of a picture of more than 8 bits; 0 for others."""
        if self.values.dtype != np.uint16:
            return 0
        return int(self.values[:, :, :3].max())

    def pixel_sha256(self) -> str:
        """Returns a hash of shape and values; before any scaling, so that it does not depend on the data set."""
        known = hashlib.sha256(f"{self.values.dtype.name} {self.values.shape}".encode())
        known.update(np.ascontiguousarray(self.values).data)
        return known.hexdigest()

    def rgb(self, full_scale: int) -> PixelArray:
        """Returns uint8 (H, W, 3); in pictures of more than 8 bits, `full_scale` becomes 255."""
        if self.values.dtype != np.uint16:
            return self.values
        with reasons():
            return deep_to_8_bits(self.values, full_scale)


def decode(data: bytes, *, max_pixels: float, shortest: int | None = None) -> Decoded:
    """Decodes one picture.

    Args:
        data: the file's bytes; its format is found from them, whatever its name.
        max_pixels: pictures with more are refused before they are decoded.
        shortest: the shorter side that the caller will need. A JPEG at least four times as large is decoded at a
            reduced size, at least twice `shortest`; everything else at its own.

    Raises:
        UnreadableError: no picture of a known format, damaged, too large, or one that would have to be cut.
    """
    _refuse_foreign(data)
    if _is_heic(data):
        return _decode_heic(data, max_pixels)
    if is_dicom(data):
        return _decode_dicom(data, max_pixels)
    with reasons():
        refuse_excess(data)
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            _refuse_cut_tiff(data)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            name = str(image.format)
            _check_size(image.size, max_pixels)
            notes = list(_frame_notes(image))
            if shortest is not None and name in ("JPEG", "MPO") and min(image.size) >= 4 * shortest:
                image.draft(None, (2 * shortest, 2 * shortest))
            # Pillow turns TIFF pictures itself and then drops the entry, so theirs is asked for before, only to say so.
            turned = _orientation(image) if name == "TIFF" else 1
            white_at_0 = _has_deep_white_at_0(image)
            channels = read_channels(image, lambda: _reopen(data))
            if white_at_0:
                channels = replace(channels, values=np.uint16(65535) - channels.values)
            orientation = 1 if name == "TIFF" else _orientation(image)
    if orientation != 1 or turned != 1:
        notes.append("turned upright by its EXIF orientation")
    return _decoded(channels, orientation, name, notes)


def _decoded(channels: Channels, orientation: int, name: str, notes: list[str]) -> Decoded:
    values = np.ascontiguousarray(_upright(channels.values, orientation))
    return Decoded(values, "JPEG" if name == "MPO" else name, (*notes, *channels.notes))


def format_of(data: bytes) -> str:
    """Returns the format of a file, as `Decoded` calls it, without decoding it; "" where it is none that is read."""
    if _is_heic(data):
        return "HEIC"
    if is_dicom(data):
        return "DICOM"
    try:
        with reasons(), _reopen(data) as image:
            return "JPEG" if image.format == "MPO" else str(image.format)
    except UnreadableError:
        return ""


@contextmanager
def reasons() -> Iterator[None]:
    """Turns whatever a decoder raises on foreign bytes into one kind of error with a readable reason."""
    try:
        with quiet_pillow():
            yield
    except UnreadableError:
        raise
    except UnidentifiedImageError:
        raise UnreadableError(f"not a picture in a format that is read ({', '.join(FORMATS)}), or damaged") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise TooManyPixelsError(f"more than {limit:.0f} million pixels, the most that Pillow opens") from None
    except MemoryError:
        raise UnreadableError("not enough memory to decode it", lasting=False) from None
    except Warning as error:  # someone swapped the list of filters just now, and asks for warnings to be errors
        raise UnreadableError(f"not decoded because of a warning: {error}", lasting=False) from None
    except Exception as error:  # Pillow documents seven kinds and its parsers raise more on damaged bytes
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
        cut = "truncated" in detail.lower() or isinstance(error, EOFError)
        raise UnreadableError(f"{'cut off' if cut else 'damaged'}: {detail[:200]}") from None


def _refuse_foreign(data: bytes) -> None:
    if not data:
        raise UnreadableError("the file is empty")
    start = data[:64].lstrip().lower()
    for beginning, what in FOREIGN:
        if data.startswith(beginning) or start.startswith(beginning):
            raise UnreadableError(f"{what}, not a picture in a format that is read ({', '.join(FORMATS)})")
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        raise UnreadableError("an AVIF picture, which is not read; save it as JPEG or PNG")


def _refuse_cut_tiff(data: bytes) -> None:
    """Refuses a TIFF of more channels than a colour has; Pillow cuts some of these and stumbles over others."""
    stream = io.BytesIO(data)
    tags = TiffImagePlugin.ImageFileDirectory_v2(stream.read(16 if b"+" in data[2:4] else 8))
    stream.seek(tags.next)
    tags.load(stream)
    n_channels = int(tags.get(TIFF_SAMPLES, 1))
    if n_channels > MAX_CHANNELS:
        raise UnreadableError(f"a TIFF of {n_channels} channels; save the 3 that matter as an RGB picture")


def _frame_notes(image: ImageFile.ImageFile) -> Iterator[str]:
    if image.format == "TIFF":
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        if image.is_animated:
            raise UnreadableError(f"a TIFF of {image.n_frames} pages; save each page that matters as a file of its own")
        tags = image.tag_v2
        if _has_deep_white_at_0(image):
            yield "0 is white in its file; turned round"
        if 0 in tags.get(TIFF_EXTRA_SAMPLES, ()):
            yield f"only the colours are used of its {tags.get(TIFF_SAMPLES)} channels"
    elif image.format == "MPO":
        yield "the first of the pictures in its file"
    elif getattr(image, "is_animated", False):
        yield "the first frame of an animation"


def _has_deep_white_at_0(image: ImageFile.ImageFile) -> bool:
    """Returns whether 0 is white in a TIFF of 16 bits, which Pillow, other than for 8, leaves as it is.

    Raises:
        UnreadableError: 0 is white, and numbers of another kind do not say what black is.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.mode in ("1", "L", "P"):
        return False
    if image.tag_v2.get(TIFF_PHOTOMETRIC) != 0:
        return False
    if not image.mode.startswith("I;16"):
        raise UnreadableError("a TIFF of more than 16 bits in which 0 is white; save it with 0 as black")
    return True


def _check_size(size: tuple[int, int], max_pixels: float) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise UnreadableError(f"damaged: it says that it is {width} x {height} pixels")
    if max(width, height) > MAX_SIDE:
        raise TooManyPixelsError(f"{width} x {height} pixels; at most {MAX_SIDE:,} a side are read")
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"{width} x {height} pixels are {width * height / 1e6:.3g} million; the limit is {max_pixels / 1e6:g} "
            "(--max-megapixels)"
        )


def _reopen(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 where there is none or the EXIF data are damaged."""
    try:
        value = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # a picture is not worse for a damaged remark about it
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(values: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Returns (H, W, C) turned and mirrored as EXIF 2.32, section 4.6.4, tag 274 asks."""
    if orientation in (5, 6, 7, 8):
        values = values.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS


def _decode_heic(data: bytes, max_pixels: float) -> Decoded:
    try:
        import pillow_heif
    except ImportError:
        raise UnreadableError(str(MissingExtraError("reading HEIC pictures", "heic")), lasting=False) from None
    with reasons():
        file = pillow_heif.open_heif(io.BytesIO(data))
        _check_size(file.size, max_pixels)
        notes = ["the first of the pictures in its file"] if len(file) > 1 else []
        # libheif has turned the picture already; a left-over EXIF orientation must not turn it again
        channels = read_channels(file.to_pillow())
    return _decoded(channels, 1, "HEIC", notes)


def _decode_dicom(data: bytes, max_pixels: float) -> Decoded:
    with reasons():
        slide = open_dicom(data)
        _check_size(slide.size, max_pixels)
        return Decoded(np.ascontiguousarray(slide.values()), "DICOM", slide.notes())
