import numpy as np

from handful.core.files import sha256_bytes
from handful.features import cache

KEYS = [sha256_bytes(bytes([index])) for index in range(5)]
VALUES = np.arange(20, dtype=np.float32).reshape(5, 4)


def test_what_was_stored_is_found_in_any_order():
    cache.store("space", KEYS, VALUES, facts={"backbone": "toy"})
    values, known = cache.lookup("space", [KEYS[3], KEYS[0], sha256_bytes(b"new")], n_features=4)
    assert known.tolist() == [True, True, False]
    np.testing.assert_array_equal(values, [VALUES[3], VALUES[0], np.zeros(4)])


def test_a_picture_that_is_asked_for_twice_is_found_twice():
    cache.store("space", KEYS, VALUES, facts={})
    values, known = cache.lookup("space", [KEYS[1], KEYS[1]], n_features=4)
    assert known.all()
    np.testing.assert_array_equal(values[0], values[1])


def test_shards_add_up():
    cache.store("space", KEYS[:2], VALUES[:2], facts={})
    cache.store("space", KEYS[2:], VALUES[2:], facts={})
    assert cache.lookup("space", KEYS, n_features=4)[1].all()


def test_spaces_are_apart():
    cache.store("one", KEYS, VALUES, facts={})
    assert not cache.lookup("other", KEYS, n_features=4)[1].any()


def test_a_space_is_named_by_its_facts_whatever_their_order():
    assert cache.space_key({"a": 1, "b": (1, 2)}) == cache.space_key({"b": [1, 2], "a": 1})
    assert cache.space_key({"a": 1}) != cache.space_key({"a": 2})


def test_every_changed_byte_is_noticed(own_caches):
    cache.store("space", KEYS, VALUES, facts={})
    shard = next(own_caches.rglob("*.safetensors"))
    data = shard.read_bytes()
    for position in range(0, len(data), 7):
        shard.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert not cache.lookup("space", KEYS, n_features=4)[1].any()
        shard.write_bytes(data)
    assert cache.lookup("space", KEYS, n_features=4)[1].all()
