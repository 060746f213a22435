import pickle
import shutil
import tarfile

import numpy as np
import pytest

from handful.core.config import ReadingConfig
from handful.core.errors import DataError
from handful.images import open_source, pixels, read

NAMES = ["airplane", "automobile", "bird", "cat", "deer"]
PER_BATCH = 20


def dump(path, value):
    # Protocol 2 with byte keys is what Python 3 makes of the official files, which Python 2 wrote.
    path.write_bytes(pickle.dumps(value, protocol=2))


@pytest.fixture
def batches(tmp_path):
    """The official files in small: five training batches and one for testing, labels in turn."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        data = rng.integers(0, 256, (PER_BATCH, 3072), dtype=np.uint8)
        labels = [i % len(NAMES) for i in range(PER_BATCH)]
        dump(
            folder / name,
            {b"batch_label": b"x", b"labels": labels, b"data": data, b"filenames": [b"a.png"] * PER_BATCH},
        )
    dump(folder / "batches.meta", {b"num_cases_per_batch": PER_BATCH, b"label_names": [n.encode() for n in NAMES]})
    (folder / "readme.html").write_text("<html>")
    return folder


@pytest.fixture
def archive(batches):
    path = batches.parent / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as stream:
        stream.add(batches, "cifar-10-batches-py")
    shutil.move(batches, batches.parent / "kept")
    return path


def raw(folder, batch, row):
    planes = pickle.loads((folder / batch).read_bytes(), encoding="bytes")[b"data"][row]
    return planes.reshape(3, 32, 32).transpose(1, 2, 0)


def test_the_archive_gives_parts_classes_and_the_very_pixels(archive):
    table = read(archive, ReadingConfig())
    assert table.classes == tuple(NAMES)
    assert [sum(one.part == part for one in table.pictures) for part in ("train", "test", "validation", "")] == [
        100,
        20,
        0,
        0,
    ]
    by_path = {picture.path: picture for picture in table.pictures}
    kept = archive.parent / "kept"
    # Picture 20 of the training part is the first of the second batch.
    np.testing.assert_array_equal(pixels(table, by_path["train/airplane/00020.bmp"]), raw(kept, "data_batch_2", 0))
    np.testing.assert_array_equal(pixels(table, by_path["test/cat/00003.bmp"]), raw(kept, "test_batch", 3))
    assert table.classes[by_path["train/deer/00004.bmp"].label] == "deer"
    assert (table.skipped, by_path["test/cat/00003.bmp"].notes) == ((), ())


@pytest.mark.parametrize("level", ["folder", "parent"])
def test_the_extracted_folder_reads_like_the_archive(batches, level):
    table = read(batches if level == "folder" else batches.parent, ReadingConfig())
    assert (len(table.pictures), table.classes) == (120, tuple(NAMES))


def test_some_classes_and_the_first_training_pictures_of_each_are_taken(archive):
    table = read(archive, ReadingConfig(classes=("cat", "airplane"), per_class=3))
    train = [picture.path for picture in table.pictures if picture.part == "train"]
    assert train == [
        f"train/{name}/{i:05d}.bmp"
        for name, first in (("airplane", 0), ("cat", 3))
        for i in range(first, first + 15, 5)
    ]
    assert sum(picture.part == "test" for picture in table.pictures) == 8
    with pytest.raises(DataError, match=r"no class 'aeroplane'.*Did you mean 'airplane'\?"):
        read(archive, ReadingConfig(classes=("aeroplane", "cat")))


class Evil:
    def __reduce__(self):
        return (print, ("this ran",))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("data_batch_1", Evil(), "data_batch_1 cannot be read: the pickle asks for"),
        ("batches.meta", [1, 2], "batches.meta holds a list"),
        ("batches.meta", {b"label_names": []}, "holds no label_names"),
        ("data_batch_1", {b"labels": [0], b"data": np.zeros((1, 100), np.uint8)}, "no pictures of 32 x 32"),
        ("data_batch_1", {b"labels": [0, 1], b"data": np.zeros((1, 3072), np.uint8)}, "one label per picture"),
        ("data_batch_1", {b"labels": [77], b"data": np.zeros((1, 3072), np.uint8)}, "labels outside 0 to 4"),
    ],
)
def test_batches_that_are_not_what_they_should_be_are_refused(batches, capsys, name, value, reason):
    dump(batches / name, value)
    with pytest.raises(DataError, match=reason):
        open_source(batches)
    assert "this ran" not in capsys.readouterr().out
