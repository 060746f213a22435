"""Which pictures are learnt from, and where CIFAR-10 comes from."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from handful.backbones.received import Policy
from handful.core.errors import DataError
from handful.core.progress import Silent
from handful.reproduce.pictures import CIFAR10, Archive, draw_parts, most_frequent, official, read_pictures
from handful.testing.tables import table_of

CONTENT = bytes(range(256)) * 64
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def published(tmp_path):
    """A server on this machine that has the archive."""
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "cifar.tar.gz").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/cifar.tar.gz"
        running.shutdown()
        thread.join()


def archive(url, *, sha256=SHA256):
    return Archive(url, sha256, len(CONTENT), Policy(hosts=("127.0.0.1",), schemes=("http",), private=True))


def test_the_archive_is_downloaded_once_and_verified(published):
    path = official(offline=False, progress=Silent(), archive=archive(published))
    assert path.read_bytes() == CONTENT
    assert official(offline=True, progress=Silent(), archive=archive(published)) == path


def test_a_damaged_archive_in_the_cache_is_downloaded_again(published):
    path = official(offline=False, progress=Silent(), archive=archive(published))
    path.write_bytes(b"damaged")
    assert official(offline=False, progress=Silent(), archive=archive(published)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("sha256", "place", "offline", "reason"),
    [
        ("0" * 64, "", False, "with SHA-256 .* the published file has 0000"),
        (SHA256, "-missing", False, "answers 404"),
        (SHA256, "", True, "--offline"),
    ],
)
def test_without_the_archive_one_error_says_both_ways(published, sha256, place, offline, reason):
    wanted = archive(published + place, sha256=sha256)
    with pytest.raises(DataError, match=rf"{reason}.*Either run this again.*--data") as caught:
        official(offline=offline, progress=Silent(), archive=wanted)
    assert "weights" not in str(caught.value)


def test_the_official_archive_is_the_published_one():
    assert CIFAR10.url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert CIFAR10.sha256 == "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    assert CIFAR10.policy == Policy(hosts=("www.cs.toronto.edu",), schemes=("https",))


def test_the_first_five_classes_by_name_are_taken_unless_others_are_named(shapes):
    table = read_pictures(shapes, (), threads=1, progress=Silent())
    assert table.classes == ("circle", "flower", "hexagon", "square", "star")
    table = read_pictures(shapes, ("triangle", "circle"), threads=1, progress=Silent())
    assert table.classes == ("circle", "triangle")


def test_an_unknown_class_names_the_nearest(shapes):
    with pytest.raises(DataError, match=r"no class 'circel' in .* Did you mean 'circle'"):
        read_pictures(shapes, ("circel", "square"), threads=1, progress=Silent())


def test_parts_are_even_apart_and_of_the_papers_size(tmp_path):
    table = table_of([label for label in range(5) for _ in range(800)], tmp_path)
    split = draw_parts(table)
    labels = table.labels
    assert np.bincount(labels[split.train]).tolist() == [480] * 5
    assert np.bincount(labels[split.test]).tolist() == [80] * 5
    assert len(split.validation) == 0
    assert not set(split.train) & set(split.test)


def test_the_users_own_test_part_stays_apart_and_a_validation_part_joins_the_others(tmp_path):
    parts = (["train"] * 600 + ["validation"] * 100 + ["test"] * 200) * 2
    table = table_of([0] * 900 + [1] * 900, tmp_path, parts=parts)
    split = draw_parts(table)
    assert {parts[index] for index in split.test} == {"test"}
    assert {parts[index] for index in split.train} == {"train", "validation"}
    assert (len(split.train), len(split.test)) == (1400, 233)


def test_few_pictures_are_all_used(tmp_path):
    split = draw_parts(table_of([0] * 30 + [1] * 30, tmp_path))
    assert (len(split.train), len(split.test)) == (50, 8)


def test_chance_is_the_share_of_the_most_frequent_class(tmp_path):
    table = table_of([0] * 30 + [1] * 10, tmp_path)
    assert most_frequent(table, np.arange(40)) == 0.75
