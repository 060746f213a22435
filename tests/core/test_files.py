import json
import os

import numpy as np
import pytest

from handful.core.errors import ConfigError, HandfulError
from handful.core.files import (
    cache_folder,
    cache_limit,
    check_cache,
    dump_json,
    move,
    remove_unfinished,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_json,
)


def test_a_file_is_written_whole_and_flushed_in_the_right_order(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _n=name, _o=original, **k: (calls.append(_n), _o(*a, **k))[1])
    write_bytes(tmp_path / "new" / "file.bin", b"content")
    assert (tmp_path / "new" / "file.bin").read_bytes() == b"content"
    assert calls == ["fsync", "fsync", "replace", "fsync"]  # the new folder's name, the file, its name


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "file.bin"
    write_bytes(target, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HandfulError, match=r"could not write .*file.bin: No space left"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_json_has_no_nan_and_reads_back(tmp_path):
    write_json(tmp_path / "value.json", {"a": np.float64("nan"), "b": np.arange(3), "c": (1.5, None), "d": tmp_path})
    assert json.loads((tmp_path / "value.json").read_text()) == {
        "a": None,
        "b": [0, 1, 2],
        "c": [1.5, None],
        "d": str(tmp_path),
    }
    assert dump_json({"infinite": float("inf")}) == '{"infinite": null}'


def test_hashes_of_bytes_and_files_agree(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == sha256_bytes(b"abc")
    assert sha256_bytes(b"abc").startswith("ba7816bf")  # FIPS 180-2, appendix B.1


def test_the_cache_variable_moves_every_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path))
    assert cache_folder("features") == tmp_path / "features"


def test_features_may_take_ten_gigabytes_unless_a_variable_says_otherwise(monkeypatch):
    monkeypatch.delenv("HANDFUL_CACHE_LIMIT", raising=False)
    assert cache_limit() == 10**10
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", "500MB")
    assert cache_limit() == 5 * 10**8


def test_a_limit_that_is_no_size_is_said_before_any_work(monkeypatch, own_caches):
    monkeypatch.setenv("HANDFUL_CACHE_LIMIT", "much")
    with pytest.raises(ConfigError, match="HANDFUL_CACHE_LIMIT is 'much'; expected a size"):
        check_cache()


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path):
    names = (".a.json.0123456789abcdef.tmp", "sub/.b.0123456789abcdef.tmp", "a.json", ".c.tmp", "d.tmp", ".e.0123.tmp")
    for name in names:
        write_bytes(tmp_path / name, b"x")
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a.json", ".c.tmp", "d.tmp", ".e.0123.tmp"}


def test_a_file_that_moves_takes_the_place_of_another_in_a_new_folder_too(tmp_path):
    write_bytes(tmp_path / "from", b"new")
    move(tmp_path / "from", tmp_path / "new" / "to")
    write_bytes(tmp_path / "again", b"newer")
    move(tmp_path / "again", tmp_path / "new" / "to")
    assert (tmp_path / "new" / "to").read_bytes() == b"newer"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
