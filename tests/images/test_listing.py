import io
import sys

import pytest

from handful.core.config import ReadingConfig
from handful.core.errors import DataError, MissingExtraError
from handful.images import read
from handful.images.listing import read_table
from handful.testing.pictures import draw_folder

CONFIG = ReadingConfig()


@pytest.fixture
def folder(tmp_path):
    """Six pictures in one folder, as a table would list them."""
    draw_folder(tmp_path, classes=["images"], per_class=6, size=8)
    return tmp_path


def write(folder, *lines, name="labels.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(labels="aaabbb", separator=","):
    return [f"images/{i:03d}.png{separator}{label}" for i, label in enumerate(labels)]


def codes(table):
    return [finding.code for finding in table.findings]


@pytest.mark.parametrize(("separator", "name"), [(",", "labels.csv"), (";", "labels.csv"), ("\t", "labels.tsv")])
@pytest.mark.parametrize(("path", "label"), [("path", "label"), ("Filename", "CLASS"), (" image ", "Target")])
def test_separators_and_names_of_columns_are_found(folder, separator, name, path, label):
    table = read(write(folder, f"{path}{separator}{label}", *rows(separator=separator), name=name), CONFIG)
    assert table.classes == ("a", "b")
    assert [(picture.path, picture.label) for picture in table.pictures] == [
        (f"images/{i:03d}.png", int(i > 2)) for i in range(6)
    ]
    assert (table.skipped, table.findings) == ((), ())


def test_the_byte_order_mark_quotes_and_windows_lines_of_spreadsheets_are_read(folder):
    path = folder / "labels.csv"
    lines = ['"path","label"', *(row.replace("/", "\\") for row in rows())]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert len(read(path, CONFIG).pictures) == 6


def test_groups_and_parts_of_a_table_are_kept(folder):
    lines = [
        f"{row},{group},{part}"
        for row, group, part in zip(rows(), "112233", ["train", "Training", "TEST"] * 2, strict=True)
    ]
    table = read(write(folder, "path,label,group,split", *lines), CONFIG)
    assert [picture.group for picture in table.pictures] == list("112233")
    assert [picture.part for picture in table.pictures] == ["train", "train", "test"] * 2


def test_a_validation_part_alone_is_the_test_part_and_this_is_said(folder):
    lines = [f"{row},{part}" for row, part in zip(rows(), ["train", "train", "val"] * 2, strict=True)]
    table = read(write(folder, "path,label,subset", *lines), CONFIG)
    assert [picture.part for picture in table.pictures] == ["train", "train", "test"] * 2
    assert codes(table) == ["validation-as-test"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "labels.csv is empty"),
        (["path,label"], "has a header and no rows"),
        (["name,label", "x,a"], r"no column path; its header is 'name, label'"),
        (["a,b", "x,a"], "no column path and no column label"),
        (["path,label", "images/000.png,"], "no row of labels.csv has a label"),
        (
            ["path,label", *rows(), "images/000.png,b"],
            r"contradicting rows .*000.png \(rows 2 and 8: label 'a' and 'b'\)",
        ),
        (["path,label", "images/000.png,a,extra"], "row 2 of labels.csv has 3 cells, and the header has 2"),
        (["path,label", ",a"], "row 2 of labels.csv names no picture"),
        (["path,label,split", "images/000.png,a,learn"], "row 2 of labels.csv has the split 'learn'"),
        (["path,label", '"images/000.png,a'], "not a readable table: line"),
        (["path,label", *rows("aaaaaa")], "one class, 'a'"),
        (["path,label", *rows("aaaAAA")], "'A' and 'a'"),
        (["path,label", *rows("aaaaab")], "class 'b' has 1 image"),
    ],
)
def test_faults_of_a_table_are_errors(folder, lines, reason):
    with pytest.raises(DataError, match=reason):
        read(write(folder, *lines), CONFIG)


