from types import SimpleNamespace

import numpy as np
import pytest

from handful.core.config import TrainConfig
from handful.core.errors import ConfigError
from handful.core.machine import limit_threads
from handful.core.progress import Silent
from handful.core.records import Split
from handful.core.trust import Comparison
from handful.heads import fit_head, predict_proba
from handful.split import folds
from handful.testing.tables import table_of
from handful.transfer.cross import check_folds, cross_validate


@pytest.fixture(autouse=True)
def one_thread():
    """These systems are tiny: on a busy machine, threads wait for each other longer than they work."""
    with limit_threads(1):
        yield


def problem(n_images=60, n_features=8, seed=0, noise=1.5):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_images) % 3
    centres = rng.normal(size=(3, n_features))
    return (centres[labels] + noise * rng.normal(size=(n_images, n_features))).astype(np.float32), labels


def everything(table):
    """A split that learns from every picture."""
    rows, none = np.arange(len(table.pictures)), np.zeros(0, np.int64)
    return Split(rows, none, none, given=False)


def chosen(*kinds, losses=(0.5,), names=("toy",)):
    """What a training chose: for each network one kind, the others as its rivals."""
    heads = tuple(
        SimpleNamespace(kind=kinds[0], rivals=tuple((kind, 1.0) for kind in kinds[1:]), held_out_loss=loss)
        for loss in losses
    )
    return SimpleNamespace(heads=heads, weights=tuple(SimpleNamespace(backbone=name) for name in names))


def crossed(features, labels, trained, tmp_path, *, groups=None, n_folds=3, repeats=2, **options):
    table = table_of(labels.tolist(), tmp_path, groups=groups)
    config = TrainConfig.of({"folds": n_folds, "repeats": repeats, "seed": 4, **options})
    views = [values if values.ndim == 3 else values[:, None] for values in features]
    return cross_validate(trained, views, table, everything(table), config, threads=2, progress=Silent())


def by_hand(features, labels, kind, *, n_folds=3, repeats=2):
    """Right answers of every fold, in order, by heads that were fitted on the fold's training part alone."""
    found = []
    for repeat in range(repeats):
        fold_of = folds(labels, np.arange(len(labels)), n_folds=n_folds, seed=4 + repeat)
        for fold in range(n_folds):
            learn = fold_of != fold
            head, _ = fit_head(
                features[learn], labels[learn], kind=kind, n_classes=3, units=np.flatnonzero(learn), seed=4
            )
            right = predict_proba(head.layer, features[~learn][:, None]).argmax(axis=1) == labels[~learn]
            found.append((right.mean(), head.kind))
    return found


def test_everything_is_chosen_anew_on_each_folds_training_part(tmp_path):
    features, labels = problem()
    kinds = ("ridge", "logistic", "linear", "kernel", "average")
    cross = crossed([features], labels, chosen("linear", *(kind for kind in kinds if kind != "linear")), tmp_path)
    expected = by_hand(features, labels, "auto")
    assert [(fold.accuracy, *fold.heads) for fold in cross.folds] == expected
    assert len({fold.heads for fold in cross.folds}) > 1, "a set on which folds choose differently tests more"
    assert cross.accuracy == pytest.approx(np.mean([accuracy for accuracy, _ in expected]))
    assert cross.spread == pytest.approx(np.std([accuracy for accuracy, _ in expected], ddof=1))
    assert [fold.repeat for fold in cross.folds] == [0, 0, 0, 1, 1, 1]


def test_the_runner_up_is_fitted_in_the_same_folds(tmp_path):
    features, labels = problem()
    cross = crossed([features], labels, chosen("ridge", "kernel"), tmp_path, repeats=1)
    ridge, kernel = ([each for each, _ in by_hand(features, labels, kind, repeats=1)] for kind in ("ridge", "kernel"))
    gains = np.subtract(ridge, kernel)
    np.testing.assert_allclose([fold.gain for fold in cross.folds], gains)
    assert (cross.comparison.chosen, cross.comparison.runner_up) == ("the ridge head", "the kernel head")
    assert cross.comparison.gain == pytest.approx(gains.mean())


