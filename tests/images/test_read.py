"""Each row of the table in docs/data.md, and what a reading must give whatever the number of threads."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handful.core.config import ReadingConfig
from handful.core.errors import ConfigError, DataError
from handful.images import check, open_source, pixels, read
from handful.testing.pictures import draw_folder
from tests.quick import quickest

CONFIG = ReadingConfig()
SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10-jpeg-sample.zip"


def codes(table):
    return [finding.code for finding in table.findings]


def message(table, code):
    [found] = [finding.message for finding in table.findings if finding.code == code]
    return found


def touch(path, value=0, kind=None):
    """Saves a small picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (value % 256, value // 256 % 256, 7)).save(path, kind)


@pytest.fixture
def photos(tmp_path):
    return draw_folder(tmp_path / "photos", per_class=4, size=16)


def test_a_folder_of_class_folders_becomes_a_table(photos):
    table = read(photos, CONFIG)
    assert table.classes == ("circle", "square", "triangle")
    assert [picture.path for picture in table.pictures[:5]] == [
        *(f"circle/{i:03d}.png" for i in range(4)),
        "square/000.png",
    ]
    np.testing.assert_array_equal(table.labels, np.repeat([0, 1, 2], 4))
    assert (table.root, table.skipped, table.findings) == (photos, (), ())
    first = table.pictures[0]
    assert (first.width, first.height, first.part, first.group, first.notes) == (16, 16, "", "", ())
    np.testing.assert_array_equal(pixels(table, first), np.asarray(Image.open(photos / first.path)))


def test_the_result_does_not_depend_on_the_number_of_threads(photos, monkeypatch, tmp_path):
    (photos / "circle" / "003.png").write_bytes(b"broken")
    config = ReadingConfig(max_unreadable=0.5)
    tables = []
    for threads in (1, 2, 7):
        monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path / f"cache{threads}"))
        tables.append(read(photos, config, threads=threads))
    assert tables[0] == tables[1] == tables[2]


def test_a_second_reading_decodes_nothing(photos, monkeypatch):
    (photos / "circle" / "003.png").write_bytes(b"broken")
    config = ReadingConfig(max_unreadable=0.5)
    calls = []
    decode = check.decode
    monkeypatch.setattr(check, "decode", lambda data, **options: calls.append(1) or decode(data, **options))
    first = read(photos, config)
    assert len(calls) == 12
    assert read(photos, config) == first
    assert len(calls) == 12
    touch(photos / "circle" / "new.png")
    read(photos, config)
    assert len(calls) == 13


# The table of docs/data.md, row by row.


def test_a_path_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*nowhere"):
        read(tmp_path / "nowhere", CONFIG)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"is empty\. Expected one folder per class"):
        read(tmp_path, CONFIG)


