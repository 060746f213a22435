"""Pictures at addresses: found, read and refused like those on a disk, by whatever fsspec has a library for."""

from __future__ import annotations

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.images import UnreadableError, open_place, path_or_address, read_unchecked, remote
from handful.testing.pictures import draw_folder


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """The address of a folder in an object store of this process, and the same folder on the disk."""
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    folder = draw_folder(tmp_path / "new", classes=("b", "a/deep"), per_class=2, size=8)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"hidden")
    files = fsspec.filesystem("memory")
    for path in folder.rglob("*.*"):
        files.pipe_file(f"/bucket/new/{path.relative_to(folder).as_posix()}", path.read_bytes())
    yield "memory://bucket/new", folder
    files.rm("/bucket", recursive=True)


def test_texts_are_addresses_or_paths(tmp_path):
    for address in ("s3://bucket/new", "gs://b", "az://c/x", "https://host/a?b=c"):
        assert path_or_address(address) == address
    for path in ("new", "a/b", "C:/pictures", "s3:/x", str(tmp_path)):
        assert str(path_or_address(path)) == path


@pytest.mark.parametrize("end", ["", "/"])
def test_a_folder_in_a_store_has_the_pictures_that_it_has_on_a_disk(stored, end):
    address, folder = stored
    there, here = open_place(address + end), open_place(folder)
    found = list(there.find())
    assert [each.inner for each in found] == [each.inner for each in here.find()]
    assert [each.name for each in found] == [f"{address}/{each.inner}" for each in here.find()]
    for each in found:
        assert each.source.read(each.inner) == here.source.read(each.inner)
        assert each.source.size(each.inner) == here.source.size(each.inner)


def test_files_and_addresses_with_file_are_the_same(stored):
    _, folder = stored
    there = open_place(f"file://{folder}")
    assert [each.inner for each in there.find()] == [each.inner for each in open_place(folder).find()]


def test_a_changed_file_has_another_stamp(stored):
    address, _ = stored
    place = open_place(address)
    before = {each.inner: place.stamp(each.inner) for each in place.find()}
    fsspec.filesystem("memory").pipe_file("/bucket/new/b/000.png", b"other")
    after = {each.inner: place.stamp(each.inner) for each in place.find()}
    assert {name for name in before if before[name] != after[name]} == {"b/000.png"}


def test_a_table_in_a_store_names_pictures_below_its_folder_or_by_address(stored):
    address, _ = stored
    rows = f"path\nb/000.png\n{address}/a/deep/001.png\n"
    fsspec.filesystem("memory").pipe_file("/bucket/new/list.csv", rows.encode())
    place = open_place(f"{address}/list.csv")
    found = list(place.find())
    assert [each.name for each in found] == ["b/000.png", f"{address}/a/deep/001.png"]
    other = open_place(address).source
    assert [each.source.read(each.inner) for each in found] == [other.read("b/000.png"), other.read("a/deep/001.png")]


def test_one_picture_has_an_address_too(stored):
    address, _ = stored
    (found,) = open_place(f"{address}/b/001.png").find()
    assert found.name == f"{address}/b/001.png"
    assert found.source.read(found.inner).startswith(b"\x89PNG")


def test_a_missing_picture_is_unreadable_and_a_missing_folder_is_told(stored):
    address, _ = stored
    with pytest.raises(UnreadableError, match="cannot be read: FileNotFoundError"):
        open_place(address).source.read("b/999.png")
    with pytest.raises(DataError, match=r"memory://bucket/other: cannot be read.*Expected a folder of pictures"):
        open_place("memory://bucket/other")


def test_a_service_that_answers_at_times_is_asked_again_and_one_that_never_does_stops_the_work(stored, monkeypatch):
    address, _ = stored
    source, faults = open_place(address).source, iter([TimeoutError("busy"), ConnectionError("gone")])
    read = source.files.cat_file

    def busy(path):
        for fault in faults:
            raise fault
        return read(path)

    monkeypatch.setattr(source.files, "cat_file", busy)
    assert source.read("b/000.png")
    faults = iter([TimeoutError("busy")] * 3)
    with pytest.raises(DataError, match=r"b/000\.png cannot be read: TimeoutError: busy.*asked for 3 times"):
        source.read("b/000.png")


def test_the_limit_on_size_holds_where_a_service_tells_no_size(stored, monkeypatch):
    (found,) = open_place(f"{stored[0]}/b/000.png").find()
    monkeypatch.setattr(found.source.files, "size", lambda path: None)
    with pytest.raises(UnreadableError, match="--max-file-mb"):
        read_unchecked(found, ReadingConfig(max_file_mb=1e-5), full_scale=255)
    assert read_unchecked(found, ReadingConfig(), full_scale=255).shape == (8, 8, 3)


class NoCredentialsError(Exception):
    """What the library of S3 raises; others have errors of such names too."""


class ClientError(Exception):
    """What it raises for an answer of the service."""


def refused():
    error, cause = PermissionError("Access denied"), ClientError()
    cause.response, error.__cause__ = {"Error": {"Code": "ExpiredToken"}}, cause
    return error


@pytest.mark.parametrize(
    "fault", [NoCredentialsError("Unable to locate"), PermissionError("The token has expired."), refused()]
)
def test_without_valid_credentials_the_work_stops_at_once_and_no_picture_is_blamed(stored, monkeypatch, fault):
    address, _ = stored
    monkeypatch.setattr(remote, "PAUSES", (1e6,))
    source = open_place(address).source

    def refusing(path):
        raise fault

    monkeypatch.setattr(source.files, "cat_file", refusing)
    with pytest.raises(DataError, match=r"b/000\.png cannot be read: .*your credentials \(AWS_ACCESS_KEY_ID"):
        source.read("b/000.png")
    monkeypatch.setattr(source.files, "cat_file", lambda path: (_ for _ in ()).throw(PermissionError("Forbidden")))
    with pytest.raises(UnreadableError, match="PermissionError: Forbidden"):
        source.read("b/000.png")


@pytest.mark.parametrize("fault", [FileNotFoundError, PermissionError])
@pytest.mark.parametrize("name", ["expired/gone.png", "the token has expired/gone.png"])
def test_a_picture_whose_path_has_the_words_of_such_a_fault_costs_no_other(stored, monkeypatch, fault, name):
    source = open_place(stored[0]).source

    def refusing(path):
        raise fault(path)

    monkeypatch.setattr(source.files, "cat_file", refusing)
    with pytest.raises(UnreadableError, match=f"{fault.__name__}: .*{name}"):
        source.read(name)


def test_a_library_that_refuses_the_address_is_quoted_with_what_to_set(monkeypatch):
    def refusing(*given, **settings):
        raise ValueError("Must provide either a connection_string or account_name with credentials!")

    monkeypatch.setattr(MemoryFileSystem, "_strip_protocol", refusing)
    with pytest.raises(DataError, match=r"cannot be opened: ValueError: Must provide.*AZURE_STORAGE_CONNECTION_STRING"):
        open_place("memory://bucket/new")


@pytest.mark.parametrize("address", ["nothing-known://bucket/new", "adl://x/y"])
def test_an_address_without_its_library_says_what_to_install(address):
    with pytest.raises(DataError, match=r"cannot be opened: .*adlfs \(az://\).*pip install it on every machine"):
        open_place(address)
