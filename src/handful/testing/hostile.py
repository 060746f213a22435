"""Odd and hostile pictures, drawn: what may be read, what must be refused, and why."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from handful.core.records import PixelArray

SIDE = (48, 80)
"""Height and width of the ordinary pictures, in pixels."""

N_CUTS = 10
MANY = 100_000
"""Parts of a file that has too many; a PNG of so many texts is 2 MB."""

EXIF_ORIENTATION = 0x0112

TURNS = {
    1: lambda values: values,
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.transpose(1, 0, 2),
    6: lambda values: np.rot90(values, 1),
    7: lambda values: values[::-1, ::-1].transpose(1, 0, 2),
    8: lambda values: np.rot90(values, -1),
}
"""What a camera stores so that orientation k turns it upright: the inverse of what EXIF 2.32, section 4.6.4, asks."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file that is named like a picture.

    Attributes:
        name: of the file.
        data: its bytes.
        refused: what the reason must say, as a regular expression; "" where it must be read.
    """

    name: str
    data: bytes
    refused: str = ""


def hostile_pictures() -> list[Hostile]:
    """Returns them all, each by another name; equal calls give equal bytes."""
    return [*_no_pictures(), *_cut(), *_bombs(), *_shapes(), *_modes(), *_turned(), *_numbers()]


def seeds() -> list[bytes]:
    """Returns small files of every format that is read, plain and odd, from which mutations begin."""
    picture = Image.fromarray(smooth())
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "lime", "blue")]
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    several: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    return [
        encoded(picture, "JPEG"),
        encoded(picture, "JPEG", progressive=True, exif=exif),
        encoded(picture.convert("CMYK"), "JPEG"),
        encoded(picture.convert("L"), "JPEG", subsampling=0),
        encoded(frames[0], "MPO", **several),
        encoded(picture, "PNG", exif=exif),
        encoded(picture.convert("RGBA"), "PNG"),
        encoded(picture.quantize(16), "PNG", transparency=0),
        encoded(Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)), "PNG"),
        encoded(frames[0], "PNG", **several),
        encoded(picture, "WEBP", exif=exif),
        encoded(picture.convert("RGBA"), "WEBP", lossless=True),
        encoded(frames[0], "WEBP", **several),
        encoded(picture, "BMP"),
        run_lengths(8, n_rows=8),
        encoded(picture.quantize(16), "GIF"),
        encoded(frames[0], "GIF", **several),
        encoded(picture, "TIFF", compression="tiff_lzw"),
        encoded(picture.convert("CMYK"), "TIFF", exif=exif),
        encoded(Image.fromarray(smooth()[:, :, 0].astype(np.float32) / 255), "TIFF", compression="tiff_adobe_deflate"),
    ]


def smooth() -> PixelArray:
    """Returns a picture that lossy formats keep well, uint8 (H, W, 3)."""
    height, width = SIDE
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    return np.stack([x, y, 255 - x], axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Returns the bytes of a picture's file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned(kind: str, orientation: int) -> bytes:
    """Returns the picture of `smooth` as a camera that was held so stores it."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    without_loss: dict[str, dict[str, Any]] = {"JPEG": {"quality": 100, "keep_rgb": True}, "WEBP": {"lossless": True}}
    return encoded(
        Image.fromarray(np.ascontiguousarray(TURNS[orientation](smooth()))),
        kind,
        exif=exif,
        **without_loss.get(kind, {}),
    )


def png(width: int, height: int, *, before: bytes = b"", pixels: bytes | None = None) -> bytes:
    """Returns a PNG that says how large it is, whatever is in it, with chunks before its pixels."""
    rows = zlib.compress(bytes(height * (1 + 3 * width))) if pixels is None else pixels
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def tiff(pages: int = 1, *, loops: bool = False, strips: int = 1) -> bytes:
    """Returns a grey TIFF of 8 x 8 pixels, by TIFF 6.0, section 2; the last page may point to the first."""
    size = 2 + 9 * 12 + 4
    pixels_at = 8 + pages * size
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for page in range(pages):
        entries = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, pixels_at), (277, 1), (278, 8), (279, 64)]
        data += struct.pack("<H", len(entries))
        for code, value in entries:
            data += struct.pack("<HHII", code, 4, strips if code == 273 else 1, value)
        following = 8 + size * (page + 1)
        data += struct.pack("<I", following if page + 1 < pages else 8 if loops else 0)
    return bytes(data) + bytes(max(64, 4 * strips))