def test_a_folder_of_other_files_is_an_error(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("nothing to see")
    with pytest.raises(DataError, match=r"no pictures, only other files \(cat/notes.txt\)"):
        read(tmp_path, CONFIG)


def test_class_folders_that_are_all_empty_are_an_error(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match=r"its folders are empty \(cat, dog\)"):
        read(tmp_path, CONFIG)


def test_pictures_directly_in_the_root_are_an_error(tmp_path):
    for i in range(3):
        touch(tmp_path / f"{i}.png", i)
    with pytest.raises(DataError, match=r"3 pictures lie directly in .*Expected one folder per class"):
        read(tmp_path, CONFIG)


def test_one_class_is_an_error(tmp_path):
    draw_folder(tmp_path, classes=["cat"], size=8)
    with pytest.raises(DataError, match="has one class, 'cat'; to tell things apart takes at least 2"):
        read(tmp_path, CONFIG)


def test_an_empty_class_folder_beside_others_is_a_finding(photos):
    (photos / "star").mkdir()
    (photos / "hexagon").mkdir()
    (photos / "hexagon" / "notes.txt").write_text("later")
    table = read(photos, CONFIG)
    assert table.classes == ("circle", "square", "triangle")
    assert "hexagon, star" in message(table, "empty-class")
    assert "hexagon/notes.txt" in message(table, "other-files")


def test_one_image_in_every_class_is_an_error(tmp_path):
    draw_folder(tmp_path, per_class=1, size=8)
    with pytest.raises(
        DataError, match=r"every class in .* has fewer than 2 images to learn from: 'circle' has 1 image"
    ):
        read(tmp_path, CONFIG)


def test_one_image_of_a_class_is_enough_beside_a_test_part(tmp_path):
    draw_folder(tmp_path / "train", per_class=1, size=8)
    draw_folder(tmp_path / "test", per_class=2, size=8, seed=1)
    table = read(tmp_path, CONFIG)
    assert [picture.part for picture in table.pictures].count("train") == 3


def test_a_class_of_one_image_among_others_is_an_error_that_offers_to_drop_it(photos):
    touch(photos / "rust" / "1.png")
    with pytest.raises(
        DataError,
        match=r"class 'rust' has 1 image in .*; it takes at least 2, or 1 beside a test part.*--drop-small-classes",
    ):
        read(photos, CONFIG)
    table = read(photos, ReadingConfig(drop_small_classes=True))
    assert table.classes == ("circle", "square", "triangle")
    assert "'rust'" in message(table, "dropped-class")
    assert [skipped.path for skipped in table.skipped] == ["rust/1.png"]


def test_dropping_small_classes_until_one_is_left_is_an_error(tmp_path):
    draw_folder(tmp_path, classes=["cat"], size=8)
    touch(tmp_path / "dog" / "1.png")
    with pytest.raises(DataError, match="one class, 'cat' after dog had too few images"):
        read(tmp_path, ReadingConfig(drop_small_classes=True))


def test_class_names_that_differ_in_case_only_are_an_error(tmp_path):
    draw_folder(tmp_path, classes=["Cat", "dog"], per_class=2, size=8)
    touch(tmp_path / "cat" / "other.png")
    if len(list((tmp_path / "Cat").iterdir())) == 3:
        pytest.skip("this file system does not tell Cat from cat")
    with pytest.raises(DataError, match="'Cat' and 'cat'"):
        read(tmp_path, CONFIG)


def test_class_names_that_compose_letters_differently_are_an_error(tmp_path):
    draw_folder(tmp_path, classes=["caf\u00e9", "cafe\u0301", "dog"], per_class=2, size=8)
    with pytest.raises(DataError, match=r"'caf\\xe9' and|and 'caf\\xe9'"):
        read(tmp_path, CONFIG)


def test_hidden_things_and_what_systems_leave_are_ignored_silently(photos):
    for name in ("__MACOSX/circle/._000.png", ".git/x.png", "circle/.thumbs/1.png", "circle/._000.png"):
        touch(photos / name, kind="PNG")
    for name in ("Thumbs.db", "circle/desktop.ini", ".DS_Store"):
        (photos / name).write_bytes(b"x")
    table = read(photos, CONFIG)
    assert (len(table.pictures), table.skipped, table.findings) == (12, (), ())


def test_folders_in_class_folders_are_classes_of_their_own_and_the_level_is_offered(photos):
    for i in range(3):
        touch(photos / "circle" / "extra" / f"{i}.png", i)
    table = read(photos, CONFIG)
    assert table.classes == ("circle", "circle/extra", "square", "triangle")
    assert "circle/extra" in message(table, "nested-folders")
    assert "--class-level 1" in message(table, "nested-folders")
    table = read(photos, ReadingConfig(class_level=1))
    assert table.classes == ("circle", "square", "triangle")
    assert "nested-folders" not in codes(table)


def test_folders_of_one_name_in_different_places_never_merge(tmp_path):
    draw_folder(tmp_path, classes=["a/cat", "b/cat"], per_class=2, size=8)
    assert read(tmp_path, CONFIG).classes == ("a/cat", "b/cat")
    assert read(tmp_path, ReadingConfig(class_level=1)).classes == ("a", "b")


def test_many_classes_of_two_pictures_are_fine(tmp_path):
    archive = tmp_path / "many.zip"
    touch(tmp_path / "one.png")
    data = (tmp_path / "one.png").read_bytes()
    with zipfile.ZipFile(archive, "w") as stream:
        for i in range(1000):
            stream.writestr(f"class{i // 2:05d}/{i}.png", data)
    table = read(archive, CONFIG, threads=2)
    assert (len(table.classes), len(table.pictures)) == (500, 1000)


def test_a_file_that_is_no_archive_is_an_error(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"some bytes")
    with pytest.raises(DataError, match="neither a zip or tar archive nor a table"):
        read(tmp_path / "data.bin", CONFIG)


def test_a_loose_picture_beside_class_folders_is_listed(photos):
    touch(photos / "loose.png")
    table = read(photos, CONFIG)
    assert [(skipped.path, skipped.reason) for skipped in table.skipped] == [
        ("loose.png", "it lies in no class folder")
    ]


def test_a_run_folder_of_ours_in_the_data_is_ignored_with_a_finding_and_refused_as_data(photos):
    run = photos / "run1"
    touch(run / "figures" / "confusion.png")
    (run / "model").mkdir()
    for name in ("result.json", "config.json", "model/head.safetensors"):
        (run / name).write_text("{}")
    table = read(photos, CONFIG)
    assert table.classes == ("circle", "square", "triangle")
    assert codes(table) == ["run-folder"]
    with pytest.raises(DataError, match="is a run folder of handful"):
        read(run, CONFIG)


def test_a_folder_that_only_wraps_the_data_set_is_stepped_through(tmp_path):
    draw_folder(tmp_path / "download" / "photos", per_class=2, size=8)
    table = read(tmp_path, CONFIG)
    assert table.classes == ("circle", "square", "triangle")
    assert table.pictures[0].path == "download/photos/circle/000.png"


# Parts that the user made.


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["train", "test"], {"train": "train", "test": "test"}),
        (["Training", "TEST"], {"Training": "train", "TEST": "test"}),
        (["train", "val"], {"train": "train", "val": "test"}),
        (["train", "valid"], {"train": "train", "valid": "test"}),
        (["train", "validation", "test"], {"train": "train", "validation": "validation", "test": "test"}),
    ],
)
def test_existing_parts_are_kept(tmp_path, folders, expected):
    draw_folder(
        tmp_path, classes=[f"{part}/{name}" for part in folders for name in ("cat", "dog")], per_class=2, size=8
    )
    table = read(tmp_path, CONFIG)
    assert table.classes == ("cat", "dog")
    assert {picture.path.split("/")[0]: picture.part for picture in table.pictures} == expected
    alone = "test" not in [part.lower() for part in folders]
    assert codes(table) == (["validation-as-test"] if alone else [])


