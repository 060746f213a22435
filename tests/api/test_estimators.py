"""handful inside scikit-learn."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import handful
from handful.core.config import option_fields
from handful.core.errors import ConfigError, DataError
from handful.testing.pictures import draw_folder
from tests.api.painted import PaintedClassifier, PaintedExtractor

DOES_NOT_APPLY = {
    "check_array_api_input": "pictures are arrays of NumPy or files; scikit-learn skips it too without SCIPY_ARRAY_API",
}
"""Of scikit-learn's checks. They feed rows of numbers, which are painted as pictures here; see `painted.py`."""


@pytest.fixture
def shapes(tmp_path):
    """36 paths and their labels."""
    root = draw_folder(tmp_path / "photos", per_class=12, size=32)
    paths = sorted(map(str, root.rglob("*.png")))
    return paths, np.array([path.split("/")[-2] for path in paths])


def toy_classifier(**options):
    return handful.ImageClassifier(backbone="toy", views="plain", threads=1, **options)


def arrays(paths):
    return [np.asarray(Image.open(path)) for path in paths]


@pytest.mark.parametrize("estimator", [PaintedClassifier, PaintedExtractor])
@pytest.mark.filterwarnings("ignore")
def test_the_checks_of_scikit_learn_pass(estimator, toy):
    options = {"backbone": "toy", "views": "plain", "threads": 1}
    if estimator is PaintedClassifier:
        options["head"] = "ridge"
    results = check_estimator(estimator(**options), on_fail=None, on_skip=None)
    faults = {one["check_name"]: one["exception"] for one in results if one["status"] != "passed"}
    assert {name: fault for name, fault in faults.items() if name not in DOES_NOT_APPLY} == {}
    assert len(results) > 30


def test_fit_learns_from_all_rows_by_the_engine_of_train(shapes, toy, tmp_path):
    paths, labels = shapes
    classifier = toy_classifier(head="ridge").fit(paths, labels)
    assert classifier.classes_.tolist() == ["circle", "square", "triangle"]
    assert classifier.held_out_.n_test == 36
    (tmp_path / "again").mkdir()
    table = tmp_path / "all.csv"
    rows = [f"{path},{label},train" for path, label in zip(paths, labels, strict=True)]
    test = draw_folder(tmp_path / "other", per_class=2, size=32, seed=5)
    rows += [f"{path},{path.parent.name},test" for path in sorted(test.rglob("*.png"))]
    table.write_text("\n".join(["path,label,split", *rows]))
    result = handful.train(table, tmp_path / "run", backbone="toy", views="plain", head="ridge", threads=1)
    np.testing.assert_allclose(
        classifier.predict_proba(paths), [answer.proba for answer in result.predict(paths)], atol=1e-6
    )
    assert classifier.held_out_.accuracy == result.run.held_out.accuracy


def test_paths_arrays_and_pillows_pictures_are_one_and_the_same(shapes, toy):
    paths, labels = shapes
    classifier = toy_classifier().fit(paths, labels)
    by_path = classifier.predict_proba(paths)
    np.testing.assert_allclose(by_path.sum(axis=1), 1.0)
    for pictures in (arrays(paths), np.stack(arrays(paths)), [Image.open(path) for path in paths]):
        np.testing.assert_allclose(classifier.predict_proba(pictures), by_path, atol=1e-6)
    assert classifier.score(paths, labels) == np.mean(classifier.predict(paths) == labels)


@pytest.mark.parametrize("names", [[10, 9, 2], [True, False, True], ["b", "a", "c"]])
def test_labels_come_back_as_they_were_and_columns_in_their_order(names, shapes, toy):
    paths, labels = shapes
    own = np.array(names)[np.unique(labels, return_inverse=True)[1]]
    classifier = toy_classifier(head="ridge").fit(paths, own)
    np.testing.assert_array_equal(classifier.classes_, np.unique(own))
    answers = classifier.predict(paths)
    assert answers.dtype == own.dtype
    np.testing.assert_array_equal(classifier.classes_[classifier.predict_proba(paths).argmax(axis=1)], answers)
    assert np.mean(answers == own) > 0.6


def test_one_picture_may_be_in_several_rows_and_rows_need_no_order(shapes, toy):
    paths, labels = shapes
    rows = np.random.default_rng(0).integers(0, 36, 50)
    classifier = toy_classifier(head="ridge").fit([paths[row] for row in rows], labels[rows])
    np.testing.assert_allclose(
        classifier.predict_proba([paths[row] for row in rows]), classifier.predict_proba(paths)[rows], atol=1e-6
    )


def test_cross_validation_grid_search_pipelines_and_clones_work(shapes, toy):
    paths, labels = shapes
    pictures = np.stack(arrays(paths))
    assert cross_val_score(toy_classifier(head="ridge"), paths, labels, cv=2, error_score="raise").shape == (2,)
    search = GridSearchCV(toy_classifier(), {"head": ["ridge", "kernel"]}, cv=2, error_score="raise")
    search.fit(pictures, labels)
    assert search.best_params_["head"] in ("ridge", "kernel")
    pipeline = Pipeline([("model", search.best_estimator_)])
    again = clone(pipeline).set_params(model__head="ridge").fit(pictures, labels)
    assert again.predict(pictures[:3]).shape == (3,)