def run_lengths(side: int, *, n_rows: int) -> bytes:
    """Returns a square bitmap in run-length encoding, each run one pixel long, of which so many rows are there."""
    data = bytearray(encoded(Image.new("P", (8, 8)), "BMP"))
    struct.pack_into("<ii", data, 18, side, side)
    struct.pack_into("<I", data, 30, 1)
    start = struct.unpack_from("<I", data, 10)[0]
    return bytes(data[:start]) + (b"\1\0" * side + b"\0\0") * n_rows


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _no_pictures() -> Iterator[Hostile]:
    foreign = "not a picture in a format that is read"
    yield Hostile("empty.jpg", b"", "the file is empty")
    yield Hostile("one-byte.jpg", b"\xff", foreign)
    yield Hostile("text.jpg", b"just some text, named like a picture", foreign)
    yield Hostile("not-found.png", b"\n<!DOCTYPE html><html><body>404</body></html>", "a web page, not a picture")
    yield Hostile("png-named.jpg", encoded(Image.fromarray(smooth()), "PNG"))
    picture = Image.fromarray(smooth())
    yield Hostile("eps.jpg", encoded(picture, "EPS"), "a PostScript file")
    yield Hostile("pdf.jpg", encoded(picture, "PDF"), "a PDF")
    yield Hostile("svg.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "an SVG drawing")
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 8, 8, 8, 3)
    yield Hostile("psd.jpg", header + bytes(12) + b"\0\0" + bytes(192), "a Photoshop file")
    cards = [*(f"{key:8}= {value:>20}" for key, value in (("SIMPLE", "T"), ("BITPIX", 8), ("NAXIS", 0))), "END"]
    yield Hostile("fits.jpg", "".join(card.ljust(80) for card in cards).encode().ljust(2880), "a FITS file")
    for kind in ("PCX", "TGA", "PPM", "ICO", "SGI", "DDS", "JPEG2000", "AVIF"):
        reason = {"JPEG2000": "a JPEG 2000 picture", "AVIF": "an AVIF picture"}.get(kind, foreign)
        yield Hostile(f"{kind.lower()}.jpg", encoded(picture, kind), reason)


