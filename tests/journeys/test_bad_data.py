"""Data sets that cannot work, or only look as if: one message and exit code 2 before any network, or what is done."""

from __future__ import annotations

import json
import zipfile
from time import process_time

import numpy as np
import pytest

import handful
from handful.api import training
from handful.core.config import ReadingConfig, SplitConfig
from handful.core.files import sha256_bytes
from handful.core.records import ImageTable, Picture
from handful.evaluate import evaluate
from handful.images import read
from handful.split import split
from handful.testing.pictures import draw_folder
from tests.images.scenes import CHANGES, scene

QUICK = {"backbone": "toy", "interpolation": "bilinear", "views": "plain"}


def nothing(root):
    root.mkdir()


def no_folders(root):
    draw_folder(root.parent / "drawn", classes=("cat",), per_class=3, size=8)
    (root.parent / "drawn" / "cat").rename(root)


def hidden_only(root):
    draw_folder(root, classes=(".cache", ".git"), per_class=2, size=8)


def left_by_a_mac(root):
    with zipfile.ZipFile(root, "w") as archive:
        for name in ("__MACOSX/cat/._1.jpg", "__MACOSX/dog/._1.jpg", ".DS_Store"):
            archive.writestr(name, b"\0\5\x16\7")


def listed(rows):
    """Returns what makes a data set of two classes of three pictures with a table of some more rows."""

    def make(root):
        folder = draw_folder(root.parent / "listed", classes=("cat", "dog"), per_class=3, size=8)
        own = [f"listed/{name}/{i:03d}.png,{name}" for name in ("cat", "dog") for i in range(3)]
        text = rows if isinstance(rows, str) else "\n".join(["path,label", *own, *rows])
        (folder.parent / root.name).write_text(text + "\n")

    return make


def drawn(*classes, per_class=3):
    return lambda root: draw_folder(root, classes=classes, per_class=per_class, size=8)


def one_alone(root):
    draw_folder(root, classes=("cat", "dog"), per_class=3, size=8)
    draw_folder(root, classes=("owl",), per_class=1, size=8)


def emptied(root):
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)


def one_beside_an_empty_one(root):
    draw_folder(root, classes=("cat",), per_class=3, size=8)
    (root / "dog").mkdir()


