"""`handful cache`, typed as a user does."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

from handful.core.files import sha256_bytes
from handful.features import cache
from tests.journeys.conftest import handful_command

KEYS = [sha256_bytes(bytes([index])) for index in range(5)]
FACTS = {"backbone": "toy", "tap": "pool", "preprocessing": {"size": 64}, "precision": "float32", "view": "plain"}
LONG_AGO = time.time() - 3 * 24 * 3600


@pytest.fixture
def command(monkeypatch, capsys):
    return lambda *arguments: handful_command(monkeypatch, capsys, "cache", *arguments)


@pytest.fixture
def filled(own_caches):
    """Two feature spaces of 3 kB each, the second one used later, and downloaded weights."""
    for age, view in enumerate(("mirror", "plain")):
        cache.store(view, KEYS, np.zeros((5, 128), dtype=np.float32), facts={**FACTS, "view": view})
        for path in (own_caches / "features" / view).glob("*.safetensors"):
            os.utime(path, (LONG_AGO + age, LONG_AGO + age))
    (own_caches / "weights").mkdir()
    (own_caches / "weights" / "net.pth").write_bytes(b"12345")
    return own_caches


def test_the_table_says_what_there_is_how_large_and_how_to_change_it(command, filled):
    code, out, _ = command()
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["kept", "features", "weights"]
    assert "what networks made of your pictures" in out
    rows = [line.split() for line in out.splitlines() if line.startswith("toy")]
    assert {row[5] for row in rows} == {"mirror", "plain"}
    assert [row[:5] for row in rows] == [["toy", "pool", "64", "px", "float32"]] * 2
    assert [row[6] for row in rows] == ["5", "5"]
    assert str(filled) in out
    assert "Features take 10 GB at most" in out
    assert "HANDFUL_CACHE_LIMIT" in out


def test_an_empty_cache_is_said_to_be_empty(command):
    code, out, _ = command()
    assert (code, out.splitlines()[0]) == (0, "Nothing is kept yet.")


def test_many_kinds_are_cut_short_for_people_and_whole_for_programs(command):
    for number in range(25):
        cache.store(f"{number}", KEYS[:1], np.zeros((1, 4), np.float32), facts={**FACTS, "tap": f"tap{number}"})
    _, out, _ = command()
    assert out.count("toy") == 20
    assert "... and 5 more kinds of features; --json lists all" in out
    assert len(json.loads(command("--json")[1])["features"]) == 25


def test_json_says_all_of_it_in_numbers(command, filled, monkeypatch):
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", "500MB")
    code, out, _ = command("--json")
    told = json.loads(out)
    assert code == 0
    assert (told["folder"], told["limit_bytes"]) == (str(filled), 500_000_000)
    assert told["n_bytes"] == sum(path.stat().st_size for path in filled.rglob("*") if path.is_file())
    assert [(room["name"], room["n_files"]) for room in told["rooms"]] == [("features", 4), ("weights", 1)]
    assert {(kind["network"], kind["view"], kind["n_rows"]) for kind in told["features"]} == {
        ("toy", "mirror", 5),
        ("toy", "plain", 5),
    }
    assert told["features"][0]["last_used"].startswith(time.strftime("%Y-%m-%dT", time.gmtime(LONG_AGO)))


def test_clear_says_what_it_freed_and_leaves_the_weights(command, filled):
    code, out, _ = command("--clear")
    assert code == 0
    assert out.startswith("Freed ")
    assert out.endswith("in 4 files: all that can be computed again; 5 bytes remain in the cache.\n")
    assert [path.name for path in filled.rglob("*") if path.is_file()] == ["net.pth"]
    assert command("--clear")[1] == "Freed nothing; 5 bytes remain in the cache.\n"


def test_keep_removes_what_was_not_used_for_longest(command, filled):
    code, out, _ = command("--keep", "4KB", "--json")
    told = json.loads(out)
    assert (code, told["n_files"], told["n_stuck"]) == (0, 1, 0)
    assert told["n_bytes"] > 5 * 128 * 4
    assert [path.name for path in (filled / "features").iterdir()] == ["plain"]


def test_both_at_once_are_refused(command, filled):
    code, _, err = command("--clear", "--keep", "4KB")
    assert (code, "Give one of the two" in err) == (2, True)
    assert len(list(filled.rglob("*.safetensors"))) == 2


def test_a_size_that_is_none_is_refused(command, filled):
    code, _, err = command("--keep", "some")
    assert (code, "keep is 'some'; expected a size such as 500MB or 20GB, or 0." in err) == (2, True)
    assert len(list(filled.rglob("*.safetensors"))) == 2


def test_a_limit_that_is_no_size_is_refused_and_clearing_still_works(command, filled, monkeypatch):
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", "much")
    code, out, err = command("--json")
    assert (code, json.loads(out)["exit_code"]) == (2, 2)
    assert "HANDFUL_CACHE_LIMIT is 'much'; expected a size" in err
    assert command("--clear")[0] == 0
