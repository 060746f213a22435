"""Data that people already have: frames, Hugging Face's data sets, torchvision's, pictures in memory."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, DataError
from handful.core.files import sha256_bytes
from handful.images import from_labelled, from_pictures, pixels, read, read_unlabelled
from handful.images.held import as_file
from handful.images.unreadable import UnreadableError
from handful.testing.pictures import draw_folder, draw_picture

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

READING = TrainConfig().reading


def drawn(n_pictures, kind="circle", size=24):
    return [draw_picture(kind, size, np.random.default_rng((number, len(kind)))) for number in range(n_pictures)]


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def labels_of(table):
    return [table.classes[picture.label] for picture in table.pictures]


class Shapes:
    """Like torchvision's ImageFolder: items of a picture and a number, and the names of the classes."""

    classes = ("circle", "square")

    def __init__(self, n_each=4):
        self.items = [(picture, number) for number, name in enumerate(self.classes) for picture in drawn(n_each, name)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Part:
    """Like torch.utils.data.Subset."""

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]


@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame])
def test_a_frame_of_paths_is_read_like_a_table(frame, tmp_path):
    root = draw_folder(tmp_path / "photos", classes=("circle", "square"), per_class=4, size=24)
    paths = sorted(root.rglob("*.png"))
    columns = {
        "image": [str(path) for path in paths],
        "Label": [path.parent.name for path in paths],
        "group": [number // 2 for number in range(8)],
        "split": ["train", "train", "test", "test"] * 2,
    }
    table, by_folder = read(from_labelled(frame(columns)), READING), read(root, READING)
    assert labels_of(table) == labels_of(by_folder)
    assert [one.file_sha256 for one in table.pictures] == [one.file_sha256 for one in by_folder.pictures]
    assert [one.group for one in table.pictures] == list("00112233")
    assert [one.part for one in table.pictures] == ["train", "train", "test", "test"] * 2
    assert Path(table.pictures[0].path) == paths[0]


def test_a_frame_may_hold_bytes_arrays_pillows_pictures_and_the_dictionaries_of_hugging_face():
    images = drawn(4)
    held = [png(images[0]), np.asarray(images[1]), images[2], {"bytes": png(images[3]), "path": None}]
    table = read(from_labelled(pandas.DataFrame({"picture": held, "class": ["a", "b", "a", "b"]})), READING)
    for picture, image in zip(table.pictures, images, strict=True):
        np.testing.assert_array_equal(pixels(table, picture), np.asarray(image))


def test_a_row_without_a_label_is_left_out_and_said():
    frame = polars.DataFrame({"image": [png(one) for one in drawn(5)], "label": ["a", "a", "b", "b", None]})
    table = read(from_labelled(frame), READING)
    assert (len(table.pictures), len(table.skipped)) == (4, 1)
    assert "no-label" in [finding.code for finding in table.findings]


def test_numbers_are_labels_too():
    frame = pandas.DataFrame({"image": [png(one) for one in drawn(4)], "target": [1.0, 2.0, 1.0, 2.0]})
    assert read(from_labelled(frame), READING).classes == ("1", "2")


def test_a_frame_without_the_columns_names_those_that_it_has():
    with pytest.raises(DataError, match="no column of labels; its columns are 'image, diagnosis'"):
        from_labelled(pandas.DataFrame({"image": ["a.png"], "diagnosis": ["x"]}))
    with pytest.raises(DataError, match="no column of pictures"):
        from_labelled(polars.DataFrame({"label": ["x"]}))


def test_items_of_a_picture_and_a_number_are_a_data_set():
    shapes = Shapes()
    table = read(from_labelled(shapes), READING)
    assert table.classes == ("circle", "square")
    assert [one.label for one in table.pictures] == [number for _, number in shapes.items]
    np.testing.assert_array_equal(pixels(table, table.pictures[5]), np.asarray(shapes[5][0]))


def test_numbers_of_classes_that_are_listed_cost_no_picture():
    shapes = Shapes()
    shapes.targets = np.array([number for _, number in shapes.items])
    shapes.items = [None] * len(shapes)
    assert [placed.class_name for placed in from_labelled(shapes).layout.placed] == ["circle"] * 4 + ["square"] * 4


def test_parts_by_name_are_the_users_own_and_a_subset_keeps_its_names():
    shapes = Shapes()
    parts = {"train": Part(shapes, [0, 1, 4, 5]), "test": Part(shapes, [2, 6])}
    table = read(from_labelled(parts), READING)
    assert [(one.part, one.label) for one in table.pictures] == [
        ("train", 0), ("train", 0), ("train", 1), ("train", 1), ("test", 0), ("test", 1),
    ]  # fmt: skip
    with pytest.raises(DataError, match="a part 'extra'; expected train"):
        from_labelled({"train": shapes, "extra": shapes})


def test_a_number_without_a_name_is_refused():
    shapes = Shapes()
    shapes.items[3] = (shapes.items[3][0], 7)
    with pytest.raises(DataError, match=r"item 3 of the .* is of class 7, and it has 2 names"):
        from_labelled(shapes)


@pytest.fixture
def hugging_face():
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "photo": datasets.Image(),
            "species": datasets.ClassLabel(names=["wolf", "ant"]),
            "other": datasets.Value("int64"),
        }
    )

    def made(images, labels):
        columns = {"photo": [{"bytes": png(one), "path": None} for one in images], "species": labels}
        return datasets.Dataset.from_dict({**columns, "other": [0] * len(labels)}, features=features)

    return made


