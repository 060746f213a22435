import json
import os
import time

import numpy as np
import pytest

from handful.core.files import sha256_bytes
from handful.features import cache, upkeep
from handful.features.upkeep import Kind

KEYS = [sha256_bytes(bytes([index])) for index in range(5)]
VALUES = np.zeros((5, 4), dtype=np.float32)
FACTS = {"backbone": "toy", "tap": "pool", "preprocessing": {"size": 64}, "precision": "float32", "view": "plain"}
PLAIN = Kind("toy", "pool", 64, "float32", "plain")
LONG_AGO = time.time() - 3 * 24 * 3600


def make_old(folder):
    for path in folder.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def test_spaces_of_one_kind_are_told_as_one_with_rows_size_and_last_use(own_caches):
    for version in "12":
        cache.store(version, KEYS, VALUES, facts={**FACTS, "versions": version})
    cache.store("1", KEYS[:2], VALUES[:2], facts=FACTS)
    cache.store("other", KEYS[:1], VALUES[:1], facts={**FACTS, "view": "mirror"})
    make_old(own_caches)
    plain, mirror = upkeep.holdings()
    shards = sorted(path.stat().st_size for path in own_caches.rglob("*.safetensors"))
    assert (plain.kind, plain.n_spaces, plain.n_rows) == (PLAIN, 2, 12)
    assert (mirror.kind.view, mirror.n_spaces, mirror.n_rows) == ("mirror", 1, 1)
    assert (plain.n_bytes, mirror.n_bytes) == (sum(shards[1:]), shards[0])
    assert plain.used == pytest.approx(LONG_AGO, abs=1)


def test_the_drawings_of_a_changed_view_are_told_as_one():
    for number in range(3):
        cache.store(str(number), KEYS, VALUES, facts={**FACTS, "view": f"ksh 7/{number}"})
    (holding,) = upkeep.holdings()
    assert (holding.kind.view, holding.n_spaces) == ("ksh 7", 3)


def test_weights_for_models_have_no_rows():
    cache.keep("space", b"weights", facts={"trunk": "toy", "weights": "0" * 64, "tap": "pool"})
    (holding,) = upkeep.holdings()
    assert (holding.kind, holding.n_rows) == (Kind("toy", "pool", view="weights, for models"), 0)


BROKEN = (b"", b"[]", b"7", b'"trunk"', b"\xff", b'{"trunk": 1}', b'{"backbone": "toy"}')


@pytest.mark.parametrize("facts", [None, *BROKEN, json.dumps({**FACTS, "preprocessing": 3}).encode()])
def test_a_space_that_does_not_say_what_it_is_counts_as_unknown(own_caches, facts):
    cache.store("space", KEYS, VALUES, facts=FACTS)
    path = own_caches / "features" / "space" / "space.json"
    path.unlink()
    if facts is not None:
        path.write_bytes(facts)
    (holding,) = upkeep.holdings()
    assert (holding.kind, holding.n_rows) == (Kind(), 5)


def test_nothing_is_held_where_nothing_was_kept():
    assert upkeep.holdings() == ()
    assert upkeep.shrink(0).n_files == 0


def test_shrinking_stops_as_soon_as_the_rest_fits(own_caches):
    for index in range(5):
        cache.store(f"{index}", [KEYS[index]], VALUES[:1], facts=FACTS)
    make_old(own_caches)
    size = next(own_caches.rglob("*.safetensors")).stat().st_size
    freed = upkeep.shrink(3 * size)
    assert (freed.n_files, freed.n_bytes) == (2, 2 * size)
    assert upkeep.shrink(3 * size).n_files == 0


def test_shrinking_takes_files_left_over_from_killed_processes_and_spares_those_under_way(own_caches):
    cache.store("space", KEYS, VALUES, facts=FACTS)
    folder = own_caches / "features" / "space"
    for name in ("old", "young"):
        (folder / f".{name}.{'0' * 16}.tmp").write_bytes(b"half")
    os.utime(folder / f".old.{'0' * 16}.tmp", (LONG_AGO, LONG_AGO))
    assert upkeep.shrink(0).n_files == 1
    assert [path.name for path in folder.glob(".*")] == [f".young.{'0' * 16}.tmp"]


def test_shrinking_leaves_what_is_not_a_feature_alone(own_caches):
    cache.store("space", KEYS, VALUES, facts=FACTS)
    foreign = own_caches / "features" / "space" / "holiday.safetensors"
    foreign.write_bytes(b"mine")
    make_old(own_caches)
    assert upkeep.shrink(0).n_files == 1
    assert foreign.exists()


def test_two_processes_may_make_room_at_once(own_caches, monkeypatch):
    cache.store("space", KEYS, VALUES, facts=FACTS)
    make_old(own_caches)
    listed = upkeep.remade("features")
    assert upkeep.shrink(0).n_files == 1
    monkeypatch.setattr(upkeep, "remade", lambda room: listed)
    assert upkeep.shrink(0) == upkeep.Freed(0, 0)
