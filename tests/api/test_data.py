"""Training on, and answering for, what a program holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import handful
from handful.core.calls import extended, python_call, python_options
from handful.core.errors import DataError
from handful.report.suspects import correction
from handful.testing.pictures import draw_folder
from tests.images.test_films import film

pandas = pytest.importorskip("pandas")


@pytest.fixture
def frame(tmp_path):
    root = draw_folder(tmp_path / "photos", per_class=8, size=32)
    paths = sorted(root.rglob("*.png"))
    return pandas.DataFrame({"image": [str(path) for path in paths], "label": [path.parent.name for path in paths]})


def trained(data, out):
    return handful.train(data, out, backbone="toy", views="plain", head="ridge", threads=1)


def test_a_frame_trains_like_the_folder_it_lists_and_the_run_says_how(frame, toy, tmp_path):
    by_frame, by_folder = trained(frame, tmp_path / "frame"), trained(tmp_path / "photos", tmp_path / "folder")
    assert by_frame.evaluation.accuracy == by_folder.evaluation.accuracy
    command = json.loads((by_frame.folder / "result.json").read_text())["command"]
    assert command.startswith("handful.train(data, ")
    assert python_options(command) == {"backbone": "toy", "head": "ridge", "threads": 1, "views": "plain"}
    assert "pandas DataFrame with 24 rows" in by_frame.report.read_text("utf-8")


def test_pictures_in_memory_are_answered_like_their_files(frame, toy, tmp_path):
    model = trained(frame, tmp_path / "run").classifier
    paths = frame["image"].tolist()
    expected = [answer.proba for answer in model.predict(paths)]
    images = [Image.open(path) for path in paths]
    for pictures in (images, [np.asarray(one) for one in images], np.stack(images), frame, frame["image"]):
        np.testing.assert_allclose([answer.proba for answer in model.predict(pictures)], expected, atol=1e-6)
    (alone,) = model.predict(np.asarray(images[3]))
    np.testing.assert_allclose(alone.proba, expected[3], atol=1e-6)
    (alone,) = model.predict(Path(paths[3]).read_bytes())
    np.testing.assert_allclose(alone.proba, expected[3], atol=1e-6)
    assert model.predict([*images[:2], "nowhere.png"]).skipped[0].reason == "there is no such file"


def test_a_classifier_of_scikit_learn_takes_a_frame_with_or_without_labels_apart(frame, toy):
    classifier = handful.ImageClassifier(backbone="toy", views="plain", head="ridge", threads=1)
    own = classifier.fit(frame).predict_proba(frame)
    np.testing.assert_array_equal(classifier.fit(frame, frame["label"]).predict_proba(frame["image"]), own)
    with pytest.raises(DataError, match="24 rows has 3 labels; expected one for each row"):
        classifier.fit(frame, ["a", "b", "a"])


def test_one_path_is_not_taken_for_a_list_of_letters(toy):
    with pytest.raises(DataError, match="'photos' is one path"):
        handful.ImageClassifier().fit("photos", ["a", "b"])


def test_advice_and_ranking_take_frames_too(frame, toy, monkeypatch):
    from handful.backbones import catalog

    monkeypatch.setattr(catalog, "SPECS", (catalog.find("toy"),))
    assert handful.rank_backbones(frame, threads=1).best == "toy"


def test_a_model_that_learnt_from_films_answers_for_the_frames_of_others(toy, tmp_path):
    for number in range(4):
        film(tmp_path / "films" / "bright" / f"{number}.mp4", shade=120 + 5 * number)
        film(tmp_path / "films" / "dark" / f"{number}.mp4", shade=5 * number)
    handful.train(tmp_path / "films", tmp_path / "run", backbone="toy", head="ridge", fps=1.0, threads=1)
    new = film(tmp_path / "new.mp4", shade=122)
    answers = handful.load(tmp_path / "run").predict(new)
    assert [answer.path for answer in answers] == [f"{new}/00000.000s.png", f"{new}/00001.000s.png"]
    assert {answer.label for answer in answers} == {"bright"}


def test_calls_are_extended_as_commands_are():
    call = python_call({"seed": 1, "labels": ("a.csv",)})
    assert extended(call, {"folds": 5}) == "handful.train(data, seed=1, labels=('a.csv',), folds=5)"
    assert python_options(correction(call, "b.csv"))["labels"] == ("a.csv", "b.csv")
    assert extended("handful train 'my photos'", {"class_weights": "balanced"}) == (
        "handful train 'my photos' --class-weights balanced"
    )