def test_hugging_faces_data_sets_say_what_their_columns_are_and_are_not_decoded(hugging_face):
    images = drawn(5)
    table = read(from_labelled(hugging_face(images, [0, 1, 0, 1, -1])), READING)
    assert table.classes == ("ant", "wolf")
    assert labels_of(table) == ["wolf", "ant", "wolf", "ant"]
    assert [one.file_sha256 for one in table.pictures] == [sha256_bytes(png(one)) for one in images[:4]]
    np.testing.assert_array_equal(pixels(table, table.pictures[3]), np.asarray(images[3]))


def test_the_parts_of_a_dataset_dict_are_the_users_own(hugging_face):
    import datasets

    parts = {"train": hugging_face(drawn(4), [0, 0, 1, 1]), "validation": hugging_face(drawn(2, "square"), [0, 1])}
    parts["test"] = hugging_face(drawn(2, "star"), [0, 1])
    table = read(from_labelled(datasets.DatasetDict(parts)), READING)
    assert [one.part for one in table.pictures] == ["train"] * 4 + ["validation"] * 2 + ["test"] * 2


def test_columns_that_leave_a_choice_are_named(hugging_face):
    import datasets

    twice = hugging_face(drawn(2), [0, 1]).add_column("fine", [0, 1]).cast_column("fine", datasets.ClassLabel(2))
    with pytest.raises(DataError, match="photo, species, other, fine, with 2 to choose from"):
        from_labelled(twice)
    assert read_unlabelled(from_labelled(twice.rename_column("fine", "label")), READING).pictures
    with pytest.raises(DataError, match="streaming=True"):
        from_labelled(hugging_face(drawn(2), [0, 1]).to_iterable_dataset())


def test_folders_do_not_count_where_there_are_none():
    with pytest.raises(ConfigError, match="has no folders"):
        read(from_labelled(Shapes()), TrainConfig.of({"class_level": 1}).reading)


def test_anything_else_is_refused_with_what_was_expected():
    with pytest.raises(DataError, match="a int is no data set that is known"):
        from_labelled(3)


@pytest.mark.parametrize(
    ("mode", "dtype"), [("RGB", np.uint8), ("L", np.uint8), ("1", np.uint8), ("I;16", np.uint16), ("CMYK", np.uint8)]
)
def test_pillows_pictures_are_read_as_their_files_would_be(mode, dtype, tmp_path):
    image = drawn(1)[0].convert("L").convert(mode) if mode == "I;16" else drawn(1)[0].convert(mode)
    image.save(tmp_path / "one.tif")
    by_file, by_memory = (
        read_unlabelled(wanted, READING) for wanted in ([tmp_path / "one.tif"], from_pictures([image]))
    )
    np.testing.assert_array_equal(*(pixels(table, table.pictures[0]) for table in (by_file, by_memory)))


def test_transparency_and_orientation_of_pillows_pictures_count():
    clear = Image.new("RGBA", (4, 6), (0, 0, 0, 0))
    turned = drawn(1, size=8)[0].crop((0, 0, 8, 4))
    turned.getexif()[0x0112] = 6
    table = read_unlabelled(from_pictures([clear, turned]), READING)
    assert pixels(table, table.pictures[0]).min() == 255
    assert (table.pictures[1].width, table.pictures[1].height) == (4, 8)


def test_a_large_picture_in_memory_is_no_large_file():
    config = TrainConfig.of({"max_file_mb": 0.001}).reading
    assert read_unlabelled(from_pictures([np.zeros((50, 50, 3), np.uint8)]), config).pictures


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((3, 8, 8), np.float32), r"array of float32 \(3, 8, 8\); expected uint8"),
        (np.zeros((8, 8, 7), np.uint8), r"array of uint8 \(8, 8, 7\)"),
        (None, "no picture in this row"),
        (float("nan"), "no picture in this row"),
        (7, "a int is no picture"),
        ("nowhere/x.png", "no such file"),
    ],
)
def test_what_is_no_picture_says_so(picture, message):
    with pytest.raises(UnreadableError, match=message):
        as_file(picture)


def test_as_many_labels_as_pictures_are_expected():
    with pytest.raises(DataError, match="there are 2 pictures and 1 labels"):
        from_pictures(drawn(2), ["a"])
