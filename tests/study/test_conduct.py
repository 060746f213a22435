"""Studies from end to end on the toy network: shared work, resumption, searches."""

from __future__ import annotations

import importlib
import json
import shutil
from types import MappingProxyType

import numpy as np
import pytest

from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, DataError, HandfulError
from handful.core.progress import Silent
from handful.images import read
from handful.split import split
from handful.study import run as running
from handful.study.conduct import Asked, conduct, summed_up, winner
from handful.study.trials import best_setting, settings_of, trial_key
from handful.testing.pictures import draw_folder

BASE = {"backbone": "toy", "epochs": 3, "batch": 8, "augmentation": "none", "optimizer": "sgd"}


@pytest.fixture
def study(photos, toy, tmp_path):
    """Runs a study of drawn pictures and returns its record."""
    table = read(photos, TrainConfig().reading, threads=1)
    parts = split(table, TrainConfig().split, seed=0)

    def made(*vary, out="study", threads=2, base=MappingProxyType({}), **asked):
        fixed = {name: value for name, value in BASE.items() if not any(text.startswith(name) for text in vary)}
        config = TrainConfig.of({**fixed, **base})
        wanted = Asked(vary=vary, **asked)
        return conduct(
            table, parts, config, wanted, folder=tmp_path / out, command="", threads=threads, progress=Silent()
        )

    return made


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "trials").iterdir()}


def test_a_grid_has_a_result_for_every_setting_and_seed(study, tmp_path):
    made = study("lr=1e-3,1e-2", "head=C,6-C", seeds=2)
    assert [dict(setting.options) for setting in made.settings] == [
        {"lr": lr, "head": head} for lr in (1e-3, 1e-2) for head in ("C", "6-C")
    ]
    assert len(files(tmp_path / "study")) == 8
    assert (made.plan.n_learn, made.plan.n_validation, made.plan.n_test) == (40, 7, 8)
    for setting in made.settings:
        assert [result.trial.seed for result in setting.results] == [0, 1]
        assert [len(result.right) for result in setting.results] == [7, 7]
        assert [checkpoint.epoch for checkpoint in setting.results[0].curve] == [1, 2, 3]
        assert setting.accuracy == pytest.approx(np.mean([result.right for result in setting.results]))
    accuracies = [setting.accuracy for setting in made.settings]
    assert accuracies[made.best] == max(accuracies)


def test_the_number_of_threads_changes_no_bit(study, tmp_path):
    axes = ("lr=1e-4..1e-1:log6", "nonlinearity=tanh,sigmoid")
    for out, threads in (("one", 1), ("three", 3)):
        study(*axes, out=out, threads=threads, seeds=3, base={"head": "5-C"})
    assert files(tmp_path / "one") == files(tmp_path / "three")
    assert len(files(tmp_path / "one")) == 36


def test_a_study_that_was_interrupted_resumes_to_the_same_files(study, tmp_path, monkeypatch):
    axes = ("lr=1e-3,1e-2", "strategy=features,freeze")
    whole = study(*axes, out="whole", seeds=2)
    save, n_left = running.save_result, [0]

    def breaks(folder, result, **rest):
        if not n_left[0]:
            raise KeyboardInterrupt
        n_left[0] -= 1
        save(folder, result, **rest)

    monkeypatch.setattr(running, "save_result", breaks)
    for n_saved in (1, 3, 2):
        n_left[0] = n_saved
        with pytest.raises(KeyboardInterrupt):
            study(*axes, seeds=2, resume=True)
    assert 0 < len(files(tmp_path / "study")) < 8
    monkeypatch.setattr(running, "save_result", save)
    resumed = study(*axes, seeds=2, resume=True)
    assert files(tmp_path / "study") == files(tmp_path / "whole")
    assert resumed.settings == whole.settings


def test_a_finished_study_is_not_trained_again(study, monkeypatch):
    before = study("lr=1e-3,1e-2", seeds=2)
    monkeypatch.setattr(running, "problems", None)
    monkeypatch.setattr(running, "frozen_features", None)
    assert study("lr=1e-3,1e-2", seeds=2, resume=True).settings == before.settings


def test_a_folder_with_another_study_is_left_alone(study):
    study("lr=1e-3,1e-2", seeds=2)
    with pytest.raises(HandfulError, match=r"holds a study. Go on with it: --resume"):
        study("lr=1e-3,1e-2", seeds=2)
    with pytest.raises(ConfigError, match=r"holds another study: it differs in axes, seeds"):
        study("lr=1e-3,1e-1", seeds=3, resume=True)


def test_every_kind_of_trial_is_told_alike(study):
    made = study("strategy=features,freeze,full,scratch", seeds=1)
    solved = study("head=ridge,kernel,C", out="solved", seeds=1)
    for setting in (*made.settings, *solved.settings):
        (result,) = setting.results
        assert result.status == "done"
        assert len(result.right) == 7
        assert result.n_train == 33
    assert [setting.results[0].curve[-1].epoch for setting in solved.settings] == [0, 0, 3]
    assert [len(setting.results[0].curve) for setting in made.settings] == [3, 3, 3, 3]


