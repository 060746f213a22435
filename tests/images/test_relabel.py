import pytest

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.images import read
from handful.testing.pictures import draw_folder


@pytest.fixture
def photos(tmp_path):
    return draw_folder(tmp_path / "photos", classes=["cat", "dog"], per_class=4, size=24)


def labelled(photos, *rows, header="path,label", name="fixed.csv"):
    """Returns the data set as it is read with a table of labels that has these rows."""
    file = photos.parent / name
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read(photos, ReadingConfig(labels=(str(file),)))


def classes_of(table):
    return {picture.path: table.classes[picture.label] for picture in table.pictures}


def test_listed_pictures_get_the_label_of_the_table_and_the_others_keep_theirs(photos):
    table = labelled(photos, "cat/000.png,dog", "dog/001.png,dog")
    classes = classes_of(table)
    assert classes.pop("cat/000.png") == "dog"
    assert all(path.startswith(name) for path, name in classes.items())
    (finding,) = (each for each in table.findings if each.code == "labels")
    assert "changes 1 label (cat/000.png from cat to dog), confirms 1 label." in finding.message


def test_an_empty_label_leaves_the_picture_out_and_lists_it_as_skipped(photos):
    table = labelled(photos, "cat/000.png,")
    assert "cat/000.png" not in classes_of(table)
    assert [(each.path, each.reason) for each in table.skipped] == [("cat/000.png", "its label in fixed.csv is empty")]


def test_more_columns_and_the_semicolons_of_a_spreadsheet_do_not_matter(photos):
    header = "path;label;suggested;probability;rank"
    table = labelled(photos, "cat/000.png;dog;dog;0.9;1", header=header)
    assert classes_of(table)["cat/000.png"] == "dog"


def test_of_several_tables_the_last_wins(photos):
    files = []
    for number, row in enumerate(("cat/000.png,dog\ncat/001.png,dog", "cat/000.png,cat")):
        files.append(photos.parent / f"{number}.csv")
        files[-1].write_text(f"path,label\n{row}\n")
    table = read(photos, ReadingConfig(labels=tuple(map(str, files))))
    assert (classes_of(table)["cat/000.png"], classes_of(table)["cat/001.png"]) == ("cat", "dog")


def test_cells_that_are_protected_from_spreadsheets_mean_what_they_protect(tmp_path):
    photos = draw_folder(tmp_path / "photos", classes=["=cat", "'dog"], per_class=4, size=24)
    table = labelled(photos, "'=cat/000.png,''dog")
    assert classes_of(table)["=cat/000.png"] == "'dog"


def test_labels_count_before_classes_are_chosen(photos):
    file = photos.parent / "fixed.csv"
    draw_folder(photos, classes=["bird"], per_class=4, size=24)
    file.write_text("path,label\nbird/000.png,cat\n")
    table = read(photos, ReadingConfig(labels=(str(file),), classes=("cat", "dog")))
    assert len(table.pictures) == 9


def test_a_correction_lets_no_other_picture_in(photos):
    file = photos.parent / "fixed.csv"
    file.write_text("path,label\ncat/000.png,dog\ncat/003.png,dog\n")
    table = read(photos, ReadingConfig(labels=(str(file),), per_class=3))
    expected = {f"{name}/{number:03d}.png" for name in ("cat", "dog") for number in range(3)}
    assert {picture.path for picture in table.pictures} == expected
    assert classes_of(table)["cat/000.png"] == "dog"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["cat/001.jpg,dog"], r"row 2 of .*fixed.csv names 'cat/001.jpg', which is no .*Did you mean 'cat/001.png'"),
        (["cat/000.png,dig"], r"gives 'cat/000.png' the label 'dig'.*no such class. Did you mean 'dog'"),
        (["cat/000.png,dog", "cat/000.png,cat"], r"row 3 of .* the label 'cat', and a row above it 'dog'"),
    ],
)
def test_faults_of_the_table_are_errors_that_name_the_row(photos, rows, reason):
    with pytest.raises(DataError, match=reason):
        labelled(photos, *rows)


def test_a_table_of_no_doubtful_label_changes_nothing_and_says_so(photos):
    table = labelled(photos, header="path,label,suggested,probability,rank", name="suspects.csv")
    assert all(path.startswith(name) for path, name in classes_of(table).items())
    (finding,) = (each for each in table.findings if each.code == "labels")
    assert finding.message.endswith("suspects.csv names no picture.")


def test_a_table_that_is_not_there_or_has_no_such_columns_is_an_error(photos):
    with pytest.raises(DataError, match=r"nowhere.csv cannot be read: No such file"):
        read(photos, ReadingConfig(labels=("nowhere.csv",)))
    with pytest.raises(DataError, match="has no column label"):
        labelled(photos, "cat/000.png,dog", header="path,suggested")


def test_emptying_a_class_is_refused_as_a_class_that_is_too_small(photos):
    with pytest.raises(DataError, match="class 'cat' has 1 image"):
        labelled(photos, *(f"cat/{number:03d}.png," for number in range(3)))
