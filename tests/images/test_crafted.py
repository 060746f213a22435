"""Archives made to do harm: refused with the member's name, or read without it; nothing is written elsewhere."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import time
import unicodedata
import zipfile

import pytest

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.images import read
from handful.testing.pictures import draw_folder
from tests.images.test_archives import pack_tar, pack_zip, special, tree

MEGABYTES = 1 << 20


def header(name, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def negative(name, kind):
    """A member of -1024 bytes."""
    block = bytearray(header(name, kind))
    block[124:136] = b"\xff" * 10 + struct.pack(">h", -1024)
    block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:]))
    return bytes(block)


def after(pictures, blocks):
    """A tar of pictures, and blocks of our own behind them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in pictures:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        end = archive.offset
    return stream.getvalue()[:end] + blocks + bytes(1024)


def as_zip(*members):
    return lambda pictures, path: pack_zip(path, [*pictures, *members])


def as_tar(*members):
    return lambda pictures, path: pack_tar(path, [*pictures, *members])


def as_bytes(make):
    return lambda pictures, path: path.write_bytes(make(pictures))


def long_name(kind, n_megabytes):
    return header("././@LongLink", kind, n_megabytes * MEGABYTES) + bytes(n_megabytes * MEGABYTES) + header("cat/x.png")


def deflated(name, n_bytes):
    def make(pictures, path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, bytes(n_bytes))

    return make