def test_frozen_layers_run_once_for_all_trials_of_a_cut(study, monkeypatch):
    layers = importlib.import_module("handful.transfer.layers")
    computed = []
    original = layers.frozen_activations

    def counted(trunk, shown, **rest):
        computed.append((len(shown.pictures), shown.augmentation))
        return original(trunk, shown, **rest)

    monkeypatch.setattr(layers, "frozen_activations", counted)
    study("strategy=freeze", "lr=1e-3,1e-2", "freeze=1", base={"augmentation": "ksh"}, seeds=3)
    assert computed == [(40, "ksh"), (40, "none")]


def test_fewer_pictures_are_nested_and_validate_on_the_same_ones(study):
    made = study("images=6,12,33", seeds=2)
    assert [setting.results[0].n_train for setting in made.settings] == [6, 12, 33]
    assert {len(result.right) for setting in made.settings for result in setting.results} == {7}
    with pytest.raises(ConfigError, match=r"images is 34; expected from 3 .* to 33"):
        study("images=6,34", out="more", seeds=1)


def test_a_rate_that_explodes_is_recorded_as_failed_and_never_wins(study):
    made = study("lr=1e-3,900", base={"momentum": 0.99, "l2": 9.0, "epochs": 40}, seeds=2)
    assert [result.status for result in made.settings[1].results] == ["failed", "failed"]
    assert made.settings[1].results[0].failed_at > 0
    assert made.settings[1].accuracy is None
    assert made.best == 0


def test_the_test_part_is_never_read(study, photos, monkeypatch):
    extraction = importlib.import_module("handful.features.extract")
    seen, original = set(), extraction.pixels

    def noted(table, picture, **rest):
        seen.add(picture.path)
        return original(table, picture, **rest)

    monkeypatch.setattr(extraction, "pixels", noted)
    study("lr=1e-3,1e-2", seeds=2)
    table = read(photos, TrainConfig().reading, threads=1)
    parts = split(table, TrainConfig().split, seed=0)
    assert seen == {table.pictures[index].path for index in parts.train}


@pytest.mark.parametrize("prune", ["none", "median", "halving"])
def test_a_search_is_the_same_whatever_the_threads_and_when_it_resumes(study, tmp_path, prune):
    axes, asked = ("lr=1e-6..10:log", "batch=4,8"), {"search": "tpe", "trials": 24, "prune": prune, "seeds": 2}
    base = {"epochs": 8}
    whole = study(*axes, out="whole", base=base, threads=1, **asked)
    statuses = [result.status for setting in whole.settings for result in setting.results]
    assert ("pruned" in statuses) == (prune != "none")
    study(*axes, base=base, **asked)
    assert files(tmp_path / "study") == files(tmp_path / "whole")
    first = {trial_key(r.trial, whole.plan.data_sha256) for setting in whole.settings[:10] for r in setting.results}
    for path in (tmp_path / "study" / "trials").iterdir():
        if path.stem not in first:
            path.unlink()
    again = study(*axes, base=base, resume=True, **asked)
    assert files(tmp_path / "study") == files(tmp_path / "whole")
    assert again.settings == whole.settings


def test_a_search_over_few_values_proposes_some_twice_and_trains_them_once(study, tmp_path):
    made = study("lr=1e-3,1e-2", "batch=4,8", search="random", trials=24, prune="halving", seeds=2)
    assert len(made.settings) == 4
    assert len(files(tmp_path / "study")) == 8
    again = study("lr=1e-3,1e-2", "batch=4,8", search="random", trials=24, prune="halving", seeds=2, resume=True)
    assert again.settings == made.settings


def test_time_that_is_up_ends_a_study_between_trainings(study):
    made = study("lr=1e-3,1e-2", seeds=2, time="0.0001s")
    assert made.settings == ()
    assert made.best is None


def test_the_winner_trains_on_all_learning_pictures(study, tmp_path):
    made = study("lr=1e-3,1e-2", "images=6,33", seeds=2)
    data, config, setting = winner(tmp_path / "study")
    assert str(data) == made.plan.data
    assert setting == made.settings[made.best]
    assert config.finetune.lr == setting.options["lr"]
    assert (config.finetune.refit, config.finetune.keep, config.finetune.patience) == (True, "last", None)
    assert (config.split.images, config.finetune.epochs, config.features.backbone) == (None, 3, "toy")


def test_a_study_without_a_finished_setting_has_no_winner(study, tmp_path):
    study("lr=1e-3,1e-2", seeds=2, time="0.0001s")
    with pytest.raises(HandfulError, match=r"no setting of the study .* is done for all 2 seeds"):
        winner(tmp_path / "study")
    with pytest.raises(HandfulError, match=r"is no study: there is no study.json"):
        winner(tmp_path)


