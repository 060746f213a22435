import os
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handful.core.errors import ConfigError, HandfulError
from handful.core.files import sha256_bytes
from handful.features import cache, shards

KEYS = [sha256_bytes(bytes([index])) for index in range(5)]
VALUES = np.arange(20, dtype=np.float32).reshape(5, 4)
NEW = sha256_bytes(b"new")
LONG_AGO = time.time() - 3 * 24 * 3600


def empty(n_rows=5, *shape, dtype=np.float32):
    return np.full((n_rows, *(shape or (4,))), -1, dtype=dtype)


def known(space, keys=KEYS):
    return cache.lookup(space, keys, empty(len(keys))).tolist()


def used(folder, space, when):
    """Makes the shards of a space look last used at a time."""
    for shard in folder.glob(f"features/{space}/*.safetensors"):
        os.utime(shard, (when, when))


def spaces(folder):
    return sorted(path.name for path in (folder / "features").iterdir())


def test_what_was_stored_is_found_in_any_order_and_other_rows_are_left_alone():
    cache.store("space", KEYS, VALUES, facts={"backbone": "toy"})
    values = empty(3)
    assert cache.lookup("space", [KEYS[3], KEYS[0], NEW], values).tolist() == [True, True, False]
    np.testing.assert_array_equal(values, [VALUES[3], VALUES[0], [-1, -1, -1, -1]])


def test_a_picture_that_is_asked_for_twice_is_found_twice():
    cache.store("space", KEYS, VALUES, facts={})
    values = empty(2)
    assert cache.lookup("space", [KEYS[1], KEYS[1]], values).all()
    np.testing.assert_array_equal(values, VALUES[[1, 1]])


def test_shards_add_up():
    cache.store("space", KEYS[:2], VALUES[:2], facts={})
    cache.store("space", KEYS[2:], VALUES[2:], facts={})
    values = empty()
    assert cache.lookup("space", KEYS, values).all()
    np.testing.assert_array_equal(values, VALUES)


def test_nothing_is_stored_or_found_of_no_pictures(own_caches):
    cache.store("space", [], VALUES[:0], facts={})
    assert list(own_caches.iterdir()) == []
    assert cache.lookup("space", [], VALUES[:0]).shape == (0,)


def test_spaces_are_apart():
    cache.store("one", KEYS, VALUES, facts={})
    assert not any(known("other"))


def test_a_space_is_named_by_its_facts_whatever_their_order():
    assert cache.space_key({"a": 1, "b": (1, 2)}) == cache.space_key({"b": [1, 2], "a": 1})
    assert cache.space_key({"a": 1}) != cache.space_key({"a": 2})


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 3)])
def test_rows_of_any_shape_come_back_bit_by_bit_in_both_precisions(shape, dtype):
    stored = np.random.default_rng(0).normal(size=(5, *shape)).astype(dtype)
    cache.store("space", KEYS, stored, facts={})
    values = np.zeros_like(stored)
    assert cache.lookup("space", KEYS, values).all()
    assert values.tobytes() == stored.tobytes()


def test_half_precision_takes_half_the_disk_and_can_be_read_into_single():
    half = VALUES.astype(np.float16)
    assert len(shards.pack(KEYS, VALUES)) - len(shards.pack(KEYS, half)) == half.nbytes
    cache.store("space", KEYS, half, facts={})
    values = empty()
    assert cache.lookup("space", KEYS, values).all()
    np.testing.assert_array_equal(values, VALUES)


@pytest.mark.parametrize("values", [VALUES.astype(np.float64), VALUES.astype(np.int32), VALUES[:4]])
def test_other_numbers_and_missing_rows_are_refused(values):
    with pytest.raises(ValueError, match="expected a row of float32 or float16 for each key"):
        cache.store("space", KEYS, values, facts={})


def test_an_array_with_another_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="4 rows to fill for 5 keys"):
        cache.lookup("space", KEYS, empty(4))


