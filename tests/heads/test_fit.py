import numpy as np
import pytest

from handful.core.errors import DataError
from handful.heads import fit_head, pool_views, predict_proba
from tests.heads.test_ridge import problem


@pytest.mark.parametrize("kind", ["ridge", "logistic", "linear", "kernel", "average"])
def test_a_wanted_kind_is_what_comes(kind):
    features, labels = problem()
    head, reason = fit_head(features, labels, kind=kind, n_classes=3, units=np.arange(40), seed=0)
    assert head.kind == reason.value == kind


def test_auto_takes_the_lowest_held_out_loss_and_says_so():
    features, labels = problem()
    units = np.arange(40)
    heads = {
        kind: fit_head(features, labels, kind=kind, n_classes=3, units=units, seed=0)[0]
        for kind in ("ridge", "logistic", "linear", "kernel", "average")
    }
    chosen, reason = fit_head(features, labels, kind="auto", n_classes=3, units=units, seed=0)
    assert chosen.held_out_loss == min(head.held_out_loss for head in heads.values())
    assert f"{chosen.held_out_loss:.4f}" in reason.reason


def test_auto_skips_what_a_large_set_makes_slow_and_says_so(monkeypatch):
    features, labels = problem()
    monkeypatch.setattr("handful.heads.fit.LOGISTIC_LIMIT", features.size * 3 - 1)
    monkeypatch.setattr("handful.heads.fit.KERNEL_LIMIT", len(features) - 1)
    _, reason = fit_head(features, labels, kind="auto", n_classes=3, units=np.arange(40), seed=0)
    assert reason.value == "ridge"
    assert "too large" in reason.reason


@pytest.mark.parametrize(("parts", "whole"), [(("ridge", "logistic"), "linear"), (("linear", "kernel"), "average")])
def test_an_averaged_head_answers_with_the_mean_log_odds(parts, whole):
    features, labels = problem()
    fit = {
        kind: fit_head(features, labels, kind=kind, n_classes=3, units=np.arange(40), seed=0)[0]
        for kind in (*parts, whole)
    }
    views = features[:, None, :]
    logs = [np.log(predict_proba(fit[kind].layer, views)) for kind in parts]
    mean = (logs[0] + logs[1]) / 2 / fit[whole].layer.temperature
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict_proba(fit[whole].layer, views), expected, atol=1e-9)


def test_views_are_averaged_before_the_head():
    features, labels = problem()
    head, _ = fit_head(features, labels, kind="ridge", n_classes=3, units=np.arange(40), seed=0)
    views = np.stack([features, features + 1.0], axis=1)
    np.testing.assert_allclose(
        predict_proba(head.layer, views), predict_proba(head.layer, (features + 0.5)[:, None, :]), atol=1e-6
    )


def test_pooled_views_are_held_out_as_they_are_predicted():
    features, labels = problem()
    rows = np.repeat(features, 2, axis=0)
    rows[1::2] += 0.1
    head, _ = fit_head(rows, np.repeat(labels, 2), kind="ridge", n_classes=3, units=np.repeat(np.arange(40), 2), seed=0)
    pooled = pool_views(head, labels, n_views=2)
    assert pooled.held_out_proba.shape == (40, 3)
    averaged = np.log(head.held_out_proba).reshape(40, 2, 3).mean(axis=1)
    expected = np.exp(averaged * head.layer.temperature / pooled.layer.temperature)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(pooled.held_out_proba, expected, atol=1e-9)
    assert pooled.layer.weight is head.layer.weight


def test_rows_that_cannot_be_held_out_are_refused():
    features, labels = problem()
    with pytest.raises(DataError, match="none can be held out"):
        fit_head(features, labels, kind="ridge", n_classes=3, units=np.zeros(40, dtype=int), seed=0)
