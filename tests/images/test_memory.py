from concurrent.futures import ThreadPoolExecutor

import pytest

from handful.core.files import sha256_bytes
from handful.images import memory
from handful.images.memory import Facts, recall, remember

LIMIT = 64e6


def key(number):
    return sha256_bytes(str(number).encode())


def facts(number):
    return Facts(pixel_sha256=key(number), width=number, height=3, format="PNG", maximum=9, notes=("a", "b"))


def test_what_was_remembered_is_recalled_under_the_same_limit_only():
    known = {key(1): facts(1), key(2): Facts(reason="damaged: so it is")}
    remember(known, LIMIT)
    remember({}, LIMIT)
    assert recall(LIMIT) == known
    assert recall(LIMIT / 2) == {}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {"unknown": 1, "notes": []}}', b"\xff\xfe"])
def test_a_damaged_file_is_ignored(own_cache, damage):
    remember({key(1): facts(1)}, LIMIT)
    [path] = own_cache.rglob("*.json")
    remember({key(2): facts(2)}, LIMIT)
    path.write_bytes(damage)
    (path.parent / f"{sha256_bytes(damage)}.json").write_bytes(damage)
    assert recall(LIMIT) == {key(2): facts(2)}


def test_many_small_files_are_joined_without_losing_any(own_cache, monkeypatch):
    monkeypatch.setattr(memory, "MAX_SHARDS", 5)
    for number in range(12):
        remember({key(number): facts(number)}, LIMIT)
    assert recall(LIMIT) == {key(number): facts(number) for number in range(12)}
    assert len(list(own_cache.rglob("*.json"))) <= 6


def test_writers_at_the_same_time_lose_nothing(monkeypatch):
    monkeypatch.setattr(memory, "MAX_SHARDS", 3)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: remember({key(number): facts(number)}, LIMIT), range(40)))
    assert recall(LIMIT) == {key(number): facts(number) for number in range(40)}


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path / "file"))
    remember({key(1): facts(1)}, LIMIT)
    assert recall(LIMIT) == {}
