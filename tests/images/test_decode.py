import io
import struct
import sys
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from handful.images.decode import _check_size, decode
from handful.images.unreadable import UnreadableError

MANY = 64e6
EXIF_ORIENTATION = 0x0112


def noise(height=24, width=36, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height=48, width=80):
    """A picture that lossy formats keep well."""
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    return np.stack([x, y, 255 - x], axis=2).astype(np.uint8)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def read(data, **options):
    return decode(data, **{"max_pixels": MANY, **options})


def rgb(data, full_scale=65535):
    return read(data).rgb(full_scale)


def deep_png(values, colour_type):
    """Writes a PNG of 16 bits per channel, which Pillow cannot for colours; colour types as in the PNG standard."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(values, *, order="<", photometric=None, extra=(), sample_format=1, pages=1, compression=1):
    """Writes a TIFF of any number of channels, bits and pages, by TIFF 6.0, sections 2 and 8."""
    if values.ndim == 2:
        values = values[:, :, None]
    height, width, channels = values.shape
    strip = values.astype(values.dtype.newbyteorder(order)).tobytes()
    strip = zlib.compress(strip) if compression == 8 else strip
    photometric = (2 if channels >= 3 else 1) if photometric is None else photometric
    data = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8))
    for page in range(pages):
        tags = [
            (256, "I", [width]),
            (257, "I", [height]),
            (258, "H", [8 * values.itemsize] * channels),
            (259, "H", [compression]),
            (262, "H", [photometric]),
            (273, "I", [0]),
            (277, "H", [channels]),
            (278, "I", [height]),
            (279, "I", [len(strip)]),
            *([(338, "H", list(extra))] if extra else []),
            (339, "H", [sample_format] * channels),
        ]
        start = len(data)
        after = start + 2 + 12 * len(tags) + 4
        outside = bytearray()
        entries = bytearray()
        strip_at = None
        for code, kind, content in tags:
            packed = struct.pack(f"{order}{len(content)}{kind}", *content)
            if code == 273:
                strip_at = len(entries) + 8
            if len(packed) > 4:
                offset = after + len(outside)
                outside += packed + b"\0" * (len(packed) % 2)
                packed = struct.pack(order + "I", offset)
            entries += struct.pack(order + "HHI", code, 3 if kind == "H" else 4, len(content)) + packed.ljust(4, b"\0")
        entries[strip_at : strip_at + 4] = struct.pack(order + "I", after + len(outside))
        following = after + len(outside) + len(strip) if page + 1 < pages else 0
        data += struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following) + outside + strip
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_formats_without_loss_give_the_pixels_that_were_saved(kind):
    image = Image.fromarray(noise())
    if kind == "GIF":
        image = image.quantize(64)
    decoded = read(encoded(image, kind))
    np.testing.assert_array_equal(decoded.values, np.asarray(image.convert("RGB")))
    assert (decoded.format, decoded.notes, decoded.maximum) == (kind, (), 0)


def test_webp_without_loss_and_jpeg_of_high_quality_are_read():
    picture = smooth()
    np.testing.assert_array_equal(rgb(encoded(Image.fromarray(picture), "WEBP", lossless=True)), picture)
    assert np.abs(rgb(encoded(Image.fromarray(picture), "JPEG", quality=98)).astype(int) - picture).mean() < 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
def test_every_mode_becomes_three_channels_of_8_bits(mode):
    picture = smooth()
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(picture[:, :, 0].astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    elif mode == "LAB":
        image = Image.frombytes("LAB", (80, 48), picture.tobytes())
    elif mode == "PA":
        image = Image.fromarray(picture).quantize(16).convert("PA")
    else:
        image = Image.fromarray(picture).convert(mode)
    kind = "PNG" if mode in ("PA", "P") else "TIFF"
    if mode == "PA":
        image = image.convert("RGBA")
    pixels = rgb(encoded(image, kind), full_scale=255)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (48, 80, 3))
    assert pixels.std() > 20
    if mode in ("L", "I;16", "I", "F"):
        np.testing.assert_array_equal(pixels[:, :, 0], np.asarray(image).astype(np.uint8))
        np.testing.assert_array_equal(pixels[:, :, 0], pixels[:, :, 2])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_upright_picture(kind, orientation):
    upright = smooth()
    # What a camera stores so that orientation k turns it upright: the inverse of the turn that EXIF defines.
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    decoded = read(encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **options))
    assert decoded.values.shape == upright.shape
    assert np.abs(decoded.values.astype(int) - upright).max() <= (8 if kind == "JPEG" else 2)
    assert any("upright" in note for note in decoded.notes) == (orientation > 1)


def test_deep_pictures_are_turned_upright_too():
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 1000
    image = Image.fromarray(values)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(read(encoded(image, kind, exif=exif)).values[:, :, 0], np.rot90(values, -1))


def test_damaged_exif_data_do_not_cost_the_picture():
    picture = Image.fromarray(smooth())
    data = encoded(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage")
    np.testing.assert_array_equal(rgb(data), np.asarray(Image.open(io.BytesIO(encoded(picture, "JPEG")))))


def test_alpha_is_laid_over_white():
    colour = np.zeros((2, 3, 4), dtype=np.uint8)
    colour[0, :, 3] = 255
    colour[1, :, 3] = (0, 51, 255)
    np.testing.assert_array_equal(rgb(encoded(Image.fromarray(colour)))[:, :, 0], [[0, 0, 0], [255, 204, 0]])


def test_a_palette_with_a_transparent_entry_is_laid_over_white():
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    for transparency in (0, b"\x00\xff"):
        pixels = rgb(encoded(image, "PNG", transparency=transparency))
        np.testing.assert_array_equal(pixels, [[[255, 255, 255], [40, 50, 60]]])


def test_a_transparent_colour_of_a_picture_without_alpha_is_laid_over_white():
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8))
    np.testing.assert_array_equal(rgb(encoded(image, "PNG", transparency=(1, 2, 3))), [[[255] * 3, [4, 5, 6]]])


def test_cmyk_of_adobe_is_not_inverted():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        assert np.abs(rgb(encoded(red, kind)).reshape(-1, 3).mean(axis=0) - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("shape", [(1, 1), (1, 20000), (65500, 1), (3, 5)])
def test_odd_shapes_are_read(shape):
    pixels = noise(*shape)
    np.testing.assert_array_equal(rgb(encoded(Image.fromarray(pixels))), pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png_keeps_all_its_bits(channels):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    decoded = read(deep_png(values, {1: 0, 3: 2, 4: 6}[channels]))
    np.testing.assert_array_equal(decoded.values, values)
    assert decoded.maximum == values[:, :, :3].max()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_tiff_keeps_all_its_bits(channels, order, compression):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    data = tiff(values, order=order, compression=compression, extra=(2,) if channels == 4 else ())
    np.testing.assert_array_equal(read(data).values, values)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_with_a_channel_that_means_nothing_keeps_all_bits_of_its_colours(order):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, 4), dtype=np.uint16)
    decoded = read(tiff(values, order=order, extra=(0,)))
    np.testing.assert_array_equal(decoded.values, values[:, :, :3])
    assert decoded.notes == ("only the colours are used of its 4 channels",)


def test_12_bit_data_use_the_whole_range_at_their_own_full_scale():
    values = np.array([[0, 1, 2048, 4095]], dtype=np.uint16)
    decoded = read(tiff(values))
    np.testing.assert_array_equal(decoded.rgb(4095)[0, :, 0], np.rint(values[0] * (255 / 4095)))
    np.testing.assert_array_equal(decoded.rgb(65535)[0, :, 0], [0, 0, 8, 16])
    np.testing.assert_array_equal(decoded.rgb(1023)[0, :, 1], [0, 0, 255, 255])


def test_deep_alpha_is_laid_over_white():
    values = np.array([[[0, 0, 0, 0], [0, 0, 0, 65535], [65535, 0, 0, 65535]]], dtype=np.uint16)
    np.testing.assert_array_equal(rgb(deep_png(values, 6)), [[[255] * 3, [0] * 3, [255, 0, 0]]])


def test_grey_with_alpha_of_16_bits_says_that_it_is_cut():
    values = np.full((2, 2, 2), 65535, dtype=np.uint16)
    decoded = read(deep_png(values, 4))
    assert decoded.notes == ("only the upper 8 of its 16 bits are used",)
    assert decoded.values.min() == 255


def test_fractions_are_scaled_and_other_floating_point_numbers_are_rounded():
    fractions = read(tiff(np.array([[0.0, 0.5, 1.0]], dtype=np.float32), sample_format=3))
    np.testing.assert_array_equal(fractions.rgb(65535)[0, :, 0], [0, 128, 255])
    numbers = read(tiff(np.array([[0.0, 99.6, 4095.0]], dtype=np.float32), sample_format=3))
    np.testing.assert_array_equal(numbers.values[0, :, 0], [0, 100, 4095])


@pytest.mark.parametrize(
    ("values", "sample_format", "reason"),
    [
        (np.array([[0.0, np.nan]], dtype=np.float32), 3, "not finite"),
        (np.array([[-1.0, 0.5]], dtype=np.float32), 3, "go from -1 to 0.5"),
        (np.array([[0, 70000]], dtype=np.int32), 2, "go from 0 to 70000"),
        (np.array([[-5, 9]], dtype=np.int16), 2, "go from -5 to 9"),
    ],
)
def test_numbers_that_no_rule_turns_into_brightness_are_refused(values, sample_format, reason):
    with pytest.raises(UnreadableError, match=reason):
        read(tiff(values, sample_format=sample_format))


def test_a_tiff_in_which_0_is_white_is_turned_round():
    deep = read(tiff(np.array([[0, 65535, 1000]], dtype=np.uint16), photometric=0))
    assert deep.values[0, :, 0].tolist() == [65535, 0, 64535]
    assert deep.notes == ("0 is white in its file; turned round",)
    with pytest.raises(UnreadableError, match="more than 16 bits in which 0 is white"):
        read(tiff(np.zeros((2, 2), dtype=np.float32), photometric=0, sample_format=3))
    np.testing.assert_array_equal(rgb(tiff(np.array([[0, 255]], dtype=np.uint8), photometric=0))[0, :, 0], [255, 0])


def test_a_tiff_of_several_pages_is_refused_with_their_number():
    with pytest.raises(UnreadableError, match="a TIFF of 7 pages"):
        read(tiff(noise(4, 4), pages=7))


@pytest.mark.parametrize("channels", [5, 6, 7, 12])
def test_a_tiff_of_many_channels_is_refused_with_their_number(channels, capfd):
    for photometric in (1, 2):
        extra = (0,) * (channels - (3 if photometric == 2 else 1))
        with pytest.raises(UnreadableError, match=f"a TIFF of {channels} channels"):
            read(tiff(noise(4, 4, channels), extra=extra, photometric=photometric))
    assert capfd.readouterr() == ("", "")


def test_a_fourth_channel_of_unstated_meaning_is_not_dropped_silently():
    decoded = read(tiff(noise(4, 4, 4), extra=(0,)))
    assert decoded.notes == ("only the colours are used of its 4 channels",)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_used_and_this_is_noted(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    decoded = read(encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True))
    np.testing.assert_array_equal(decoded.values[0, 0], [255, 0, 0])
    assert decoded.notes == ("the first frame of an animation",)


def test_the_first_picture_of_a_phone_s_jpeg_with_several_is_used():
    frames = [Image.fromarray(smooth()), Image.new("RGB", (8, 8), "blue")]
    decoded = read(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert (decoded.format, decoded.values.shape) == ("JPEG", (48, 80, 3))
    assert decoded.notes == ("the first of the pictures in its file",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\xff", "not a picture in a format that is read"),
        (b"just some text, named like a picture", "not a picture in a format that is read"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "a PostScript file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"8BPS\0\1" + bytes(20), "a Photoshop file"),
        (b"SIMPLE  =                    T", "a FITS file"),
        (b"\0\0\0\x1cftypavif" + bytes(20), "an AVIF picture"),
        (b"II*\0\xff\xff\xff\xff", "damaged"),
    ],
)
def test_files_that_are_no_pictures_say_what_they_are(data, reason):
    with pytest.raises(UnreadableError, match=reason):
        read(data)


def test_only_the_allowed_decoders_are_ever_asked(monkeypatch):
    image = Image.fromarray(noise())
    Image.init()
    data = [encoded(image, kind) for kind in ("EPS", "PDF", "PCX", "TGA", "PPM", "ICO", "SGI")]
    data.append(b"SIMPLE  =                    T" + bytes(2900))

    def asked(*_):
        pytest.fail("a decoder outside the list was called")

    allowed = {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "MPO"}
    for name, (_, accept) in list(Image.OPEN.items()):
        if name not in allowed:
            monkeypatch.setitem(Image.OPEN, name, (asked, accept and asked))
    for one in data:
        with pytest.raises(UnreadableError, match="not a picture"):
            read(one)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_a_file_cut_off_anywhere_is_refused_or_read_but_never_crashes(kind):
    data = encoded(Image.fromarray(noise(64, 64)), kind)
    refused = 0
    for tenth in range(10):
        try:
            assert read(data[: len(data) * tenth // 10]).values.shape == (64, 64, 3)
        except UnreadableError:
            refused += 1
    assert refused >= (5 if kind == "GIF" else 10)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_cut_off_jpeg_says_so():
    with pytest.raises(UnreadableError, match="cut off"):
        read(encoded(Image.fromarray(noise(64, 64)), "JPEG")[:-200])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_flipped_bits_are_refused_or_read_but_never_crash(kind):
    rng = np.random.default_rng(3)
    data = encoded(Image.fromarray(smooth()), kind)
    for _ in range(60):
        damaged = bytearray(data)
        for position in rng.integers(0, len(data), 3):
            damaged[position] ^= 1 << int(rng.integers(8))
        try:
            assert read(bytes(damaged), max_pixels=1e6).rgb(65535).dtype == np.uint8
        except UnreadableError:
            continue


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("size", [(8001, 8001), (12000, 12000), (20000, 20000)])
def test_a_bomb_is_refused_before_it_is_decoded(size):
    data = png_header(*size) + struct.pack(">I", 4) + b"IDAT" + zlib.compress(bytes(1000))
    start = time.perf_counter()
    with pytest.raises(UnreadableError, match="million"):
        read(data)
    assert time.perf_counter() - start < 0.2


def test_a_loop_of_tiff_directories_ends():
    data = bytearray(tiff(noise(4, 4), pages=2))
    n_tags = struct.unpack_from("<H", data, 8)[0]
    second = struct.unpack_from("<I", data, 10 + 12 * n_tags)[0]
    struct.pack_into("<I", data, second + 2 + 12 * n_tags, 8)
    start = time.perf_counter()
    with pytest.raises(UnreadableError, match="2 pages"):
        read(bytes(data))
    assert time.perf_counter() - start < 0.2


def test_a_reduced_jpeg_keeps_twice_the_side_that_is_needed_and_small_ones_are_read_whole():
    image = Image.fromarray(smooth(800, 1200))
    data = encoded(image, "JPEG", quality=95)
    assert decode(data, max_pixels=MANY, shortest=201).values.shape == (800, 1200, 3)
    assert decode(data, max_pixels=MANY, shortest=200).values.shape == (400, 600, 3)
    assert decode(data, max_pixels=MANY, shortest=64).values.shape == (200, 300, 3)
    assert decode(data, max_pixels=MANY, shortest=10).values.shape == (100, 150, 3)
    assert decode(encoded(image, "PNG"), max_pixels=MANY, shortest=10).values.shape == (800, 1200, 3)
    reference = np.asarray(image.reduce(2)).astype(int)
    assert np.abs(decode(data, max_pixels=MANY, shortest=200).values - reference).mean() < 2


def test_equal_pixels_have_equal_hashes_in_any_format_and_others_do_not():
    picture = Image.fromarray(noise())
    hashes = {read(encoded(picture, kind)).pixel_sha256() for kind in ("PNG", "BMP", "TIFF")}
    assert len(hashes) == 1
    assert read(encoded(Image.fromarray(noise().reshape(36, 24, 3)))).pixel_sha256() not in hashes


def test_heic_is_read_upright_and_without_the_extra_a_command_is_given(monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    picture = smooth(64, 96)
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    image = Image.fromarray(np.ascontiguousarray(np.rot90(picture)))
    pillow_heif.from_pillow(image).save(stream, quality=95, exif=exif.tobytes())
    decoded = read(stream.getvalue())
    assert decoded.format == "HEIC"
    assert decoded.values.shape == (64, 96, 3)
    assert np.abs(decoded.values.astype(int) - picture).mean() < 4
    with pytest.raises(UnreadableError, match="million"):
        read(stream.getvalue(), max_pixels=100)

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableError, match=r"pip install 'handful\[heic\]'") as caught:
        read(stream.getvalue())
    assert not caught.value.lasting


def test_warnings_of_pillow_are_kept_from_the_user_and_no_others():
    noisy = png_header(9500, 9500) + b"\0\0\0\4IDAT"  # more pixels than Pillow opens without a warning
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(UnreadableError, match="cut off"):
            read(noisy, max_pixels=1e9)
        assert caught == []
        Image.open(io.BytesIO(noisy))
        assert [one.category for one in caught] == [Image.DecompressionBombWarning]


def test_scikit_learn_can_hand_its_warning_filters_to_workers_after_a_picture_was_read():
    from sklearn.utils.parallel import Parallel, delayed

    with warnings.catch_warnings():
        read(encoded(Image.new("RGB", (8, 8))))
        assert Parallel(n_jobs=1)(delayed(abs)(number) for number in (-1, 2)) == [1, 2]


def test_warnings_are_kept_away_in_every_thread_that_reads():
    noisy = png_header(9500, 9500) + b"\0\0\0\4IDAT"

    def read_some(_):
        for _ in range(2):
            with pytest.raises(UnreadableError, match="cut off"):
                read(noisy, max_pixels=1e9)

    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(2) as pool:
        warnings.simplefilter("always")
        list(pool.map(read_some, range(2)))
    assert caught == []


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_a_side_without_pixels_is_damage(size):
    with pytest.raises(UnreadableError, match=f"{size[0]} x {size[1]} pixels"):
        _check_size(size, 1e9)