def _cut() -> Iterator[Hostile]:
    """Yields files that end early."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for kind in ("JPEG", "PNG", "WEBP"):
        data = encoded(Image.fromarray(noise), kind)
        for tenth in range(N_CUTS):
            reason = "cut off|damaged|not a picture" if tenth else "empty"
            yield Hostile(f"cut-{tenth}.{kind.lower()}", data[: len(data) * tenth // N_CUTS], reason)


def _bombs() -> Iterator[Hostile]:
    parts = "more than 20,000 parts, as no picture has"
    small = encoded(Image.new("RGB", (8, 8)), "JPEG")
    yield Hostile("pixels.png", png(20_000, 20_000, pixels=zlib.compress(bytes(100_000))), "million pixels")
    yield Hostile("pixels-64.png", png(8_001, 8_000, pixels=zlib.compress(bytes(1000))), "the limit is 64")
    yield Hostile("wide.png", png(8_000_000, 8, pixels=zlib.compress(bytes(1000))), "at most 100,000 a side")
    yield Hostile("texts.png", png(8, 8, before=_chunk(b"tEXt", b"a\0b") * MANY), parts)
    yield Hostile("chunks.png", png(8, 8, before=_chunk(b"abCd", b"") * MANY), parts)
    large = zlib.compress(bytes(900_000), 9)
    texts = b"".join(_chunk(b"zTXt", b"%d\0\0" % number + large) for number in range(100))
    yield Hostile("unpacked-texts.png", png(8, 8, before=texts), "damaged: Too much memory used in text")
    profile = _chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(60_000_000), 9))
    yield Hostile("unpacked-profile.png", png(8, 8, before=profile), "damaged: Decompressed data too large")
    head = encoded(Image.new("P", (8, 8)), "GIF")
    head = head[: 13 + (3 << ((head[10] & 7) + 1))]
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\2\2\x44\1\0"
    yield Hostile("frames.gif", head + frame * MANY + b";")  # only the first is looked at
    yield Hostile("comments.gif", head + b"\x21\xfe\1x\0" * MANY + frame + b";", parts)
    yield Hostile("short-blocks.gif", head + frame[:-4] + b"\1x" * MANY + b"\0" + frame + b";", parts)
    yield Hostile("between-blocks.gif", head + bytes(MANY) + frame + b";", parts)
    yield Hostile("filled.jpg", small[:2] + b"\xff" * MANY + small[2:], parts)
    yield Hostile("comments.jpg", small[:2] + b"\xff\xfe\0\3x" * MANY + small[2:], parts)
    yield Hostile("exif.jpg", small[:2] + b"\xff\xe1\0\x08Exif\0\0" * 9 + small[2:], "more than 8 EXIF segments")
    progressive = encoded(Image.fromarray(smooth()), "JPEG", progressive=True)
    scan = progressive[progressive.rfind(b"\xff\xda") : -2]
    yield Hostile("scans.jpg", progressive[:-2] + scan * 60 + b"\xff\xd9", "more than 50 scans")
    yield Hostile("loop.tif", tiff(2, loops=True), "2 pages")
    yield Hostile("pages.tif", tiff(MANY // 4), parts)
    yield Hostile("strips.tif", tiff(strips=10 * MANY), parts)
    yield Hostile("runs.bmp", run_lengths(7900, n_rows=70), "in run-length encoding; save it as PNG")


def _shapes() -> Iterator[Hostile]:
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (20_000, 1), (1, 65_500), (5, 3)):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        yield Hostile(f"{width}x{height}.png", encoded(Image.fromarray(pixels), "PNG"))
    yield Hostile("65500x1.jpg", encoded(Image.new("RGB", (65_500, 1), "red"), "JPEG"))


def _modes() -> Iterator[Hostile]:
    """Yields every mode of Pillow that one of the formats can hold, and animations."""
    picture = Image.fromarray(smooth())
    for mode in ("1", "L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"):
        yield Hostile(f"mode-{mode}.tif", encoded(picture.convert(mode), "TIFF"))
    yield Hostile("mode-LAB.tif", encoded(Image.frombytes("LAB", picture.size, picture.tobytes()), "TIFF"))
    for mode in ("CMYK", "L"):
        yield Hostile(f"mode-{mode}.jpg", encoded(picture.convert(mode), "JPEG"))
    yield Hostile("mode-P.png", encoded(picture.quantize(16), "PNG"))
    yield Hostile("mode-PA.png", encoded(picture.quantize(16), "PNG", transparency=bytes(range(0, 160, 10))))
    for mode, dtype in (("I;16", np.uint16), ("I", np.int32), ("F", np.float32)):
        grey = Image.fromarray(smooth()[:, :, 0].astype(dtype))
        yield Hostile(f"mode-{mode.replace(';', '')}.tif", encoded(grey, "TIFF"))
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        yield Hostile(f"frames-3.{kind.lower()}", encoded(frames[0], kind, save_all=True, append_images=frames[1:]))


def _turned() -> Iterator[Hostile]:
    for kind in ("JPEG", "PNG", "WEBP"):
        for orientation in TURNS:
            yield Hostile(f"turned-{orientation}.{kind.lower()}", turned(kind, orientation))


def _numbers() -> Iterator[Hostile]:
    """Yields numbers that are no brightness."""
    for name, number, reason in (
        ("nan", np.nan, "not finite"),
        ("infinite", np.inf, "not finite"),
        ("negative", -1.0, "go from -1 to"),
        ("large", 7e4, "go from .* to 70000"),
    ):
        values = smooth()[:, :, 0].astype(np.float32)
        values[3, 5] = number
        yield Hostile(f"number-{name}.tif", encoded(Image.fromarray(values), "TIFF"), reason)


def mutated(draw: random.Random) -> bytes:
    """Returns one of the `seeds` with some of its bytes changed, in one of the ways that trouble readers.

    Every second PNG gets right checksums again, so that its decoder looks further than at those.
    """
    data = bytearray(draw.choice(SEEDS))
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        if not data:
            break
        place = draw.randrange(len(data))
        length = draw.choice((1, 2, 4, 16, 64))
        match draw.randrange(6):
            case 0:
                data[place] ^= 1 << draw.randrange(8)
            case 1:
                extreme = draw.choice((0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
                width = next(size for size in (1, 2, 4) if extreme < 1 << (8 * size))
                data[place : place + width] = extreme.to_bytes(width, draw.choice(("little", "big")))
            case 2:
                del data[place : place + length]
            case 3:
                data[place:place] = data[place : place + length] * draw.choice((1, 2, 50))
            case 4:
                other = draw.choice(SEEDS)
                begin = draw.randrange(len(other))
                data[place : place + length] = other[begin : begin + length]
            case _:
                del data[place + 1 :]
    return _with_checksums(bytes(data)) if data[:4] == b"\x89PNG" and draw.random() < 0.5 else bytes(data)


def _with_checksums(data: bytes) -> bytes:
    """Returns a PNG with the checksums that its chunks should have."""
    made, place = bytearray(data[:8]), 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        content = data[place + 4 : place + 8 + length]
        made += data[place : place + 4] + content + struct.pack(">I", zlib.crc32(content))
        place += 12 + length
    return bytes(made) + data[place:]


SEEDS = seeds()