def test_rows_of_another_shape_than_is_asked_for_are_unknown(own_caches):
    cache.store("space", KEYS, VALUES, facts={})
    assert not cache.lookup("space", KEYS, empty(5, 2, 2)).any()
    assert all(known("space"))


def test_rows_go_into_a_memory_map_and_into_a_strided_view(tmp_path):
    cache.store("space", KEYS, VALUES, facts={})
    mapped = np.memmap(tmp_path / "rows", dtype=np.float32, mode="w+", shape=(5, 4))
    views = empty(5, 3, 4)
    assert cache.lookup("space", KEYS, mapped).all()
    assert cache.lookup("space", KEYS, views[:, 1]).all()
    mapped.flush()
    assert (tmp_path / "rows").read_bytes() == VALUES.tobytes()
    np.testing.assert_array_equal(views[:, 1], VALUES)
    assert (views[:, [0, 2]] == -1).all()


@given(asked=st.lists(st.integers(0, 24), max_size=40), piece=st.integers(1, 200), parts=st.integers(1, 4))
def test_pieces_of_any_size_give_the_same_rows(tmp_path_factory, asked, piece, parts):
    stored = np.arange(80, dtype=np.float32).reshape(20, 4)
    keys = [sha256_bytes(bytes([index])) for index in range(25)]
    values = empty(len(asked))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDFUL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(shards, "PIECE", piece)
        for part in range(parts):
            cache.store("space", keys[part:20:parts], stored[part::parts], facts={})
        found = cache.lookup("space", [keys[index] for index in asked], values)
    assert found.tolist() == [index < 20 for index in asked]
    expected = [stored[index] if index < 20 else [-1] * 4 for index in asked]
    np.testing.assert_array_equal(values, np.reshape(expected, (-1, 4)))


def test_reading_takes_a_fraction_of_the_memory_that_a_shard_would():
    keys = [sha256_bytes(index.to_bytes(2, "big")) for index in range(1000)]
    stored = np.ones((1000, 8192), dtype=np.float32)
    cache.store("space", keys, stored, facts={})
    values = np.zeros_like(stored)
    tracemalloc.start()
    try:
        assert cache.lookup("space", keys[::-1], values).all()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(values, stored)
    assert peak < stored.nbytes / 4


def test_every_changed_byte_is_noticed(own_caches):
    cache.store("space", KEYS, VALUES, facts={})
    shard = next(own_caches.rglob("*.safetensors"))
    data = shard.read_bytes()
    for position in range(0, len(data), 7):
        shard.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert not any(known("space"))
        assert not shard.exists()
        shard.write_bytes(data)
    assert all(known("space"))


@pytest.mark.parametrize("length", [0, 5, 100, 250, -1])
def test_a_shard_that_was_cut_off_is_removed_and_the_others_serve(own_caches, length):
    cache.store("space", KEYS[:2], VALUES[:2], facts={})
    whole = next(own_caches.rglob("*.safetensors"))
    cache.store("space", KEYS[2:], VALUES[2:], facts={})
    (cut,) = set(own_caches.rglob("*.safetensors")) - {whole}
    cut.write_bytes(cut.read_bytes()[:length])
    assert known("space") == [True, True, False, False, False]
    assert not cut.exists()


def test_a_whole_file_that_holds_no_rows_is_passed_over(own_caches):
    for data in (b"x", b"\x10" + b"\0" * 7 + b'{"keys": [1, 2]}', shards.pack(KEYS, VALUES)[:-4]):
        cache.keep("space", data, facts={})
    assert not any(known("space"))
    assert len(list(own_caches.rglob("*.safetensors"))) == 3


def test_a_shard_that_vanishes_before_it_is_opened_is_not_there(own_caches, monkeypatch):
    cache.store("space", KEYS, VALUES, facts={})
    listed = list(own_caches.rglob("*.safetensors"))
    monkeypatch.setattr(cache, "_shards", lambda space: listed)
    listed[0].unlink()
    assert not any(known("space"))
    assert list(cache.kept("space")) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_a_shard_that_vanishes_while_it_is_read_still_gives_its_rows(monkeypatch):
    cache.store("space", KEYS, VALUES, facts={})
    monkeypatch.setattr(cache, "is_whole", lambda stream, path: path.unlink() or True)
    values = empty()
    assert cache.lookup("space", KEYS, values).all()
    np.testing.assert_array_equal(values, VALUES)


