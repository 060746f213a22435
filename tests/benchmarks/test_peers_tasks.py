from __future__ import annotations

import csv
import hashlib
from collections import Counter

import pytest
from benchmarks.peers import tasks
from benchmarks.peers.scoring import accuracy_of
from benchmarks.peers.tasks import prepare, split_stratified

from handful.core.config import ReadingConfig
from handful.core.errors import ConfigError, DataError
from handful.core.records import Part
from handful.images import read
from tests.benchmarks.archive import N_TEST, PER_CLASS, write_archive


@pytest.fixture
def archive(tmp_path, monkeypatch):
    return write_archive(tmp_path / "cifar.zip", monkeypatch)


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_seed_draws_the_same_files_whoever_asks_and_another_seed_draws_others(archive, tmp_path):
    first, again, other = (
        prepare("cifar", seed, tmp_path / name, data=archive) for seed, name in ((0, "a"), (0, "b"), (1, "a"))
    )
    assert contents(first.pictures) == contents(again.pictures)
    assert first.split == again.split != other.split
    assert first.truth == again.truth


def test_prepared_pictures_are_found_again_without_the_archive(archive, tmp_path):
    first = prepare("cifar", 0, tmp_path / "pictures", data=archive)
    assert prepare("cifar", 0, tmp_path / "pictures") == first


def test_a_half_written_folder_is_written_again(archive, tmp_path):
    first = prepare("cifar", 0, tmp_path / "pictures", data=archive)
    whole = contents(first.pictures)
    (tmp_path / "pictures" / "cifar-0" / "split.json").unlink()
    next((first.pictures / "test").iterdir()).unlink()
    assert contents(prepare("cifar", 0, tmp_path / "pictures", data=archive).pictures) == whole


def test_five_classes_are_drawn_from_the_training_part_and_the_whole_test_part_tests(archive, tmp_path):
    prepared = prepare("cifar", 0, tmp_path / "pictures", data=archive)
    train = Counter(path.parent.name for path in (prepared.pictures / "train").glob("*/*"))
    assert train == dict.fromkeys(tasks.CIFAR_CLASSES, PER_CLASS)
    assert Counter(prepared.truth.values()) == dict.fromkeys(tasks.CIFAR_CLASSES, N_TEST)
    assert prepared.n_train == 5 * PER_CLASS


def test_the_names_of_test_pictures_tell_no_class(archive, tmp_path):
    prepared = prepare("cifar", 0, tmp_path / "pictures", data=archive)
    names = sorted(path.name for path in (prepared.pictures / "test").iterdir())
    assert names == [f"{number:04d}.png" for number in range(5 * N_TEST)]
    assert [prepared.truth[name] for name in names] != sorted(prepared.truth.values())


def test_handful_reads_the_same_pictures_from_the_table(archive, tmp_path):
    prepared = prepare("cifar", 0, tmp_path / "pictures", data=archive)
    table = read(prepared.pictures / "table.csv", ReadingConfig(), threads=1)
    parts: dict[Part, set[str]] = {}
    for picture in table.pictures:
        parts.setdefault(picture.part, set()).add(picture.path.rpartition("/")[2])
    assert parts["test"] == set(prepared.truth)
    assert len(parts["train"]) == prepared.n_train


def test_a_quarter_of_every_class_tests_and_no_picture_does_both(tmp_path):
    paths = {label: [tmp_path / f"{label}{i}.png" for i in range(n)] for label, n in (("good", 40), ("bad", 20))}
    for path in (each for some in paths.values() for each in some):
        path.write_text(path.name)
    train, test = split_stratified(paths, 0)
    assert Counter(picture.label for picture in test) == {"good": 10, "bad": 5}
    both = [picture.read() for picture in (*train, *test)]
    assert len(set(both)) == len(both) == 60


def test_cifar_needs_an_archive_with_enough_pictures(archive, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="needs --data"):
        prepare("cifar", 0, tmp_path / "pictures")
    monkeypatch.setattr(tasks, "PER_CLASS", 9)
    with pytest.raises(DataError, match="has 8 pictures in train/airplane/"):
        prepare("cifar", 0, tmp_path / "pictures", data=archive)
    with pytest.raises(ConfigError, match="there is no task 'imagenet'"):
        prepare("imagenet", 0, tmp_path / "pictures")


def answers(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("name", "label"), *rows])
    return path


def test_accuracy_is_the_share_of_right_answers_in_any_order(tmp_path):
    truth = {"a": "cat", "b": "cat", "c": "deer", "d": "bird"}
    rows = [("d", "bird"), ("a", "cat"), ("c", "cat"), ("b", "cat")]
    assert accuracy_of(answers(tmp_path / "p.csv", rows), truth) == 0.75


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "cat")], "1 are missing, 0 unknown, 0 named again"),
        ([("a", "cat"), ("b", "cat"), ("c", "cat")], "0 are missing, 1 unknown"),
        ([("a", "cat"), ("b", "cat"), ("b", "deer")], "1 named again"),
    ],
)
def test_an_answer_for_every_test_picture_is_wanted_once(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        accuracy_of(answers(tmp_path / "p.csv", rows), {"a": "cat", "b": "deer"})