@pytest.mark.parametrize(
    ("vary", "asked", "message"),
    [
        ((), {}, "nothing is varied"),
        (("lr=1e-3..1e-2",), {}, "can only be searched"),
        (("lr=1e-3,1e-2",), {"trials": 5}, "trials and prune belong to a search"),
        (("lr=1e-3..1e-2",), {"search": "tpe"}, "a search needs the number of settings"),
        (("lr=1e-3,1e-2",), {"search": "best"}, "expected grid, random or tpe"),
        (("lr=1e-3,1e-2",), {"seeds": 0}, "seeds is 0"),
        (("lr=1e-3,1e-2",), {"time": "soon"}, "time is 'soon'"),
        (("head=C,5",), {}, "its last layer has 5 neurons, but there are 3 classes"),
        (("weight_factor=head=1,conv9=2",), {}, "names the layer 'conv9'"),
        (("strategy=features,auto",), {}, "strategy is 'auto'"),
        (("strategy=features,best",), {}, "strategy is 'best'"),
        (("freeze=1,2",), {}, "vary freeze: it would do nothing in any setting"),
        (("lr=1e-3,1e-2",), {"base": {"head": "ridge"}}, "vary lr: it would do nothing in any setting"),
        (("images=6,34",), {}, "images is 34"),
        (("epochs=2,3",), {"base": {"epochs": 4}}, "epochs is both given and varied"),
        (("lr=1e-3,1e-2",), {"base": {"patience": 3}}, "patience: a study trains every setting for its epochs"),
        (("lr=1e-3,1e-2",), {"base": {"strategy": "auto"}}, "strategy is 'auto'"),
        (("lr=1e-3,1e-2",), {"base": {"strategy": "best"}}, "strategy is 'best'"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(study, tmp_path, vary, asked, message):
    with pytest.raises(ConfigError, match=message):
        study(*vary, **asked)
    assert not (tmp_path / "study").exists()


def test_a_damaged_trial_is_named(study, tmp_path):
    study("lr=1e-3,1e-2", seeds=1)
    path = next((tmp_path / "study" / "trials").iterdir())
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps(record)[:-9])
    with pytest.raises(HandfulError, match=f"{path.name} was damaged"):
        study("lr=1e-3,1e-2", seeds=1, resume=True)


def test_a_setting_that_lacks_seeds_is_not_the_best(study):
    whole = study("lr=1e-3,1e-2", seeds=2)
    results = [result for setting in whole.settings for result in setting.results]
    cut = summed_up(whole.plan, results[:3], command="", threads=1, seconds=0.0)
    assert len(cut.settings[1].results) == 1
    assert cut.best == 0
    assert summed_up(whole.plan, results[:1], command="", threads=1, seconds=0.0).best is None


def test_pictures_of_the_users_own_validation_part_are_validated_with(photos, toy, tmp_path):
    root = shutil.copytree(photos, tmp_path / "parts" / "train")
    for part in ("val", "test"):
        for path in sorted(root.rglob("*.*"))[::6]:
            target = tmp_path / "parts" / part / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    table = read(tmp_path / "parts", TrainConfig().reading, threads=1)
    parts = split(table, TrainConfig().split, seed=0)
    config, asked = TrainConfig.of(BASE), Asked(("lr=1e-3,1e-2",), seeds=2)
    made = conduct(table, parts, config, asked, folder=tmp_path / "study", command="", threads=1, progress=Silent())
    assert made.plan.validation_given
    assert made.plan.pool == made.plan.n_validation == len(parts.validation) == 8
    assert {result.n_train for setting in made.settings for result in setting.results} == {len(parts.train)}


def test_a_solved_head_that_wins_can_be_trained(study, tmp_path):
    study("head=ridge,C", base={"lr": 1e-9, "epochs": 1}, seeds=2)
    _, config, setting = winner(tmp_path / "study")
    assert setting.options == {"head": "ridge"}
    assert config.given == {"backbone", "head", "interpolation", "seed"}


def test_the_best_does_not_depend_on_the_order_of_files(study):
    made = study("lr=1e-4..1e-1:log4", "batch=4,8", seeds=3)
    results = [result for setting in made.settings for result in setting.results]
    best = made.settings[made.best].options
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(results))
        settings = settings_of([results[index] for index in order], ["lr", "batch"])
        assert settings[best_setting(settings, n_seeds=3)].options == best


def test_whole_numbers_name_the_same_trials_as_broken_ones(study, tmp_path):
    study("batch=4,8", base={"momentum": 0}, seeds=1)
    study("batch=4,8", base={"momentum": 0.0}, seeds=1, resume=True)
    assert len(files(tmp_path / "study")) == 2


def test_pictures_of_which_none_can_be_spared_are_refused_before_a_folder_is_made(toy, tmp_path):
    table = read(draw_folder(tmp_path / "few", per_class=2), TrainConfig().reading, threads=1)
    parts = split(table, TrainConfig().split, seed=0)
    asked = Asked(("lr=1e-3,1e-2",), seeds=1)
    with pytest.raises(DataError, match=r"no picture of .* can be spared to validate with"):
        conduct(
            table,
            parts,
            TrainConfig.of(BASE),
            asked,
            folder=tmp_path / "study",
            command="",
            threads=1,
            progress=Silent(),
        )
    assert not (tmp_path / "study").exists()
