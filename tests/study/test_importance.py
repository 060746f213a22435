import dataclasses
import logging
import sys

import pytest

from handful.study.importance import CHANCE, FEWEST, importance
from tests.study.made import search_study


def test_the_option_that_decides_comes_first_and_chance_is_beside_it():
    pytest.importorskip("optuna")
    found = importance(search_study(n_trials=40))
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert next(iter(found.shares)) == "lr"
    assert found.shares["lr"] > 3 * found.shares[CHANCE]
    assert set(found.shares) == {"lr", "momentum", "batch", "nonlinearity", CHANCE}
    assert found.missing == ""


def test_it_is_the_same_every_time_and_says_nothing(caplog):
    pytest.importorskip("optuna")
    made = search_study(n_trials=20)
    with caplog.at_level(logging.INFO):
        assert importance(made) == importance(made)
    assert caplog.records == []


def test_few_settings_are_refused():
    made = search_study(n_trials=FEWEST - 1)
    found = importance(made)
    assert found.shares == {}
    assert f"it takes at least {FEWEST}" in found.missing


def test_equal_accuracies_have_no_cause():
    made = search_study(n_trials=20)
    equal = tuple(dataclasses.replace(each, accuracy=0.8) for each in made.settings)
    assert importance(dataclasses.replace(made, settings=equal)).missing == "all settings are equally good"


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "pip install 'handful[search]'" in importance(search_study(n_trials=20)).missing