def test_text_that_is_not_utf8_is_an_error(folder):
    (folder / "labels.csv").write_bytes("path,label\nimages/000.png,caf\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"labels.csv is not UTF-8 text.*Save it as UTF-8"):
        read(folder / "labels.csv", CONFIG)


def test_equal_rows_count_once_with_a_finding(folder):
    table = read(write(folder, "path,label", *rows(), *rows()[:2]), CONFIG)
    assert (len(table.pictures), codes(table)) == (6, ["duplicate-rows"])


def test_rows_without_a_label_are_listed_and_not_used(folder):
    table = read(write(folder, "path,label", *rows("aab bb".replace(" ", " "))[:5], "images/005.png,"), CONFIG)
    assert [(skipped.path, skipped.reason) for skipped in table.skipped][-1] == (
        "images/005.png",
        "row 7 of labels.csv has no label",
    )
    assert "no-label" in codes(table)


def test_pictures_that_are_not_listed_are_a_finding(folder):
    table = read(write(folder, "path,label", *rows("aabb")), CONFIG)
    assert [skipped.path for skipped in table.skipped] == ["images/004.png", "images/005.png"]
    assert {skipped.reason for skipped in table.skipped} == {"not listed in labels.csv"}
    assert codes(table) == ["unlisted"]


def test_listed_files_that_do_not_exist_are_skipped_or_stop_the_run(folder):
    path = write(folder, "path,label", *rows(), "images/gone.png,a")
    with pytest.raises(DataError, match=r"1 of 7 pictures .*images/gone.png \(there is no such file\)"):
        read(path, CONFIG)
    table = read(path, ReadingConfig(max_unreadable=0.5))
    assert [(one.path, one.reason) for one in table.skipped] == [("images/gone.png", "there is no such file")]


def test_absolute_paths_and_a_table_beside_the_pictures_folder_work(folder):
    table = read(write(folder, "path,label", *(f"{folder}/{row}" for row in rows())), CONFIG)
    assert table.pictures[0].path == "images/000.png"
    tables = folder / "tables"
    tables.mkdir()
    table = read(write(tables, "path,label", *(f"../{row}" for row in rows())), CONFIG)
    assert len(table.pictures) == 6


@pytest.mark.parametrize("kind", ["zip", "gztar"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_table_with_its_pictures_may_come_in_an_archive(folder, tmp_path_factory, kind, wrapped):
    import shutil

    write(folder, "path,label", *rows())
    place = tmp_path_factory.mktemp("archives")
    if wrapped:
        shutil.move(folder, place / "wrapper" / "data")
        folder = place / "wrapper"
    archive = shutil.make_archive(str(place / "all"), kind, folder)
    table = read(type(place)(archive), CONFIG)
    assert table.classes == ("a", "b")
    assert len(table.pictures) == 6


def test_a_path_out_of_an_archive_is_an_error(folder, tmp_path_factory):
    import shutil

    write(folder, "path,label", *rows(), "../secret.png,a")
    archive = shutil.make_archive(str(tmp_path_factory.mktemp("archives") / "all"), "zip", folder)
    with pytest.raises(DataError, match=r"row 8 \(\.\./secret.png\) of labels.csv points outside the table's folder"):
        read(type(folder)(archive), CONFIG)


def test_a_table_beside_class_folders_is_just_another_file(tmp_path):
    draw_folder(tmp_path, per_class=2, size=8)
    write(tmp_path, "path,label", "x,y")
    table = read(tmp_path, CONFIG)
    assert (table.classes, codes(table)) == (("circle", "square", "triangle"), ["other-files"])


def test_parquet_tables_are_read_like_text(folder):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"Path": [f"images/{i:03d}.png" for i in range(6)], "label": [1.0, 1, 1, 2, 2, None], "other": [[1]] * 6}
    parquet.write_table(pyarrow.table(columns), folder / "labels.parquet")
    table = read(folder / "labels.parquet", CONFIG)
    assert table.classes == ("1", "2")
    assert len(table.pictures) == 5
    assert codes(table) == ["no-label"]
    (folder / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"broken.parquet cannot be read as a Parquet table"):
        read(folder / "broken.parquet", CONFIG)


def test_without_the_extra_a_parquet_table_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'handful\[parquet\]'"):
        read_table(io.BytesIO(b"PAR1").getvalue(), "labels.parquet")