REFUSED = {
    "an empty root": ("d", nothing, "is empty. Expected one folder per class"),
    "no folders": ("d", no_folders, "3 pictures lie directly in"),
    "one class": ("d", drawn("cat"), "has one class, 'cat'"),
    "empty class folders": ("d", emptied, "its folders are empty (cat, dog)"),
    "a class beside an empty folder": ("d", one_beside_an_empty_one, "has one class, 'cat'"),
    "one picture in each class": ("d", drawn("cat", "dog", per_class=1), "fewer than 2 images to learn from"),
    "a class of one picture": ("d", one_alone, "class 'owl' has 1 image"),
    "Cat and cat": ("d", drawn("Cat", "cat"), "differ only in upper and lower case"),
    "hidden files only": ("d", hidden_only, "is empty. Expected"),
    "what a Mac leaves in an archive": ("d.zip", left_by_a_mac, "is empty. Expected"),
    "a table without labels": ("d.csv", listed("path\nlisted/cat/000.png"), "has no column label"),
    "a table without rows": ("d.csv", listed("path,label"), "has a header and no rows"),
    "rows of pictures that are not there": ("d.csv", listed(["gone.png,cat"]), "1 of 7 pictures"),
    "two rows that contradict": ("d.csv", listed(["listed/cat/000.png,dog"]), "contradicting rows"),
    "a part of its own classes": ("d", drawn("train/cat", "train/dog", "test/owl"), "is only in the test part"),
    "nothing there": ("d", lambda root: None, "there is no "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_one_message_and_exit_code_2_before_a_network_is_opened(
    command, tmp_path, monkeypatch, case
):
    name, make, message = REFUSED[case]
    make(tmp_path / name)
    monkeypatch.setattr(training, "choose_way", lambda *_, **__: pytest.fail("it went on to the networks"))
    start = process_time()
    code, out, err = command("train", name, "--backbone", "toy", "--out", "run")
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert process_time() - start < 2
    assert not (tmp_path / "run").exists()


def nested(root):
    draw_folder(root, classes=("cat", "dog", "dog/puppies"), per_class=3, size=8)


def with_junk(root):
    draw_folder(root, classes=("cat", "dog"), per_class=3, size=8)
    draw_folder(root, classes=("__MACOSX/cat", ".thumbnails"), per_class=2, size=8)
    (root / "cat" / "Thumbs.db").write_bytes(b"x")


def with_empty(root):
    draw_folder(root, classes=("cat", "dog"), per_class=3, size=8)
    (root / "owl").mkdir()


WORKS = {
    "nested folders": ("d", nested, "nested-folders", ["cat", "dog", "dog/puppies"]),
    "hidden files and junk": ("d", with_junk, None, ["cat", "dog"]),
    "an empty class folder beside others": ("d", with_empty, "empty-class", ["cat", "dog"]),
    "equal rows": ("d.csv", listed(["listed/cat/000.png,cat"]), "duplicate-rows", ["cat", "dog"]),
    "rows without a label": ("d.csv", listed(["listed/cat/000x.png,"]), "no-label", ["cat", "dog"]),
}


@pytest.mark.parametrize("case", WORKS)
def test_what_can_work_does_and_says_what_it_made_of_it(command, tmp_path, case):
    name, make, finding, classes = WORKS[case]
    make(tmp_path / name)
    code, out, _ = command("check", name, "--json")
    said = json.loads(out)
    assert code == 0
    assert list(said["classes"]) == classes
    codes = [each["code"] for each in said["findings"]]
    assert codes == ([finding] if finding else [])


# Copies.


def test_copies_of_one_picture_in_twenty_are_found_and_stay_on_one_side(tmp_path):
    """Five of a hundred of each kind; every fifth copy has another label than its original."""
    planted = {}
    for index in range(100):
        name = f"{'ab'[index % 2]}/{index:03d}.png"
        (tmp_path / name).parent.mkdir(exist_ok=True)
        scene(index, side=96).save(tmp_path / name)
    for kind, change in CHANGES.items():
        for number, index in enumerate(np.random.default_rng(len(kind)).permutation(100)[:5].tolist()):
            copy = f"{'ab'[(index + (number == 0)) % 2]}/{index:03d}-{kind}.png"
            change(scene(index, side=96)).save(tmp_path / copy)
            planted[copy] = f"{'ab'[index % 2]}/{index:03d}.png"
    table = read(tmp_path, ReadingConfig(), threads=2)
    look = {picture.path: picture.look or picture.path for picture in table.pictures}
    found = [copy for copy, original in planted.items() if look[copy] == look[original]]
    assert len(found) >= 0.95 * len(planted)
    false = [
        pair for pair in table.copies if planted.get(pair.first, pair.first) != planted.get(pair.second, pair.second)
    ]
    assert len(false) <= 0.01 * len(table.copies)
    [torn] = [finding.message for finding in table.findings if finding.code == "copies-two-labels"]
    assert torn.startswith("4 pairs")
    for seed in range(5):
        tested = {table.pictures[index].path for index in split(table, SplitConfig(), seed=seed).test}
        assert [copy for copy in found if (copy in tested) != (planted[copy] in tested)] == []


# Labels that mean nothing, and names that tell them.


@pytest.fixture
def unwritten(monkeypatch):
    monkeypatch.setattr("handful.api.training.write_run", lambda *_, **__: None)


def labelled_at_random(root, seed, *, named=False):
    """Writes a table of 60 pictures of one kind whose labels are drawn, and in their names where that is asked for."""
    labels = np.random.default_rng(seed).permutation(np.arange(60) % 2)
    folder = draw_folder(root / f"drawn-{seed}", classes=("circle",), per_class=60, size=32) / "circle"
    rows = []
    for index, label in enumerate(labels):
        name = f"{index:03d}-class{label}.png" if named else f"{index:03d}.png"
        (folder / f"{index:03d}.png").rename(folder / name)
        rows.append(f"{folder.relative_to(root)}/{name},class{label}")
    (root / f"{seed}.csv").write_text("\n".join(["path,label", *rows, ""]))
    return root / f"{seed}.csv"


@pytest.mark.usefixtures("unwritten", "toy")
def test_cross_validated_accuracy_of_random_labels_is_chance_also_where_names_tell_them(tmp_path):
    n_right = n_answered = 0
    for seed in range(4):
        table = labelled_at_random(tmp_path, seed, named=True)
        run = handful.train(table, tmp_path / f"run-{seed}", seed=seed, head="ridge", folds=5, **QUICK).run
        cross = run.trust.cross
        for fold in cross.folds:
            n_right += round(fold.accuracy * fold.n_test)
            n_answered += fold.n_test
    assert n_answered >= 200
    assert abs(n_right / n_answered - 0.5) < 3 * (0.25 / n_answered) ** 0.5


@pytest.mark.usefixtures("unwritten", "toy")
def test_names_change_no_number(tmp_path):
    runs = []
    for named in (False, True):
        (tmp_path / str(named)).mkdir()
        table = labelled_at_random(tmp_path / str(named), 7, named=named)
        runs.append(handful.train(table, tmp_path / f"run-{named}", head="ridge", **QUICK).run)
    np.testing.assert_array_equal(runs[0].test_proba, runs[1].test_proba)
    np.testing.assert_array_equal(runs[0].heads[0].held_out_proba, runs[1].heads[0].held_out_proba)


# Very few, and very unequal.


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(("n_classes", "per_class", "n_test"), [(2, 2, 2), (2, 5, 2), (4, 5, 4), (10, 5, 10)])
def test_under_ten_test_pictures_the_accuracy_carries_its_warning(tmp_path, n_classes, per_class, n_test, monkeypatch):
    kept = {}
    monkeypatch.setattr("handful.api.training.write_run", lambda run, *_, **__: kept.update(run=run))
    draw_folder(tmp_path / "few", classes=[f"class{n}" for n in range(n_classes)], per_class=per_class, size=32)
    run = handful.train(tmp_path / "few", tmp_path / "run", head="ridge", **QUICK).run
    figures = run.evaluation
    assert figures.n_test == n_test
    low, high = figures.accuracy_interval
    assert 0 <= low <= figures.accuracy <= high <= 1
    warned = [each.text for each in handful.report.remarks.remarks(run) if each.about == "few"]
    assert bool(warned) == (n_test < 10)
    assert all("the accuracy means little" in text for text in warned)
    first = "\n".join(handful.report.summary(run).splitlines()[:3])
    assert f"{100 * high:.1f}" in first.replace("\N{NO-BREAK SPACE}", " ") or f"{100 * high:.0f}" in first


def skewed(n_rare, n_common, *, group=""):
    """Returns a table of pictures that do not exist: one in so many is rare."""
    pictures = [
        Picture(
            path=f"{'rare' if index < n_rare else 'usual'}/{index:05d}.png",
            label=0 if index < n_rare else 1,
            file_sha256=sha256_bytes(b"file %d" % index),
            pixel_sha256=sha256_bytes(b"pixels %d" % index),
            width=8,
            height=8,
            group=group if index < n_rare else "",
        )
        for index in range(n_rare + n_common)
    ]
    return ImageTable(None, None, ("rare", "usual"), tuple(pictures))


@pytest.mark.parametrize("seed", range(3))
def test_one_in_a_thousand_is_on_each_side_of_the_split(seed):
    table = skewed(2, 2000)
    parts = split(table, SplitConfig(), seed=seed)
    for rows in (parts.train, parts.test):
        assert np.bincount(table.labels[rows], minlength=2).tolist()[0] == 1
    assert len(parts.test) == 335


def test_where_the_rare_ones_belong_together_it_is_said_why_none_tests():
    parts = split(skewed(2, 2000, group="patient 1"), SplitConfig(), seed=0)
    assert set(parts.train[:2]) == {0, 1}
    assert any("no test picture for 'rare': all its pictures belong together" in note for note in parts.notes)


def test_always_answering_the_usual_class_has_half_the_balanced_accuracy():
    labels = np.repeat([0, 1], [1, 1000])
    figures = evaluate(np.tile([0.0, 1.0], (1001, 1)), labels, classes=("rare", "usual"), train_labels=labels)
    assert figures.accuracy == 1000 / 1001
    assert figures.balanced_accuracy == 0.5


# The classes of a model.


@pytest.mark.usefixtures("toy", "unwritten")
def test_a_model_keeps_its_own_classes_whatever_the_folders_of_new_pictures_are_called(tmp_path, photos):
    run = handful.train(photos, tmp_path / "run", head="ridge", **QUICK)
    model = handful.load(tmp_path / "run")
    assert model.classes == run.run.table.classes == ("circle", "square", "triangle")
    other = draw_folder(tmp_path / "other", classes=("zebra", "aardvark"), per_class=2, size=32)
    answers = model.predict(other)
    assert {answer.label for answer in answers} <= set(model.classes)
    for name in ("answers.csv", "answers.jsonl"):
        model.predict_into(tmp_path / name, other)
    header = (tmp_path / "answers.csv").read_text().splitlines()[0]
    assert header.endswith("p_circle,p_square,p_triangle")
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert all(list(line["proba"]) == list(model.classes) for line in lines)
