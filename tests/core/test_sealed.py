import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handful.core.errors import BundleError
from handful.core.files import write_bytes, write_json
from handful.core.remembered import recall, remember
from handful.core.sealed import (
    changed,
    find_named,
    named_by_hash,
    read_manifest,
    read_sealed,
    read_verified,
    sealed,
    write_manifest,
    write_sealed,
)
from handful.testing.damage import damages

VALUE = {"b": [1, 2.5, None, "ü"], "a": {"nested": True}, "seven": 7e-300, "empty": []}


def found(folder):
    """Returns what is wrong with a folder."""
    try:
        return changed(folder)
    except BundleError as error:
        return str(error)


def a_run(folder):
    write_bytes(folder / "model" / "weights", b"weights" * 9)
    write_json(folder / "model" / "manifest.json", {"weights": "as the bundle writes it"})
    write_bytes(folder / "figures" / "one.png", b"png")
    write_manifest(folder)
    return folder


def test_sealed_values_come_back(tmp_path):
    write_sealed(tmp_path / "value", VALUE)
    assert read_sealed(tmp_path / "value") == VALUE
    assert list(read_sealed(tmp_path / "value")) == list(VALUE)


@given(st.dictionaries(st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers()))
@settings(max_examples=50, deadline=None)
def test_any_values_come_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(sealed(value))
    assert read_sealed(path) == {name: each for name, each in value.items() if name != "seal"}


def test_every_byte_of_sealed_values_counts(tmp_path):
    path = tmp_path / "value"
    remember(path, VALUE)
    assert recall(path) == VALUE
    whole = path.read_bytes()
    n_damages = 0
    for data in damages(whole, places=range(len(whole))):
        path.write_bytes(data)
        with pytest.raises((ValueError, RecursionError)):
            read_sealed(path)
        assert recall(path) == {}
        n_damages += 1
    assert n_damages == 3 * len(whole) + 2


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"null", b"\xff", b'{"seal": 1}'])
def test_what_was_never_sealed_is_refused(tmp_path, text):
    (tmp_path / "value").write_bytes(text)
    with pytest.raises(ValueError, match=r"JSON|codec|Expecting|SHA-256"):
        read_sealed(tmp_path / "value")


def test_a_manifest_covers_every_file_of_a_folder(tmp_path):
    folder = a_run(tmp_path / "run")
    assert list(read_manifest(folder / "manifest.json")) == ["figures/one.png", "model/manifest.json"]
    assert [path.name for path in changed(folder)] == ["weights"]  # whose hash is not the bundle's
    (folder / "figures" / "one.png").unlink()
    assert [path.name for path in changed(folder)] == ["one.png", "weights"]


def test_every_byte_of_a_manifest_counts(tmp_path):
    folder = a_run(tmp_path / "run")
    manifest = folder / "manifest.json"
    whole = manifest.read_bytes()
    before = found(folder)
    for data in damages(whole, places=range(len(whole))):
        manifest.write_bytes(data)
        assert found(folder) != before


def test_a_file_is_checked_where_there_is_a_manifest(tmp_path):
    folder = a_run(tmp_path / "run")
    one = folder / "figures" / "one.png"
    assert read_verified(folder, "figures/one.png") == b"png"
    one.write_bytes(b"pnG")
    with pytest.raises(BundleError, match=r"one.png changed since it was written.*Copy the run folder again"):
        read_verified(folder, "figures/one.png")
    os.unlink(folder / "manifest.json")  # noqa: PTH108
    assert read_verified(folder, "figures/one.png") == b"pnG"


def test_a_file_named_by_its_hash_is_found_until_it_changes(tmp_path):
    assert find_named(tmp_path / "key.tar") is None
    write_bytes(tmp_path / "key.tar", b"content")
    named = named_by_hash(tmp_path / "key.tar")
    assert find_named(tmp_path / "key.tar") == named
    for data in damages(b"content", places=range(7)):
        named.write_bytes(data)
        assert find_named(tmp_path / "key.tar") is None
        assert list(tmp_path.iterdir()) == []
