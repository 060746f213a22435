import os
import time
from pathlib import Path

import pytest

from handful.core import caches

HASH = "0" * 64
OURS = (
    f"features/{'1' * 32}/{HASH}.safetensors",
    f"features/{'1' * 32}/space.json",
    f"reading/1/{HASH}.json",
    f"copies/1/{HASH}.json",
    f"archives/{HASH}.tar",
    f"films/{HASH}-0.5-18.1.0.zip",
)
DOWNLOADED = ("weights/0000/net.pth", "data/cifar.tar.gz")
FOREIGN = (
    "features/notes.txt",
    f"features/a/b/{HASH}.safetensors",
    "reading/book.pdf",
    "photos/a.jpg",
    "archives/x.tar",
)


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def there(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_rooms_are_told_with_size_number_of_files_and_purpose(own_caches):
    put(own_caches, *OURS, *DOWNLOADED, "photos/a.jpg", "loose")
    found = {room.name: room for room in caches.rooms()}
    assert list(found) == ["features", "reading", "copies", "archives", "films", "weights", "data", "photos"]
    assert (found["features"].n_files, found["features"].n_bytes) == (2, 10)
    assert "not known" in found["photos"].purpose


def test_there_are_no_rooms_where_there_is_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path / "none"))
    assert caches.rooms() == ()
    assert caches.clear() == caches.Freed(0, 0)


def test_every_room_that_the_house_uses_is_known():
    source = "".join(path.read_text() for path in Path(caches.__file__).parents[1].rglob("*.py"))
    used = {part.split('"')[0] for part in source.split('cache_folder("')[1:]} - {""}
    assert used | {"features"} == set(caches.PURPOSES)
    assert set(caches.REMADE) < set(caches.PURPOSES)


def test_clearing_removes_what_can_be_made_again_and_nothing_else(own_caches):
    put(own_caches, *OURS, *DOWNLOADED, *FOREIGN)
    assert caches.clear() == caches.Freed(len(OURS), 5 * len(OURS))
    assert there(own_caches) == sorted((*DOWNLOADED, *FOREIGN))
    assert not (own_caches / "features" / ("1" * 32)).exists()


def test_clearing_spares_files_that_are_being_written(own_caches):
    young, old = (f"features/space/.{name}.{'a' * 16}.tmp" for name in ("young", "old"))
    put(own_caches, young, old)
    long_ago = time.time() - 2 * caches.STALE_SECONDS
    os.utime(own_caches / old, (long_ago, long_ago))
    assert caches.clear().n_files == 1
    assert there(own_caches) == [young]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_neither_measured_nor_followed(own_caches, tmp_path):
    put(tmp_path / "features", f"a/{HASH}.safetensors")
    put(tmp_path / "space", f"{HASH}.json")
    put(tmp_path, f"{HASH}.tar")
    put(own_caches, f"reading/1/{HASH}.json")
    (own_caches / "features").symlink_to(tmp_path / "features")
    (own_caches / "reading" / "2").symlink_to(tmp_path / "space")
    (own_caches / "archives").mkdir()
    (own_caches / "archives" / f"{HASH}.tar").symlink_to(tmp_path / f"{HASH}.tar")
    found = {room.name: room for room in caches.rooms()}
    assert [found[name].n_files for name in ("features", "reading", "archives")] == [0, 1, 0]
    assert "link" in found["features"].purpose
    assert caches.clear().n_files == 1
    assert len(there(tmp_path)) == 3


def test_what_cannot_be_removed_is_counted(own_caches, monkeypatch):
    put(own_caches, *OURS)

    def refused(self, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    assert caches.clear() == caches.Freed(0, 0, len(OURS))