def test_past_the_limit_the_least_recently_used_go_first_and_empty_spaces_with_them(own_caches, monkeypatch):
    for age, space in enumerate("abc"):
        cache.store(space, KEYS, VALUES, facts={})
        used(own_caches, space, LONG_AGO - age)
    size = len(shards.pack(KEYS, VALUES))
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", f"{3 * size / 1000}KB")
    cache.store("new", KEYS, VALUES, facts={})
    assert spaces(own_caches) == ["a", "b", "new"]
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", "0")
    cache.store("new", KEYS[:1], VALUES[:1], facts={})
    assert spaces(own_caches) == ["new"]


def test_what_gave_a_row_counts_as_used_and_what_gave_none_does_not(own_caches, monkeypatch):
    for space, keys in (("asked", KEYS), ("other", KEYS), ("asked", [NEW])):
        cache.store(space, keys, VALUES[: len(keys)], facts={})
    for space in ("asked", "other"):
        used(own_caches, space, LONG_AGO)
    assert all(known("asked"))
    assert not any(known("other", [NEW]))
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", "0")
    cache.store("new", KEYS, VALUES, facts={})
    assert spaces(own_caches) == ["asked", "new"]
    assert (known("asked"), known("asked", [NEW])) == ([True] * 5, [False])


def test_a_run_keeps_its_own_rows_whatever_the_limit(own_caches, monkeypatch):
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", "0")
    for index, key in enumerate(KEYS):
        cache.store("space", [key], VALUES[index : index + 1], facts={})
    assert all(known("space"))


def test_a_use_is_written_down_once_in_a_while_only(own_caches):
    cache.store("space", KEYS, VALUES, facts={})
    (shard,) = own_caches.rglob("*.safetensors")
    before = shard.stat().st_mtime_ns
    assert all(known("space"))
    assert shard.stat().st_mtime_ns == before
    used(own_caches, "space", LONG_AGO)
    assert all(known("space"))
    assert shard.stat().st_mtime > time.time() - 60


@pytest.mark.parametrize("value", ["ten", "10", "10 GiB", "-1GB", "1e3MB", "nan"])
def test_a_limit_that_is_no_size_names_the_variable_and_the_form(monkeypatch, value):
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", value)
    with pytest.raises(ConfigError, match=f"HANDFUL_CACHE_LIMIT is '{value}'; expected a size such as 500MB"):
        cache.store("space", KEYS, VALUES, facts={})


@pytest.mark.parametrize("reason", [FileNotFoundError, FileExistsError])
def test_a_space_that_is_removed_while_it_is_written_to_is_made_again(monkeypatch, reason):
    write, calls = cache.write_bytes, []

    def interrupted(path, data):
        calls.append(path.name)
        if len(calls) == 1:
            raise HandfulError("could not write") from reason()
        write(path, data)

    monkeypatch.setattr(cache, "write_bytes", interrupted)
    cache.store("space", KEYS, VALUES, facts={})
    assert all(known("space"))
    assert calls[0] == calls[1]


def test_a_disk_that_is_full_is_said_and_not_tried_again(monkeypatch):
    calls = []

    def full(path, data):
        calls.append(path)
        raise HandfulError("could not write: No space left") from OSError(28, "No space left")

    monkeypatch.setattr(cache, "write_bytes", full)
    with pytest.raises(HandfulError, match="No space left"):
        cache.store("space", KEYS, VALUES, facts={})
    assert len(calls) == 1


def test_a_file_in_the_place_of_a_space_is_said(own_caches):
    (own_caches / "features").mkdir()
    (own_caches / "features" / "space").write_bytes(b"mine")
    with pytest.raises(HandfulError, match="could not write"):
        cache.store("space", KEYS, VALUES, facts={})
