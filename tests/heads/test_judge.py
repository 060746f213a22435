"""Rows that no model can get right which did not see them are not judged by."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from handful.core.errors import NothingHeldOutError
from handful.heads import choose_temperature, fit_head, pool_views
from handful.heads.fit import KINDS
from handful.heads.judge import Judge
from handful.heads.typical import PENALTY, TEMPERATURE

UNITS = np.arange(41)


def problem():
    """Returns features, labels: 40 rows of three classes, and one of a fourth."""
    rng = np.random.default_rng(0)
    labels = np.r_[np.arange(40) % 3, 3]
    centres = 3.0 * rng.normal(size=(4, 12))
    return (centres[labels] + rng.normal(size=(41, 12))).astype(np.float32), labels


def single():
    """Returns features and labels of one row of each of five classes, of unlike lengths."""
    rng = np.random.default_rng(1)
    return (rng.uniform(size=(5, 12)) * np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])).astype(np.float32), np.arange(5)


def test_scores_are_judged_by_the_other_rows():
    _, labels = problem()
    scores = np.random.default_rng(2).normal(size=(41, 4)) + 2.0 * np.eye(4)[labels]
    judge = Judge.of(labels, UNITS, None)
    assert judge.choose_temperature(scores) == choose_temperature(scores[:40], labels[:40])
    assert judge.accuracy(scores) == np.mean(scores[:40].argmax(axis=1) == labels[:40])


def test_the_weights_of_the_other_rows_have_mean_one():
    _, labels = problem()
    scores = np.random.default_rng(2).normal(size=(41, 4)) + 2.0 * np.eye(4)[labels]
    weights = np.r_[np.ones(40), 21.5] * 41 / 61.5
    alike = choose_temperature(scores[:40], labels[:40], np.ones(40))
    assert Judge.of(labels, UNITS, weights).choose_temperature(scores) == pytest.approx(alike, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_of_one_picture_changes_no_loss_by_an_answer_that_must_be_wrong(kind):
    features, labels = problem()
    head, _ = fit_head(features, labels, kind=kind, n_classes=4, units=UNITS, seed=0)
    scores = np.log(head.held_out_proba)
    assert head.held_out_loss == pytest.approx(choose_temperature(scores[:40], labels[:40])[1], abs=1e-5)
    assert head.held_out_proba[40].argmax() != 3
    assert head.judged.tolist() == [True] * 40 + [False]


def test_one_picture_of_every_class_makes_a_ridge_layer_with_typical_settings():
    features, labels = single()
    head, kind = fit_head(features, labels, kind="auto", n_classes=5, units=labels, seed=0)
    assert kind.value == head.kind == "ridge"
    assert "nothing could be held out" in kind.reason
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    alike = features / lengths * lengths.mean()
    square = np.mean(np.sum((alike - alike.mean(axis=0)) ** 2, axis=1))
    reference = Ridge(alpha=PENALTY * square).fit(alike.astype(float), np.eye(5))
    np.testing.assert_allclose(head.layer.weight, reference.coef_.T, atol=1e-6)
    np.testing.assert_allclose(head.layer.bias, reference.intercept_, atol=1e-6)
    assert head.layer.temperature == TEMPERATURE
    assert np.isnan(head.held_out_loss)
    assert head.search == ()
    assert not head.judged.any()


def test_a_row_of_zeros_is_no_fault():
    features, labels = single()
    features[2] = 0.0
    head, _ = fit_head(features, labels, kind="ridge", n_classes=5, units=labels, seed=0)
    assert np.isfinite(head.layer.weight).all()


def test_views_of_one_picture_leave_the_settings_alone():
    features, labels = single()
    rows = np.repeat(features, 2, axis=0)
    head, _ = fit_head(rows, np.repeat(labels, 2), kind="auto", n_classes=5, units=np.repeat(labels, 2), seed=0)
    pooled = pool_views(head, labels, n_views=2)
    assert pooled.layer is head.layer
    assert pooled.held_out_proba.shape == (5, 5)
    assert pooled.judged.shape == (5,)


def test_views_of_a_class_of_one_picture_are_not_judged():
    features, labels = problem()
    rows, units = np.repeat(features, 2, axis=0), np.repeat(UNITS, 2)
    head, _ = fit_head(rows, np.repeat(labels, 2), kind="ridge", n_classes=4, units=units, seed=0)
    pooled = pool_views(head, labels, n_views=2)
    assert pooled.judged.tolist() == [True] * 40 + [False]
    logs = np.log(pooled.held_out_proba)
    assert pooled.held_out_loss == pytest.approx(choose_temperature(logs[:40], labels[:40])[1], abs=1e-5)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"ridge"}))
def test_other_layers_need_two_pictures_of_a_class(kind):
    features, labels = single()
    with pytest.raises(NothingHeldOutError, match=r"no class has two training pictures .* take --head ridge"):
        fit_head(features, labels, kind=kind, n_classes=5, units=labels, seed=0)