def test_a_train_folder_alone_holds_the_classes(tmp_path):
    draw_folder(tmp_path, classes=["train/cat", "train/dog"], per_class=2, size=8)
    table = read(tmp_path, CONFIG)
    assert (table.classes, codes(table)) == (("cat", "dog"), ["only-train"])
    assert {picture.part for picture in table.pictures} == {""}


def test_a_class_named_train_is_a_class(tmp_path):
    draw_folder(tmp_path, classes=["train", "bus", "tram"], per_class=2, size=8)
    assert read(tmp_path, CONFIG).classes == ("bus", "train", "tram")


def test_pictures_beside_the_parts_are_listed(tmp_path):
    draw_folder(tmp_path, classes=["train/cat", "train/dog", "test/cat", "test/dog", "new"], per_class=2, size=8)
    table = read(tmp_path, CONFIG)
    assert len(table.pictures) == 8
    assert {skipped.reason for skipped in table.skipped} == {"it lies outside the folders test, train"}


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (["train/cat", "train/dog", "test/cat", "test/bird"], "class 'bird' in .* is only in the test part"),
        (["test/cat", "test/dog", "val/cat", "val/dog"], "holds test and val and no training part"),
        (["train/cat", "training/cat", "test/cat"], "train and training, which mean the same part"),
        (["train", "test"], "lie directly in its train and test folders"),
    ],
)
def test_parts_that_cannot_be_understood_are_an_error(tmp_path, classes, reason):
    draw_folder(tmp_path, classes=classes, per_class=2, size=8)
    with pytest.raises(DataError, match=reason):
        read(tmp_path, CONFIG)