def overlapping(pictures):
    """A zip whose list names one compressed member 500 times, under names of their own."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/00000.png", bytes(MEGABYTES))
    data = stream.getvalue()
    at = data.index(b"PK\x01\x02")
    entry, end = data[at : data.index(b"PK\x05\x06")], data[data.index(b"PK\x05\x06") :]
    entries = b"".join(entry.replace(b"00000", b"%05d" % number) for number in range(500))
    return data[:at] + entries + end[:8] + struct.pack("<HHLL", 500, 500, len(entries), at) + bytes(2)


def listing(n_members, *, disk=0):
    """A zip that is nothing but a list, of the newer form, of empty members."""
    entry = b"PK\x01\x02" + bytes([20, 3, 20, 0]) + bytes(20) + struct.pack("<H", 7) + bytes(16)
    entries = b"".join(entry + b"%07d" % number for number in range(n_members))
    end = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, n_members, n_members, len(entries), 0)
    end += b"PK\x06\x07" + struct.pack("<LQL", disk, len(entries), 1)
    return entries + end + b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)


REFUSED = {
    "zip: up and out": (as_zip(("../../outside.png", b"x")), r"'\.\./\.\./outside\.png'.*points outside"),
    "zip: absolute": (as_zip(("/tmp/outside.png", b"x")), "'/tmp/outside.png'.*points outside"),
    "zip: drive": (as_zip(("C:\\outside.png", b"x")), r"C:.*points outside"),
    "zip: share": (as_zip(("\\\\host\\share\\x.png", b"x")), "host.*points outside"),
    "zip: twice": (as_zip(("cat/new.png", b"x"), ("./cat/new.png", b"y")), "two members named 'cat/new.png'"),
    "zip: a folder is a file": (as_zip(("cat/new/", b""), ("cat/new", b"y")), "two members named 'cat/new'"),
    "zip: deep": (as_zip(("a/" * 5000 + "x.png", b"x")), "lies more than 100 folders deep"),
    "zip: case": (as_zip(("CAT/x.png", b"x")), "'CAT' and 'cat'"),
    "zip: one name in two ways": (
        as_zip(*((unicodedata.normalize(form, "café/x.png"), b"x") for form in ("NFC", "NFD"))),
        "differ only in",
    ),
    "zip: bomb": (deflated("cat/zeros.bmp", 150_000_000), "200 times its size .at its member 'cat/zeros.bmp'"),
    "zip: one member under many names": (as_bytes(overlapping), "200 times its size .at its member 'cat/00"),
    "zip: two million members": (as_bytes(lambda _: listing(2_000_000)), "more than 1,000,000 members"),
    "zip: the rest on another disk": (as_bytes(lambda _: listing(1, disk=7)), "cannot be read as an archive"),
    "tar: up and out": (as_tar(("../outside.png", b"x")), r"'\.\./outside\.png'.*points outside"),
    "tar: absolute": (as_tar(("/tmp/outside.png", b"x")), "'/tmp/outside.png'.*points outside"),
    "tar: drive": (as_tar(("c:outside.png", b"x")), "'c:outside.png'.*points outside"),
    "tar: twice": (as_tar(("cat/new.png", b"x"), ("cat/new.png", b"y")), "two members named 'cat/new.png'"),
    "tar: link, then a file of its name": (
        as_tar(special("cat/up", tarfile.SYMTYPE, "/etc"), ("cat/up", b"x")),
        "two members named 'cat/up'",
    ),
    "tar: deep": (as_tar(("a/" * 5000 + "x.png", b"x")), "lies more than 100 folders deep"),
    "tar: less than no bytes": (
        as_bytes(lambda all_: after(all_, negative("cat/z.png", b"0"))),
        "'cat/z.png' has less",
    ),
    "tar: a folder of less than no bytes": (
        as_bytes(lambda all_: after(all_, negative("dog", b"5"))),
        "'dog' has less",
    ),
    "tar: a name of less than no bytes": (as_bytes(lambda all_: after(all_, negative("x", b"L"))), "name or attribute"),
    "tar: a name of 80 MB": (as_bytes(lambda all_: after(all_, long_name(b"L", 80))), "name or attribute of more"),
    "tar: attributes of 80 MB": (as_bytes(lambda all_: after(all_, long_name(b"x", 80))), "name or attribute of more"),
    "tar.gz: first a name of 80 MB": (
        as_bytes(lambda _: gzip.compress(long_name(b"L", 80), 1)),
        "name or attribute of more",
    ),
    "tar.gz: bomb": (
        as_bytes(lambda _: gzip.compress(header("cat/zeros.bmp", size=1 << 32) + bytes(120_000_000), 1)),
        "200 times its size",
    ),
}
READ = {
    "zip: reserved names": as_zip(("cat/CON.txt", b"x"), ("cat/NUL", b"x"), ("cat/a:b", b"x")),
    "zip: an archive inside": as_zip(("cat/inner.zip", b"PK\x05\x06" + bytes(18))),
    "zip: files that differ in case": as_zip(("cat/A.txt", b"x"), ("cat/a.TXT", b"x")),
    "tar: link, then a file through it": as_tar(
        special("cat/up", tarfile.SYMTYPE, "../.."), ("cat/up/outside.txt", b"x")
    ),
    "tar: hard link": as_tar(special("cat/passwd", tarfile.LNKTYPE, "/etc/passwd")),
    "tar: device": as_tar(special("cat/null", tarfile.CHRTYPE), special("cat/pipe", tarfile.FIFOTYPE)),
}


@pytest.fixture
def pictures(tmp_path):
    root = draw_folder(tmp_path / "drawn", classes=["cat", "dog"], per_class=2, size=8)
    return [(path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(root.rglob("*.png"))]


@pytest.mark.parametrize("name", [*REFUSED, *READ])
def test_a_crafted_archive_writes_nothing_and_stops_at_once(tmp_path, pictures, own_cache, name):
    path = tmp_path / "archive"
    make = READ[name] if name in READ else REFUSED[name][0]
    make(pictures, path)
    before, began = tree(tmp_path), time.process_time()
    if name in READ:
        assert len(read(path, ReadingConfig(max_unreadable=0.5, class_level=1)).pictures) == len(pictures)
    else:
        with pytest.raises(DataError, match=REFUSED[name][1]):
            read(path, ReadingConfig())
        assert [one for one in (own_cache / "archives").rglob("*") if one.suffix != ".tar"] == []
    assert time.process_time() - began < 2
    assert tree(tmp_path) == before
    assert not os.path.lexists("/tmp/outside.png")
