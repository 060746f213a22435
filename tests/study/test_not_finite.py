"""NaN and infinity in features, losses and figures: that trial is failed with its step, and the study goes on."""

from __future__ import annotations

import numpy as np
import pytest

from handful.core.config import TrainConfig
from handful.core.errors import ConfigError
from handful.core.progress import Silent
from handful.core.study import Trial, TrialResult
from handful.core.training import Checkpoint
from handful.features.trunk import FrozenTrunk
from handful.images import read
from handful.split import split
from handful.study.conduct import Asked, conduct
from handful.study.trials import best_setting, settings_of
from tests.journeys.conftest import handful_command

BASE = {"backbone": "toy", "epochs": 3, "batch": 8, "augmentation": "none", "optimizer": "sgd"}
BROKEN = "pad"
"""The way to a square with which the network gives no numbers, below."""


@pytest.fixture
def study(photos, toy, tmp_path):
    """Runs a study of drawn pictures and returns its record."""
    table = read(photos, TrainConfig().reading, threads=1)
    parts = split(table, TrainConfig().split, seed=0)

    def made(*vary, **asked):
        config = TrainConfig.of({**BASE, **asked.pop("base", {})})
        wanted = Asked(vary=vary, **asked)
        return conduct(
            table, parts, config, wanted, folder=tmp_path / "study", command="", threads=2, progress=Silent()
        )

    return made


@pytest.fixture(params=[np.nan, np.inf], ids=str)
def broken(request, monkeypatch):
    """Makes one number of the features of squares with borders no number."""
    original = FrozenTrunk.open

    def opened(trunk, preprocessing, **rest):
        forward, batch = original(trunk, preprocessing, **rest)

        def spoilt(squares):
            features = tuple(each.copy() for each in forward(squares))
            features[0].flat[0] = request.param
            return features

        return (spoilt if preprocessing.fit == BROKEN else forward), batch

    monkeypatch.setattr(FrozenTrunk, "open", opened)


@pytest.mark.parametrize("head", ["C", "ridge"])
def test_a_setting_whose_features_are_no_numbers_is_failed_and_the_others_go_on(study, broken, head):
    made = study(f"fit={BROKEN},crop", seeds=2, base={"head": head})
    bad, good = made.settings
    assert [result.status for result in bad.results] == ["failed", "failed"]
    assert [result.failed_at for result in bad.results] == [0, 0]
    assert "a feature at" in bad.results[0].stopped
    assert [result.status for result in good.results] == ["done", "done"]
    assert made.best == 1


@pytest.mark.parametrize("broken", [np.nan], indirect=True)
def test_a_way_that_trains_layers_is_failed_too(study, broken):
    made = study(f"fit={BROKEN},crop", seeds=1, base={"strategy": "freeze", "freeze": "1"})
    assert [setting.results[0].status for setting in made.settings] == ["failed", "done"]
    assert made.best == 1


def test_a_search_goes_on_after_it(study, broken):
    made = study(f"fit={BROKEN},crop", "lr=1e-4..1e-1:log", search="random", trials=8, prune="halving", seeds=1)
    by_fit = {setting.options["fit"]: [result.status for result in setting.results] for setting in made.settings}
    assert set(by_fit[BROKEN]) == {"failed"}
    assert made.settings[made.best].options["fit"] == "crop"


@pytest.mark.parametrize("broken", [np.nan], indirect=True)
def test_a_study_of_nothing_else_ends_with_exit_code_3(photos, broken, toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ("--backbone", "toy", "--fit", BROKEN, "--epochs", "2", "--vary", "lr=1e-3,1e-2", "--seeds", "1")
    code, _, err = handful_command(monkeypatch, capsys, "study", photos, *options)
    assert code == 3
    assert "every trial of the study failed" in err
    code, _, err = handful_command(monkeypatch, capsys, "train", photos, "--backbone", "toy", "--fit", BROKEN)
    assert code == 3
    assert "a feature at" in err
    assert not list(tmp_path.glob("run*"))


@pytest.mark.parametrize(("strategy", "epochs"), [("features", 40), ("full", 4)])
def test_a_rate_that_explodes_has_a_step_in_every_way(study, strategy, epochs):
    made = study(
        "lr=1e-3,1000", seeds=1, base={"strategy": strategy, "momentum": 0.99, "l2": 9.0, "epochs": epochs, "head": "C"}
    )
    good, bad = (setting.results[0] for setting in made.settings)
    assert (good.status, bad.status) == ("done", "failed")
    assert bad.failed_at > 0
    assert made.best == 0


def test_a_rate_of_a_million_is_refused_before_anything_is_made(study, tmp_path):
    with pytest.raises(ConfigError, match=r"lr is 1000000"):
        study("lr=1e-3,1e6", seeds=1)
    assert not (tmp_path / "study").exists()


def test_a_figure_that_is_no_number_never_wins():
    def result(lr, *, status="done", loss=0.5, right=(True, False)):
        curve = (Checkpoint(1, 4, 0.5, 0.5, loss, 0.5),)
        failed = status == "failed"
        return TrialResult(Trial({"lr": lr}, 0), status, "", curve, 4 if failed else None, 8, () if failed else right)

    bad = result(1.0, loss=float("nan"))
    for results in ([bad, result(2.0)], [result(2.0), bad], [result(3.0, status="failed"), bad, result(2.0)]):
        settings = settings_of(results, ["lr"])
        assert settings[best_setting(settings, n_seeds=1)].options == {"lr": 2.0}
    settings = settings_of([bad], ["lr"])
    assert best_setting(settings, n_seeds=1) is None
