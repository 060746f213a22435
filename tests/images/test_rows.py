"""Pictures in the rows of Parquet tables: found, read in any order in little memory, placed by the other columns."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from handful import images
from handful.api.answering import PORTION
from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.images import UnreadableError, open_place, remote
from handful.images.rows import BATCH, HELD
from handful.images.survey import survey
from handful.testing.pictures import draw_folder

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")

FILES = [f"\x89PNG {number}".encode("latin-1") * (number % 5 + 1) for number in range(HELD + 200)]
STRUCTS = [{"bytes": data, "path": None} for data in FILES]


def write(path, columns, *, group=100, names=()):
    table = pyarrow.table(columns)
    if names:
        features = ", ".join(f'"{name}"' for name in names)
        told = f'{{"info": {{"features": {{"label": {{"names": [{features}], "_type": "ClassLabel"}}}}}}}}'
        table = table.replace_schema_metadata({"huggingface": told})
    parquet.write_table(table, path, row_group_size=group)
    return path


def read(found):
    return found.source.read(found.inner)


@pytest.mark.parametrize("values", [STRUCTS, FILES], ids=["as Hugging Face writes", "bytes"])
@pytest.mark.parametrize("group", [7, 100, 10_000])
def test_every_row_is_a_picture_by_its_number(tmp_path, monkeypatch, values, group):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "new.parquet", {"label": range(len(values)), "image": values}, group=group)
    place = open_place(remote.path_or_address("new.parquet"))
    found = list(place.find())
    assert [each.name for each in found] == [f"new.parquet#{row}" for row in range(len(FILES))]
    assert [each.inner for each in found] == sorted(each.inner for each in found) == list(place.source.names())
    assert list(map(read, found)) == FILES
    anyhow = random.Random(1).sample(range(len(FILES)), 60)
    assert [read(found[row]) for row in anyhow] == [FILES[row] for row in anyhow]


def test_many_threads_get_the_rows_that_they_ask_for(tmp_path):
    found = list(open_place(write(tmp_path / "new.parquet", {"image": STRUCTS})).find())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, found)) == FILES


def test_no_more_is_held_than_a_portion_and_what_is_held_is_read_once(tmp_path):
    place = open_place(write(tmp_path / "new.parquet", {"image": STRUCTS}, group=10_000))
    opened, source = [], place.source
    source.open = lambda open_file=source.open: opened.append(1) or open_file()
    for portion in (FILES[:HELD], FILES[HELD:]):
        for _ in range(2):  # once for each network
            for row in map(FILES.index, portion):
                source.read(str(row))
                assert sum(len(batch) for _, batch in source.held) <= HELD + BATCH
    assert len(opened) == 1


@pytest.mark.parametrize("group", [10_000, 100])
def test_a_portion_that_begins_anywhere_is_read_once_too(tmp_path, group):
    values = [b"\xff%d" % number for number in range(3 * PORTION)]
    source = open_place(write(tmp_path / "new.parquet", {"image": values}, group=group)).source
    opened = []
    source.open = lambda open_file=source.open: opened.append(1) or open_file()
    for begin, end in pairwise((0, *range(PORTION - 24, len(values), PORTION), len(values))):
        for _ in range(2):
            assert [source.read(str(row)) for row in range(begin, end)] == values[begin:end]
    assert len(opened) == 1


def test_a_row_without_a_picture_and_one_that_is_damaged_say_so_and_cost_no_other(tmp_path):
    values = [b"\xffirst", None, *FILES]
    path = write(tmp_path / "new.parquet", {"image": values}, group=200)
    found = list(open_place(path).find())
    assert (read(found[0]), read(found[2])) == (b"\xffirst", FILES[0])
    with pytest.raises(UnreadableError, match="there are no bytes of a picture in this row"):
        read(found[1])
    place = parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[place : place + 20] = b"\xff" * 20
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match=r"cannot be read from .*new\.parquet"):
        read(found[250])
    assert (read(found[199]), read(found[401])) == (FILES[197], FILES[399])
    path.unlink()
    with pytest.raises(UnreadableError, match=r"cannot be read from .*new\.parquet.*No such file"):
        read(found[0])


@pytest.mark.parametrize(
    ("columns", "first"),
    [
        ({"path": ["a.png"], "thumbnail": [b"x"]}, "a.png"),
        ({"filename": [b"a.png"]}, "a.png"),
        ({"image": [b"a.png"]}, "a.png"),
        ({"Picture": [None, "ü/a.png".encode()], "mask": [b"x", b"y"]}, "ü/a.png"),
        ({"image": [b"a.png"], "content": [b"x"]}, "new.parquet#0"),
        ({"path": ["a.png"], "content": [b"x"]}, "new.parquet#0"),
        ({"mask": [{"bytes": b"y"}], "Image": [{"bytes": b"x"}]}, "new.parquet#0"),
        ({"jpg": [b"x"], "id": [1]}, "new.parquet#0"),
        ({"image.bytes": [b"x"], "image.path": ["a.png"]}, "new.parquet#0"),
    ],
)
def test_which_column_has_the_pictures(tmp_path, monkeypatch, columns, first):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "new.parquet", columns)
    (found,) = open_place(remote.path_or_address("new.parquet")).find()
    assert found.name == first
    assert "#" not in first or read(found) == b"x"


@pytest.mark.parametrize("first", [b"<svg>\n</svg>", b"BM\0", b"P" * 5000, b"\xff\xd8", b""])
def test_bytes_that_are_no_path_are_a_picture(tmp_path, first):
    (found,) = open_place(write(tmp_path / "new.parquet", {"image": [first]})).find()
    assert read(found) == first


def test_several_columns_and_none_say_what_is_expected(tmp_path):
    with pytest.raises(DataError, match=r"has the columns left, right of bytes.*Rename that one to 'image'"):
        open_place(write(tmp_path / "two.parquet", {"left": [b"x"], "right": [b"y"]}))
    with pytest.raises(DataError, match=r"no column path.*or in a Parquet table a column image of pictures' bytes"):
        list(open_place(write(tmp_path / "none.parquet", {"id": [1]})).find())


def test_a_table_at_an_address_is_read_as_on_a_disk_and_again_where_the_service_was_busy(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    files = fsspec.filesystem("memory")
    files.pipe_file("/tables/new.parquet", write(tmp_path / "new.parquet", {"image": STRUCTS}).read_bytes())
    place = open_place("memory://tables/new.parquet")
    found = list(place.find())
    assert found[3].name == "memory://tables/new.parquet#3"
    open_file, faults = place.source.open, iter([TimeoutError("busy"), ConnectionError("gone")])

    def busy():
        for fault in faults:
            raise fault
        return open_file()

    place.source.open = busy
    assert list(map(read, found)) == FILES
    write(tmp_path / "new.parquet", {"image": STRUCTS[:1]})
    files.pipe_file("/tables/new.parquet", (tmp_path / "new.parquet").read_bytes())
    assert open_place("memory://tables/new.parquet").stamp("0") != place.stamp("0")
    files.pipe_file("/tables/new.parquet", b"other")
    with pytest.raises(DataError, match=r"new\.parquet cannot be read as a Parquet table"):
        open_place("memory://tables/new.parquet")
    files.rm("/tables", recursive=True)
    with pytest.raises(DataError, match=r"memory://tables/new\.parquet: cannot be read: FileNotFoundError"):
        open_place("memory://tables/new.parquet")


@pytest.mark.parametrize("n_faults", [2, 9])
def test_what_a_service_raises_while_a_table_is_read_is_no_damage(tmp_path, monkeypatch, n_faults):
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    files = fsspec.filesystem("memory")
    files.pipe_file("/tables/new.parquet", write(tmp_path / "new.parquet", {"image": STRUCTS}).read_bytes())
    source, faults = open_place("memory://tables/new.parquet").source, []
    read_bytes = MemoryFile.read

    def refusing(stream, *n_bytes):
        if len(faults) < n_faults:
            faults.append(1)
            raise OSError("Forbidden: tables/new.parquet: the caller has no access")
        return read_bytes(stream, *n_bytes)

    monkeypatch.setattr(MemoryFile, "read", refusing)
    if n_faults < 3:
        assert source.read("0") == FILES[0]
        faults.clear()
        assert open_place("memory://tables/new.parquet").source.n_rows == len(FILES)
    else:
        for ask in (lambda: source.read("0"), lambda: open_place("memory://tables/new.parquet")):
            with pytest.raises(DataError, match=r"cannot be read: ReadingError: Forbidden: .*your credentials"):
                ask()


def test_a_table_of_paths_that_a_service_refuses_on_the_way_is_not_to_be_written_again(tmp_path, monkeypatch):
    files = fsspec.filesystem("memory")
    table = write(tmp_path / "list.parquet", {"path": [f"{number}.png" for number in range(500)]}).read_bytes()
    files.pipe_file("/tables/list.parquet", table)
    found = open_place("memory://tables/list.parquet").find()
    monkeypatch.setattr(MemoryFile, "read", lambda stream, *n_bytes: (_ for _ in ()).throw(OSError("Forbidden")))
    with pytest.raises(DataError, match=r"cannot be read to its end: ReadingError: Forbidden\. Check the network"):
        list(found)


def test_the_limit_on_size_holds_for_rows_too(tmp_path):
    photos = draw_folder(tmp_path / "photos", classes=("a", "b"), per_class=10, size=8)
    columns = {"image": [path.read_bytes() for path in sorted(photos.rglob("*.png"))], "label": [*"ab" * 10]}
    columns["image"][7] += bytes(100_000)
    path = write(tmp_path / "data.parquet", columns)
    config = ReadingConfig(max_file_mb=0.1)
    assert [one.path for one in images.read(path, config).skipped] == ["07"]
    found = list(open_place(path).find())
    assert images.read_unchecked(found[6], config, full_scale=255).shape == (8, 8, 3)
    with pytest.raises(UnreadableError, match=r"0\.1 MB; the limit is 0\.1 MB \(--max-file-mb\)"):
        images.read_unchecked(found[7], config, full_scale=255)


def test_labels_groups_and_parts_come_from_the_other_columns(tmp_path):
    columns = {
        "image": STRUCTS[:4],
        "label": [1, 0, -1, 1],
        "group": ["a", "a", "", "b"],
        "split": ["train"] * 3 + ["test"],
    }
    source, layout = survey(write(tmp_path / "data.parquet", columns, names=("cat", "dog")))
    assert [(one.name, one.class_name, one.part, one.group) for one in layout.placed] == [
        ("0", "dog", "train", "a"), ("1", "cat", "train", "a"), ("3", "dog", "test", "b"),
    ]  # fmt: skip
    assert [source.read(one.name) for one in layout.placed] == [FILES[0], FILES[1], FILES[3]]
    assert [finding.code for finding in layout.findings] == ["no-label"]
    with pytest.raises(DataError, match=r"has no column label.*Expected the column label"):
        survey(write(tmp_path / "data.parquet", {"image": STRUCTS[:4]}))


@pytest.mark.parametrize("use_dictionary", [True, False])
def test_labels_that_are_damaged_are_told_like_any_damaged_table(tmp_path, use_dictionary):
    path, table = tmp_path / "data.parquet", pyarrow.table({"image": FILES, "label": ["cat"] * len(FILES)})
    parquet.write_table(table, path, use_dictionary=use_dictionary)
    column = parquet.ParquetFile(path).metadata.row_group(0).column(1)
    place = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(path.read_bytes())
    data[place : place + 20] = b"\xff" * 20
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"data\.parquet cannot be read as a Parquet table: .*Write it again\."):
        survey(path)