def test_a_class_without_test_pictures_is_a_finding(tmp_path):
    draw_folder(tmp_path, classes=["train/cat", "train/dog", "train/owl", "test/cat", "test/dog"], per_class=2, size=8)
    assert "owl" in message(read(tmp_path, CONFIG), "untested-class")


# Options.


def test_classes_can_be_chosen_and_an_unknown_one_names_the_nearest(photos):
    table = read(photos, ReadingConfig(classes=("square", "circle")))
    assert table.classes == ("circle", "square")
    assert codes(table) == ["subset"]
    with pytest.raises(DataError, match=r"no class 'sqare' in .*\. Did you mean 'square'\?"):
        read(photos, ReadingConfig(classes=("circle", "sqare")))
    with pytest.raises(DataError, match="one class, 'circle'"):
        read(photos, ReadingConfig(classes=("circle",)))


def test_per_class_takes_the_first_by_name_and_keeps_all_test_pictures(tmp_path, photos):
    table = read(photos, ReadingConfig(per_class=3))
    assert [picture.path for picture in table.pictures if picture.label == 1] == [
        f"square/{i:03d}.png" for i in range(3)
    ]
    parts = tmp_path / "parts"
    draw_folder(parts, classes=["train/a", "train/b", "test/a", "test/b"], per_class=5, size=8)
    table = read(parts, ReadingConfig(per_class=2))
    assert sorted(picture.part for picture in table.pictures) == ["test"] * 10 + ["train"] * 4


def test_groups_come_from_the_path(photos):
    table = read(photos, ReadingConfig(group_by=r"/00([01])"))
    assert {picture.group for picture in table.pictures} == {"0", "1", ""}
    assert "6 of 12 paths do not match" in message(table, "no-group")
    whole = read(photos, ReadingConfig(group_by=r"\d\d[1-3]"))
    assert whole.pictures[1].group == "001"
    with pytest.raises(ConfigError, match=r"group_by is '\(', which is no regular expression"):
        read(photos, ReadingConfig(group_by="("))


# What cannot be read.


def test_more_unreadable_files_than_allowed_stop_the_run(photos):
    (photos / "square" / "000.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"1 of 12 pictures .*8\.3%.*square/000.png \(the file is empty\).*--max-unreadable"
    ):
        read(photos, CONFIG)
    table = read(photos, ReadingConfig(max_unreadable=0.1))
    assert [(one.path, one.reason) for one in table.skipped] == [("square/000.png", "the file is empty")]
    assert len(table.pictures) == 11
    assert "square/000.png" in message(table, "unreadable")


def test_a_share_of_exactly_5_percent_passes(tmp_path):
    draw_folder(tmp_path, classes=["a", "b"], per_class=10, size=8)
    (tmp_path / "a" / "000.png").write_bytes(b"no picture")
    assert len(read(tmp_path, CONFIG).pictures) == 19


