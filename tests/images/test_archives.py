import bz2
import gzip
import io
import os
import stat
import struct
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.images import open_source, pixels, read
from handful.images.archives import ArchiveLimits, _check_limits, open_tar, open_zip
from handful.images.unreadable import UnreadableError
from handful.testing.pictures import draw_folder

TARS = ["w", "w:gz", "w:bz2", "w:xz"]


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def pack_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def pack_tar(path, members, mode="w"):
    """Packs (name, bytes) pairs, or TarInfo objects for what is no regular file."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def pictures(tmp_path):
    """Members of an honest archive: two classes of two pictures."""
    root = draw_folder(tmp_path / "drawn", classes=["cat", "dog"], per_class=2, size=8)
    return [(path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(root.rglob("*.png"))]


@pytest.mark.parametrize("mode", ["zip", *TARS])
def test_an_archive_reads_like_the_folder_that_was_packed(tmp_path, pictures, own_cache, mode):
    path = tmp_path / "data.bin"  # an archive is known by its content
    members = [(f"./photos/{name}", data) for name, data in pictures] + [("__MACOSX/photos/cat/._000.png", b"x")]
    pack_zip(path, members) if mode == "zip" else pack_tar(path, members, mode)
    before = tree(tmp_path)
    table = read(path, ReadingConfig(), threads=2)
    assert table.classes == ("cat", "dog")
    assert [picture.path for picture in table.pictures] == [f"photos/{name}" for name, _ in pictures]
    assert table.skipped == ()
    folder = read(tmp_path / "drawn", ReadingConfig())
    assert [one.pixel_sha256 for one in table.pictures] == [one.pixel_sha256 for one in folder.pictures]
    assert pixels(table, table.pictures[0]).shape == (8, 8, 3)
    assert tree(tmp_path) == before
    assert len(list((own_cache / "archives").glob("*"))) == (0 if mode in ("zip", "w") else 1)


def test_a_compressed_tar_is_unpacked_once(tmp_path, pictures, own_cache):
    path = pack_tar(tmp_path / "a.tar.gz", pictures, "w:gz")
    open_source(path)
    [copy] = (own_cache / "archives").iterdir()
    stamp = copy.stat().st_mtime_ns
    open_source(path)
    assert copy.stat().st_mtime_ns == stamp


HOSTILE_NAMES = [
    "../outside.png",
    "cat/../../outside.png",
    "/absolute.png",
    "C:\\windows\\x.png",
    "c:x.png",
    "..\\outside.png",
    "\\\\host\\share\\x.png",
    "cat/..",
]


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_that_point_outside_refuse_the_archive(tmp_path, pictures, own_cache, kind, name):
    members = [*pictures, (name, b"evil")]
    path = tmp_path / f"evil.{kind}"
    pack_zip(path, members) if kind == "zip" else pack_tar(path, members)
    before = tree(tmp_path)
    with pytest.raises(DataError, match="points outside the archive"):
        read(path, ReadingConfig())
    assert tree(tmp_path) == before
    assert list(own_cache.rglob("*")) == []


def test_a_name_with_nul_refuses_a_zip(tmp_path, pictures):
    path = pack_zip(tmp_path / "nul.zip", [*pictures, ("cat/x_png", b"evil")])
    path.write_bytes(path.read_bytes().replace(b"cat/x_png", b"cat/x\0png"))
    with pytest.raises(DataError, match=r"points outside the archive|damaged"):
        read(path, ReadingConfig())


def test_names_that_systems_reserve_do_no_harm(tmp_path, pictures):
    data = pictures[0][1]
    names = ["cat/CON.png", "cat/aux.png", "dog/" + "n" * 300 + ".png", "dog/trailing. .png"]
    path = pack_tar(tmp_path / "names.tar.gz", [*pictures, *((name, data) for name in names)], "w:gz")
    assert {picture.path for picture in read(path, ReadingConfig()).pictures} >= set(names)


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (special("cat/link.png", tarfile.SYMTYPE, "/etc/passwd"), "a link inside the archive"),
        (special("cat/link.png", tarfile.SYMTYPE, "000.png"), "a link inside the archive"),
        (special("cat/link.png", tarfile.LNKTYPE, "/etc/passwd"), "a link inside the archive"),
        (special("cat/pipe.png", tarfile.FIFOTYPE), "not a regular file"),
        (special("cat/device.png", tarfile.CHRTYPE), "not a regular file"),
        (special("cat/block.png", tarfile.BLKTYPE), "not a regular file"),
    ],
)
def test_links_and_devices_in_a_tar_are_listed_and_never_followed(tmp_path, pictures, member, reason):
    path = pack_tar(tmp_path / "special.tar", [*pictures, member])
    table = read(path, ReadingConfig(max_unreadable=0.5))
    assert [skipped.path for skipped in table.skipped] == [member.name]
    assert table.skipped[0].reason.startswith(reason)


def test_a_link_to_a_folder_and_a_file_through_it_stay_inside_the_archive(tmp_path, pictures):
    data = pictures[0][1]
    through = [special("cat/up", tarfile.SYMTYPE, "../.."), ("cat/up/planted.png", data)]
    before = tree(tmp_path)
    path = pack_tar(tmp_path / "through.tar.gz", [*pictures, *through], "w:gz")
    assert "cat/up/planted.png" in [picture.path for picture in read(path, ReadingConfig(class_level=1)).pictures]
    assert tree(tmp_path) == sorted([*before, "through.tar.gz"])


def test_links_and_encrypted_members_of_a_zip_are_listed(tmp_path, pictures):
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in pictures:
            archive.writestr(name, data)
        archive.writestr(link, "/etc/passwd")
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(b"cat/001.png"))
    data[directory + 8] |= 1
    path.write_bytes(data)
    source = open_source(path)
    reasons = {entry.name: entry.reason for entry in source.entries() if entry.reason}
    assert reasons == {
        "cat/link.png": "a link inside the archive; links are not followed",
        "cat/001.png": "encrypted; unpack it with its password",
    }


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_two_members_of_one_name_refuse_the_archive(tmp_path, pictures, kind):
    members = [*pictures, ("./" + pictures[0][0], b"another")]
    path = tmp_path / f"twice.{kind}"
    pack_zip(path, members) if kind == "zip" else pack_tar(path, members)
    with pytest.raises(DataError, match=r"two members named 'cat/000.png'"):
        read(path, ReadingConfig())


def test_classes_that_differ_in_case_are_an_error_in_archives_too(tmp_path, pictures):
    path = pack_zip(tmp_path / "case.zip", [*pictures, ("Cat/1.png", pictures[0][1])])
    with pytest.raises(DataError, match="'Cat' and 'cat'"):
        read(path, ReadingConfig())


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_bomb_stops_at_the_limit_and_leaves_nothing(tmp_path, own_cache, compress):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("cat/zeros.bmp")
        info.size = 30_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(compress(stream.getvalue()))
    start = time.perf_counter()
    with pytest.raises(DataError, match="more than 200 times its size"):
        open_tar(path, ArchiveLimits(ratio_from=10_000_000))
    with pytest.raises(DataError, match=r"unpacks to more than 0\.005 GB"):
        open_tar(path, ArchiveLimits(total_bytes=5_000_000))
    assert time.perf_counter() - start < 2
    assert [path for path in own_cache.rglob("*") if path.is_file()] == []


def test_a_zip_bomb_and_too_many_members_are_refused(tmp_path, pictures):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/zeros.bmp", bytes(20_000_000))
    with pytest.raises(DataError, match="more than 200 times its size"):
        open_zip(path, ArchiveLimits(ratio_from=10_000_000))
    for kind, opened in (("zip", open_zip), ("tar", open_tar)):
        path = tmp_path / f"many.{kind}"
        pack_zip(path, pictures) if kind == "zip" else pack_tar(path, pictures)
        with pytest.raises(DataError, match="more than 3 members"):
            opened(path, ArchiveLimits(members=3))


def test_a_zip_member_that_claims_another_size_gives_no_more_than_it_claims(tmp_path):
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/1.bmp", bytes(1_000_000))
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\x01\x02") + 24, 10)
    path.write_bytes(data)
    source = open_zip(path)
    assert source.size("cat/1.bmp") == 10
    with pytest.raises(UnreadableError, match=r"cannot be read from liar\.zip"):
        source.read("cat/1.bmp")


@pytest.mark.parametrize("mode", ["zip", *TARS])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_off_archive_is_an_error_and_leaves_no_half_copy(tmp_path, pictures, own_cache, mode, share):
    path = tmp_path / "cut"
    pack_zip(path, pictures) if mode == "zip" else pack_tar(path, pictures, mode)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    try:
        table = read(path, ReadingConfig(max_unreadable=1.0))
    except DataError:
        assert mode != "w" or share < 0.9
    else:
        # an uncompressed tar that lost nothing but its padding is whole
        assert mode == "w"
        assert len(table.pictures) == 4
    assert [one for one in (own_cache / "archives").rglob("*") if one.is_file()] == []


def test_damaged_members_are_listed_with_their_reason(tmp_path, pictures):
    path = pack_zip(tmp_path / "damaged.zip", pictures)
    data = bytearray(path.read_bytes())
    start = data.index(pictures[0][1])
    data[start + 60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"1 of 4 pictures .*cat/000.png \(cannot be read from damaged.zip: Bad CRC"):
        read(path, ReadingConfig())


def test_an_archive_in_an_archive_is_not_opened(tmp_path, pictures):
    inner = pack_zip(tmp_path / "inner.zip", pictures)
    path = pack_zip(tmp_path / "outer.zip", [*pictures, ("cat/inner.zip", inner.read_bytes())])
    table = read(path, ReadingConfig())
    assert len(table.pictures) == 4
    assert [finding.code for finding in table.findings] == ["other-files"]


def test_names_from_windows_and_in_other_bytes_are_read(tmp_path, pictures):
    data = pictures[0][1]
    path = pack_zip(tmp_path / "windows.zip", [(name.replace("/", "\\"), content) for name, content in pictures])
    assert [picture.path for picture in read(path, ReadingConfig()).pictures] == [name for name, _ in pictures]
    odd = pack_tar(tmp_path / "odd.tar", [*pictures, (os.fsdecode(b"cat/caf\xe9.png"), data)])
    table = read(odd, ReadingConfig())
    assert r"cat/caf\xe9.png" in [picture.path for picture in table.pictures]


def test_the_copy_of_a_tar_that_vanishes_is_an_error_with_its_path(tmp_path, pictures, own_cache):
    table = read(pack_tar(tmp_path / "a.tar.gz", pictures, "w:gz"), ReadingConfig())
    [copy] = (own_cache / "archives").iterdir()
    copy.unlink()
    with pytest.raises(DataError, match=Path(copy).name):
        pixels(table, table.pictures[0])


def test_an_archive_may_unpack_to_so_many_times_its_size(tmp_path):
    limits = ArchiveLimits(ratio=3.0, ratio_from=100)
    _check_limits(tmp_path, limits, unpacked=300, packed=100)
    _check_limits(tmp_path, limits, unpacked=100, packed=1)  # a few flat drawings
    with pytest.raises(DataError, match="unpacks to more than 3 times its size"):
        _check_limits(tmp_path, limits, unpacked=301, packed=100)