def test_several_networks_are_compared_with_the_best_alone(tmp_path):
    features, labels = problem()
    noise = np.random.default_rng(9).normal(size=(60, 5)).astype(np.float32)
    trained = chosen("ridge", losses=(0.9, 0.4), names=("bad", "good"))
    cross = crossed([noise, features], labels, trained, tmp_path)
    alone = np.array([each for each, _ in by_hand(features, labels, "ridge")])
    accuracy = np.array([fold.accuracy for fold in cross.folds])
    np.testing.assert_allclose([fold.gain for fold in cross.folds], accuracy - alone)
    assert cross.comparison.runner_up == "good alone"
    assert cross.comparison.chosen == "the average of bad and good"


def test_one_kind_alone_is_compared_with_nothing(tmp_path):
    features, labels = problem()
    cross = crossed([features], labels, chosen("ridge"), tmp_path)
    assert cross.comparison is None
    assert {fold.gain for fold in cross.folds} == {None}


def test_groups_stay_on_one_side(tmp_path):
    rng = np.random.default_rng(0)
    of_group = rng.normal(size=(24, 20))
    group = np.repeat(np.arange(24), 3)
    features = (of_group[group] + 0.01 * rng.normal(size=(72, 20))).astype(np.float32)
    labels = (np.arange(24) % 3)[group]
    apart = crossed([features], labels, chosen("kernel"), tmp_path, repeats=1)
    together = crossed([features], labels, chosen("kernel"), tmp_path, repeats=1, groups=[str(each) for each in group])
    assert apart.accuracy > 0.95
    assert together.accuracy < 0.6


def test_views_as_rows_are_held_out_together(tmp_path):
    features, labels = problem(n_images=30)
    views = np.stack([features, features + 0.01], axis=1)
    cross = crossed([views], labels, chosen("ridge"), tmp_path, view_use="rows", views="mirror")
    assert [fold.n_train + fold.n_test for fold in cross.folds] == [30] * 6
    assert cross.accuracy < 1.0


@pytest.mark.parametrize(
    ("labels", "groups", "reason"),
    [
        ([0, 0, 0, 1, 1], None, r"folds is 3, and class 'class 1' has 2 training pictures; .*Take --folds 2 or fewer"),
        ([0, 0, 0, 1, 1, 1], list("abcdde"), r"has 3 training pictures, 2 where copies.*count once; .*--folds 2"),
        ([0, 0, 0, 1], None, r"'class 1' has 1 training picture; every fold needs one of every class. Add pictures"),
    ],
)
def test_fewer_pictures_of_a_class_than_folds_are_refused(tmp_path, labels, groups, reason):
    table = table_of(labels, tmp_path, groups=groups)
    with pytest.raises(ConfigError, match=reason):
        check_folds(TrainConfig.of({"folds": 3}).trust, table, everything(table))


@pytest.mark.parametrize(
    ("spread", "interval", "shown"),
    [(0.1, (0.01, 0.2), True), (0.1, (-0.2, -0.01), True), (0.1, (-0.01, 0.2), False), (1e-17, (0.1, 0.1), False)],
)
def test_better_is_said_only_where_the_interval_excludes_nought_and_folds_differ(spread, interval, shown):
    assert Comparison("a", "b", sum(interval) / 2, spread, interval).shown == shown


def test_a_fold_that_learns_from_one_picture_of_every_class_has_typical_settings(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 2)
    features = (3.0 * np.eye(3)[labels] + 0.1 * rng.normal(size=(6, 3))).astype(np.float32)
    cross = crossed([features], labels, chosen("kernel", "ridge"), tmp_path, n_folds=2)
    assert [(fold.n_train, fold.heads, fold.gain) for fold in cross.folds] == [(3, ("ridge",), 0.0)] * 4
    assert cross.accuracy == 1.0