def test_the_extractor_feeds_any_estimator(shapes, toy):
    paths, labels = shapes
    extractor = handful.FeatureExtractor(backbone="toy", views="mirror", threads=1)
    features = extractor.fit_transform(paths)
    assert (features.shape, features.dtype) == ((36, 16), np.float32)
    np.testing.assert_array_equal(features[[3, 1]], extractor.transform(arrays([paths[3], paths[1]])))
    assert extractor.get_feature_names_out()[:2].tolist() == ["toy_0", "toy_1"]
    frame = clone(extractor).set_output(transform="pandas").fit_transform(paths)
    assert frame.columns[15] == "toy_15"
    both = make_pipeline(extractor, LogisticRegression(max_iter=2000)).fit(paths, labels)
    answers = LogisticRegression(max_iter=2000).fit(features, labels).predict(features)
    np.testing.assert_array_equal(both.predict(paths), answers)


def test_the_extractor_gives_what_the_classifier_learns_from(shapes, toy):
    paths, labels = shapes
    classifier = toy_classifier(head="ridge").fit(paths, labels)
    features = handful.FeatureExtractor(backbone="toy", views="plain", interpolation="bilinear").fit_transform(paths)
    (member,) = classifier.classifier_.model.members
    if member.preprocessing.interpolation == "bilinear":
        head = member.head
        scores = (features @ head.weight + head.bias) / head.temperature
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(classifier.predict_proba(paths), expected, atol=1e-6)


def test_a_fitted_estimator_survives_pickling_on_a_machine_without_weights(shapes, toy, monkeypatch):
    paths, labels = shapes
    classifier = toy_classifier(head="ridge").fit(paths, labels)
    kept = pickle.dumps(classifier)
    expected = classifier.predict_proba(paths)
    monkeypatch.setattr("handful.transfer.way.locate_weights", None)
    np.testing.assert_allclose(pickle.loads(kept).predict_proba(paths), expected, atol=1e-6)
    extractor = handful.FeatureExtractor(backbone="toy").fit(paths)
    features = extractor.transform(paths)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(extractor)).transform(paths), features)


def test_groups_are_not_torn_apart_within_the_fit(shapes, toy):
    paths, labels = shapes
    with pytest.raises(DataError, match="of one group"):
        toy_classifier(head="ridge").fit(paths, labels, groups=["all"] * 36)


def test_every_argument_is_an_option_of_train_with_its_default():
    declared = option_fields()
    for estimator in (handful.ImageClassifier(), handful.FeatureExtractor()):
        for name, value in estimator.get_params().items():
            assert value == declared[name][1].default, name


def test_faults_are_said_in_the_words_of_train_or_of_scikit_learn(shapes, toy):
    paths, labels = shapes
    with pytest.raises(ConfigError, match="head is 'rigde'"):
        toy_classifier(head="rigde").fit(paths, labels)
    with pytest.raises(ValueError, match="one class"):
        toy_classifier().fit(paths, ["a"] * 36)
    with pytest.raises(ValueError, match="Unknown label type"):
        toy_classifier().fit(paths, np.linspace(0.0, 1.0, 36))
    with pytest.raises(DataError, match="36 pictures and 3 labels"):
        toy_classifier().fit(paths, labels[[0, 1, 35]])
    with pytest.raises(DataError, match="a list is no data set that is known"):
        toy_classifier().fit(paths)
    with pytest.raises(ValueError, match="groups were given and y was not"):
        toy_classifier().fit(paths, groups=labels)
    with pytest.raises(NotFittedError):
        toy_classifier().predict(paths)
    with pytest.raises(DataError, match="1 of the 2 pictures cannot be read"):
        toy_classifier(head="ridge").fit(paths, labels).predict([paths[0], "nowhere.png"])


def test_handful_is_imported_without_scikit_learn_and_names_the_extra(tmp_path):
    code = (
        "import sys, handful\n"
        "assert 'sklearn' not in sys.modules and 'torch' not in sys.modules\n"
        "sys.modules['sklearn'] = None\n"
        "try: handful.ImageClassifier\n"
        "except handful.MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'handful[sklearn]'" in done.stdout


def test_pictures_of_12_bits_have_the_features_of_the_same_in_8_and_keep_the_scale_of_the_fit(toy, tmp_path):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (4, 40, 40), dtype=np.uint8)
    grey[0, 0, 0], grey[3] = 255, grey[3] // 8
    deep, plain = [], []
    for number, values in enumerate(grey):
        deep.append(tmp_path / f"deep-{number}.png")
        plain.append(tmp_path / f"plain-{number}.png")
        Image.fromarray(np.rint(values * (4095 / 255)).astype(np.uint16)).save(deep[-1])
        Image.fromarray(values).save(plain[-1])
    extractor = handful.FeatureExtractor(backbone="toy", views="plain", interpolation="bilinear")
    expected = extractor.fit_transform(plain)
    np.testing.assert_array_equal(extractor.fit(deep).transform(deep), expected)
    np.testing.assert_array_equal(extractor.transform(deep[3:]), expected[3:])


def test_an_empty_label_is_refused(shapes, toy):
    paths, labels = shapes
    with pytest.raises(ValueError, match="a label is an empty text"):
        toy_classifier().fit(paths, ["", *labels[1:]])