def test_a_class_that_loses_its_pictures_is_an_error_and_can_be_dropped(photos):
    for i in range(3):
        (photos / "square" / f"{i:03d}.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"class 'square' has 1 image \(3 more cannot be read\)"):
        read(photos, ReadingConfig(max_unreadable=1.0))
    (photos / "square" / "003.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"class 'square' has 0 images \(4 more cannot be read\)"):
        read(photos, ReadingConfig(max_unreadable=1.0))
    table = read(photos, ReadingConfig(max_unreadable=1.0, drop_small_classes=True))
    assert table.classes == ("circle", "triangle")


def test_limits_on_size_are_applied_before_decoding(photos, monkeypatch):
    touch(photos / "circle" / "large.bmp")
    Image.new("RGB", (300, 300)).save(photos / "circle" / "large.bmp")
    table = read(photos, ReadingConfig(max_file_mb=0.1, max_unreadable=0.5))
    assert table.skipped[0].reason == "0.27 MB; the limit is 0.1 MB (--max-file-mb)"
    table = read(photos, ReadingConfig(max_megapixels=0.05, max_unreadable=0.5))
    assert table.skipped[0].reason == "300 x 300 pixels are 0.09 million; the limit is 0.05 (--max-megapixels)"


def test_too_many_large_files_stop_the_run_before_anything_is_decoded(photos, monkeypatch):
    monkeypatch.setattr(check, "decode", lambda *_, **__: pytest.fail("a picture was decoded"))
    with pytest.raises(DataError, match="--max-file-mb"):
        read(photos, ReadingConfig(max_file_mb=0.0005))
    touch(photos / "alone" / "1.png")
    with pytest.raises(DataError, match="class 'alone' has 1 image"):
        read(photos, CONFIG)


def test_links_out_of_the_folder_pipes_and_folder_links_are_never_read(photos, tmp_path):
    touch(tmp_path / "outside" / "secret.png")
    (photos / "circle" / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (photos / "circle" / "inside.png").symlink_to(photos / "square" / "000.png")
    (photos / "circle" / "loop.png").symlink_to(photos / "circle" / "loop.png")
    (photos / "circle" / "gone.png").symlink_to(photos / "nothing.png")
    (photos / "folder").symlink_to(tmp_path / "outside")
    (photos / "circle" / "round").symlink_to(photos)
    os.mkfifo(photos / "circle" / "pipe.png")
    table = read(photos, ReadingConfig(max_unreadable=0.5))
    reasons = {skipped.path: skipped.reason for skipped in table.skipped}
    assert sorted(reasons) == [
        "circle/gone.png",
        "circle/link.png",
        "circle/loop.png",
        "circle/pipe.png",
        "circle/round",
        "folder",
    ]
    assert "leads out of the folder" in reasons["circle/link.png"]
    assert reasons["circle/pipe.png"] == "not a regular file"
    assert "links are not followed" in reasons["folder"]
    assert "circle/inside.png" in [picture.path for picture in table.pictures]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_odd_names_work_and_can_be_written_as_text(photos):
    names = [
        "\u00e9.png",
        "e\u0301.png",
        "\U0001f600 x.png",
        "new\nline.png",
        "-rf.png",
        "=cmd().png",
        "<b>.png",
        "n" * 251 + ".png",
    ]
    for i, name in enumerate(names):
        touch(photos / "circle" / name, i)
    touch(Path(os.fsdecode(os.fsencode(photos / "circle") + b"/caf\xe9.png")), 99)
    table = read(photos, CONFIG)
    paths = [picture.path for picture in table.pictures]
    assert {f"circle/{name}" for name in names} < set(paths)
    assert r"circle/caf\xe9.png" in paths
    assert len(paths) == 12 + 9
    json.dumps(paths, ensure_ascii=False).encode("utf-8")
    assert all(pixels(table, picture).shape[2] == 3 for picture in table.pictures)
    assert codes(table) == ["twin-names"]


def test_a_name_that_tells_another_format_is_noted(photos):
    touch(photos / "circle" / "a.jpg", kind="PNG")
    table = read(photos, CONFIG)
    [picture] = [one for one in table.pictures if one.path == "circle/a.jpg"]
    assert picture.notes == ("a PNG picture although its name ends in .jpg",)


def test_pictures_in_formats_that_are_not_read_are_listed_and_not_passed_over(photos):
    (photos / "circle" / "raw.cr2").write_bytes(b"II*\0 raw")
    (photos / "circle" / "drawing.svg").write_text("<svg/>")
    table = read(photos, ReadingConfig(max_unreadable=0.5))
    assert [skipped.path for skipped in table.skipped] == ["circle/drawing.svg", "circle/raw.cr2"]


def test_very_long_pictures_are_used_and_reported(photos):
    Image.new("RGB", (400, 3)).save(photos / "circle" / "strip.png")
    assert "circle/strip.png" in message(read(photos, CONFIG), "odd-shape")


@pytest.mark.parametrize(("brightest", "scale"), [(200, 255), (900, 1023), (4095, 4095), (4096, 16383), (60000, 65535)])
def test_one_full_scale_is_chosen_for_the_whole_data_set(tmp_path, brightest, scale):
    draw_folder(tmp_path, classes=["flat"], per_class=2, size=8)
    dark = np.full((4, 4), 100, dtype=np.uint16)
    bright = np.full((4, 4), brightest, dtype=np.uint16)
    (tmp_path / "deep").mkdir()
    Image.fromarray(dark).save(tmp_path / "deep" / "dark.tif")
    Image.fromarray(bright).save(tmp_path / "deep" / "bright.png")
    table = read(tmp_path, CONFIG)
    assert table.full_scale == scale
    assert f"brightest value is {brightest}, so {scale} counts as white" in message(table, "deep-pictures")
    by_path = {picture.path: picture for picture in table.pictures}
    assert (pixels(table, by_path["deep/dark.tif"]) == round(100 * 255 / scale)).all()
    assert (pixels(table, by_path["deep/bright.png"]) == round(brightest * 255 / scale)).all()


def test_pixels_refuses_a_file_that_changed_since_it_was_checked(photos):
    table = read(photos, CONFIG)
    touch(photos / "circle" / "000.png", 5)
    with pytest.raises(DataError, match=r"circle/000.png in .* changed while it was in use"):
        pixels(table, table.pictures[0])
    (photos / "circle" / "000.png").unlink()
    with pytest.raises(DataError, match="there is no such file"):
        pixels(table, table.pictures[0])


def test_pixels_takes_a_smaller_jpeg_where_that_is_enough(tmp_path):
    for i in range(4):
        path = tmp_path / f"{i % 2}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (640, 480), (i, 0, 0)).save(path)
    table = read(tmp_path, CONFIG)
    assert pixels(table, table.pictures[0]).shape == (480, 640, 3)
    assert pixels(table, table.pictures[0], shortest=32).shape == (120, 160, 3)


def test_progress_is_told_about_every_picture(photos):
    told = []

    class Told:
        def stage(self, label, total):
            told.append((label, total))
            return self

        def __enter__(self):
            return told.append

        def __exit__(self, *_):
            return None

        def say(self, _):
            return None

    read(photos, CONFIG, progress=Told())
    assert told == [("Checking pictures", 12), *[1] * 12]


def test_errors_come_before_torch_and_the_like_and_within_two_seconds(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from handful.core.config import ReadingConfig; from handful.images import read\n"
        "try: read(Path(sys.argv[1]), ReadingConfig())\n"
        "except Exception as error: found = type(error).__name__\n"
        "print(found, {'torch', 'matplotlib', 'pyarrow', 'asyncio'} & set(sys.modules))"
    )
    typed = [sys.executable, "-c", program, str(tmp_path)]
    done, seconds = quickest(lambda: subprocess.run(typed, capture_output=True, text=True, check=True))
    assert done.stdout.strip() == "DataError set()"
    assert seconds < 2


def test_open_source_lists_and_reads_a_folder(photos):
    source = open_source(photos)
    assert sorted(source.names())[0] == "circle/000.png"
    assert source.read("circle/000.png") == (photos / "circle" / "000.png").read_bytes()


@pytest.mark.skipif(not SAMPLE.exists(), reason="the development sample is not beside the repository")
def test_the_development_sample_of_cifar_is_read():
    table = read(SAMPLE, ReadingConfig(classes=("airplane", "cat"), per_class=20), threads=2)
    assert table.classes == ("airplane", "cat")
    assert sum(picture.part == "train" for picture in table.pictures) == 40
    assert sum(picture.part == "test" for picture in table.pictures) == 400


def test_a_table_may_name_pictures_anywhere_on_the_disk(tmp_path):
    photos = draw_folder(tmp_path / "elsewhere" / "photos", classes=("circle", "square"), per_class=3, size=16)
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "list.csv"
    found = sorted(photos.rglob("*.png"))
    rows = [f"{path},{path.parent.name}" for path in found[:3]]
    rows += [f"../elsewhere/photos/{path.parent.name}/{path.name},{path.parent.name}" for path in found[3:]]
    table.write_text("path,label\n" + "\n".join(rows) + "\n")
    read_table = read(table, ReadingConfig())
    assert [picture.path for picture in read_table.pictures] == [p.relative_to(photos).as_posix() for p in found]
    assert read_table.labels.tolist() == [0, 0, 0, 1, 1, 1]
