"""The search for the best classifier in some time, on the toy network."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import handful
from handful.backbones import find
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError, TrainingError
from handful.core.progress import Silent
from handful.core.search import Attempt
from handful.heads.typical import TEMPERATURE
from handful.images import read
from handful.split import split
from handful.transfer import Time, best, hurry, layers, locate_weights, located, order, plan, probe, settled
from handful.transfer.best import _Searching, train_best
from handful.transfer.judged import Judged
from handful.transfer.layers import N_PARTS
from handful.transfer.lpft import training_options
from handful.transfer.order import Turn

QUICK = {"backbone": "toy", "batch": 8, "epochs": 3, "lr": 0.003, "interpolation": "bilinear", "size": 32}


class Clock:
    """Goes on by a fixed time whenever it is looked at."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


class Told(Silent):
    """Remembers what it was told."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture
def data(photos, toy):
    config = TrainConfig.of(QUICK)
    table = read(photos, config.reading, threads=1, progress=Silent())
    return table, split(table, config.split, seed=0)


def search(data, time=None, progress=None, **options):
    config = TrainConfig.of({**QUICK, "strategy": "best", **options})
    return train_best(
        *data,
        config,
        backbones=locate_weights(config),
        time=time or Time.given(TrainConfig()),
        threads=1,
        progress=progress or Silent(),
    )


def test_every_training_picture_is_left_out_once(data):
    _, parts = data
    told = Told()
    found = search(data, progress=told)
    solved, *trainings = found.search.attempts
    assert (solved.what, solved.difference, solved.n_held_out) == ("probe", None, len(parts.train))
    assert len(trainings) == N_PARTS
    assert sum(each.n_held_out for each in trainings) == len(parts.train)
    assert found.search.ended == "every part of the pictures was left out"
    assert [line.split(":")[0] for line in told.lines if line.startswith("After")][1:]
    taken = [each for each in found.search.attempts if each.taken]
    assert len(found.model.members) == len(found.heads) == len(found.weights) == len(taken)
    assert set(found.held_out) <= set(parts.train)
    np.testing.assert_allclose(found.held_out_proba.sum(axis=1), 1.0)


def test_training_that_is_shown_to_gain_nothing_is_given_up(data, toy):
    table, parts = data
    record = Attempt("fine-tuning", "toy", 32, 1, 0.5, 1.0, 0.0, 0.0, False, 1.0, 1.0)
    right = np.eye(3)[table.labels[parts.train]]
    wrong = np.roll(right, 1, axis=1)
    half = np.arange(len(right))[:, None] < len(right) // 2

    def judged(rows, proba):
        return Judged(SimpleNamespace(held_out=parts.train[rows], held_out_proba=proba[rows]), record, 0.0)

    def reason(of_probe, of_trainings):
        halves = np.array_split(np.arange(len(right)), 2)
        found = [judged(rows, of_trainings) for rows in halves]
        work = _Searching(table, parts, TrainConfig.of(QUICK), 1, Silent(), Time.given(TrainConfig()))
        probe, turn = judged(np.arange(len(right)), of_probe), Turn((find("toy"), None), 0, 0)
        return work.why_stop(turn, [probe], found), work.why_stop(turn, found[:1], found[:1])

    nothing = f"training layers gained nothing on {len(right)} held-out pictures"
    assert reason(right, wrong) == (nothing, "")
    assert reason(right, right) == (nothing, "")
    assert reason(wrong, right) == ("", "")
    assert reason(np.where(half, right, wrong), np.where(half, wrong, right)) == ("", "")


def test_equal_inputs_give_equal_answers_without_a_limit(data):
    first, second = search(data), search(data)
    np.testing.assert_array_equal(first.held_out_proba, second.held_out_proba)
    strip = [[replace(each, seconds=0.0, at=0.0) for each in found.search.attempts] for found in (first, second)]
    assert strip[0] == strip[1]


def test_the_trainings_do_not_see_the_test_part(data, monkeypatch):
    table, parts = data
    tests = {table.pictures[index].path for index in parts.test}
    seen = []
    for module in (hurry, layers, probe):
        real = module.extract

        def watched(trunk, table, pictures, *, real=real, **options):
            seen.extend(picture.path for picture in pictures)
            return real(trunk, table, pictures, **options)

        monkeypatch.setattr(module, "extract", watched)
    search(data)
    assert seen
    assert not tests & set(seen)


def test_a_time_that_is_up_leaves_the_probe(data):
    found = search(data, time=Time(60.0, 0.0, Clock(30.0)))
    assert [each.what for each in found.search.attempts] == ["probe"]
    assert found.search.attempts[0].taken
    assert found.search.ended == "the rest of the time is too short for another training"
    assert found.training == ()
    assert found.search.limit == 60.0


def test_where_the_time_is_short_the_first_probe_is_lighter_and_says_so(data):
    told = Told()
    found = search(data, time=Time(5.0, 0.0, Clock(0.0)), progress=told)
    light = "the first probe is lighter: views plain, head ridge"
    assert any(light in line for line in told.lines)
    for name, value in (("views", "plain"), ("head", "ridge")):
        assert (found.options[name].value, found.options[name].reason) == (value, "the time is too short for more")
    assert found.options["interpolation"].reason == "chosen by the user"
    assert found.heads[0].kind == "ridge"


def test_features_that_the_disk_remembers_are_counted_as_such(data, own_caches, monkeypatch):
    seen, real = [], best.FirstProbe

    def watched(*given, **facts):
        seen.append((facts["n_known"], facts["n_test"]))
        return real(*given, **facts)

    monkeypatch.setattr(best, "FirstProbe", watched)
    for _ in range(2):
        search(data, time=Time(5.0, 0.0, Clock(0.0)), views="plain")
    n_train, n_test = len(data[1].train), len(data[1].test)
    assert seen == [(0, n_test), (n_train, n_test)]


def test_where_there_is_time_nothing_is_left_out(data):
    told = Told()
    found = search(data, time=Time(600.0, 0.0, Clock(0.0)), progress=told, mixup=0.0)
    assert not any("lighter" in line for line in told.lines)
    assert found.search.attempts[0].what == "probe"


def test_the_time_is_counted_from_the_start_of_the_run():
    time = Time(100.0, 5.0, lambda: 45.0)
    assert (time.spent, time.left) == (40.0, 60.0)
    assert Time(None, 5.0, lambda: 45.0).left == np.inf
    assert (Time.given(TrainConfig()).limit, Time.given(TrainConfig.of({"time": "2m"})).limit) == (None, 120.0)


def test_a_training_that_fails_does_not_end_the_search(data, monkeypatch):
    real = best.train_layers

    def failing(*given, part, **options):
        if part in (1, 3):
            raise TrainingError("the loss was no longer a number.")
        return real(*given, part=part, **options)

    monkeypatch.setattr(best, "train_layers", failing)
    told = Told()
    found = search(data, progress=told)
    assert len(found.search.attempts) == 1 + N_PARTS - 2
    assert told.lines.count("Toy could not be trained: the loss was no longer a number.") == 2


def test_options_that_no_training_could_take_are_refused_before_the_probe(data, monkeypatch):
    monkeypatch.setattr(best, "train_probe", lambda *_, **__: pytest.fail("the probe was made"))
    with pytest.raises(ConfigError, match="freeze is 99"):
        search(data, freeze="99")


def test_a_run_with_the_users_own_validation_part_goes_through(toy, tmp_path):
    from handful.testing.pictures import draw_folder

    for part, n in (("train", 14), ("val", 12), ("test", 4)):
        draw_folder(tmp_path / "data" / part, per_class=n, seed=len(part))
    for time in (None, "1s"):
        options = {**QUICK, "strategy": "best", **({"time": time} if time else {})}
        run = handful.train(tmp_path / "data", tmp_path / f"run-{time}", **options).run
        assert run.search is not None
        assert run.validation is None
        assert run.held_out.n_test == 36
        assert "of the 36 validation pictures right" in handful.report.summary(run)


def test_one_picture_of_a_class_is_judged_by_the_users_own_validation_part(toy, tmp_path):
    from handful.testing.pictures import draw_folder

    for part, n in (("train", 1), ("val", 12), ("test", 4)):
        draw_folder(tmp_path / "data" / part, per_class=n, size=32, seed=len(part))
    run = handful.train(tmp_path / "data", tmp_path / "run", **QUICK, strategy="best").run
    assert [each.n_held_out for each in run.search.attempts] == [36, 36]
    assert run.search.ended == "every network was trained"
    assert run.held_out.n_test == 36
    assert TEMPERATURE not in {head.layer.temperature for head in run.heads}


def test_probes_that_a_validation_part_judged_forecast_nothing(toy, tmp_path, monkeypatch):
    from handful.testing.pictures import draw_folder

    monkeypatch.setattr(best, "choose", lambda probes, found, labels: (probes[0], probes[0]))
    for part, n in (("train", 14), ("val", 5), ("test", 4)):
        draw_folder(tmp_path / "data" / part, per_class=n, size=32, seed=len(part))
    run = handful.train(tmp_path / "data", tmp_path / "run", **QUICK, strategy="best").run
    assert len(run.heads) == 2
    assert run.trust.growth is None
    assert "this search was judged by the validation part" in run.trust.left_out[0]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Each was judged on your validation part" in page


def test_the_options_of_the_search_are_told_as_its_own(photos, toy, tmp_path):
    given = {"backbone": "toy", "interpolation": "bilinear", "size": 32, "epochs": 2, "strategy": "best"}
    run = handful.train(photos, tmp_path / "run", **given, lr=0.003, batch=8).run
    assert run.options["backbone"].value == "toy"
    if run.training:
        assert (run.options["mixup"].value, run.options["mixup"].reason) == (0.4, "the search's own")
        assert (run.options["lr"].value, run.options["lr"].reason) == (0.003, "chosen by the user")
        assert run.options["epochs"].value == 2
        assert (run.options["interpolation"].value, run.options["interpolation"].reason) == (
            "bilinear",
            "chosen by the user",
        )


def test_the_users_own_validation_part_judges_every_network_once(data):
    table, parts = data
    validation, train = parts.train[::4], np.delete(parts.train, np.s_[::4])
    found = search((table, replace(parts, train=train, validation=validation)))
    assert [each.n_held_out for each in found.search.attempts] == [len(validation)] * 2
    assert found.search.ended == "every network was trained"
    assert set(found.held_out) == set(validation)


def test_a_run_tells_what_its_time_was_spent_on(photos, toy, tmp_path):
    result = handful.train(photos, tmp_path / "run", **{**QUICK, "strategy": "best", "test": 1.0})
    facts = json.loads((result.folder / "result.json").read_text())
    assert facts["strategy"]["value"] == "best"
    attempts = facts["search"]["attempts"]
    assert [each["what"] for each in attempts] == ["probe", *["fine-tuning"] * (len(attempts) - 1)]
    page = result.report.read_text()
    assert "What the time was spent on" in page
    first, again = (
        np.array([answer.proba for answer in model.predict(photos)]) for model in (result, handful.load(result.folder))
    )
    assert first.shape == (48, 3)
    np.testing.assert_allclose(again, first, atol=1e-6)


def test_a_time_alone_asks_for_the_search():
    assert settled(TrainConfig.of({"time": "2m"})).transfer.strategy == "best"
    assert settled(TrainConfig.of({"time": "2m", "strategy": "full"})).transfer.strategy == "full"
    assert settled(TrainConfig.of({"time": "2m", "head": "75-C"})).transfer.strategy == "features"
    assert settled(TrainConfig.of({"time": None})).transfer.strategy == "features"
    assert settled(TrainConfig()).transfer.strategy == "features"


def test_options_that_contradict_the_search_are_refused(photos, toy, tmp_path):
    with pytest.raises(ConfigError, match="time would do nothing: strategy features"):
        handful.train(photos, tmp_path / "run", backbone="toy", time="1m", strategy="features")
    for head in ("ridge", "75-C"):
        with pytest.raises(ConfigError, match=f"head is '{head}', and strategy 'best' chooses output layers itself"):
            handful.train(photos, tmp_path / "run", backbone="toy", strategy="best", head=head)
    with pytest.raises(ConfigError, match="refit is given, and strategy 'best' averages"):
        handful.train(photos, tmp_path / "run", backbone="toy", strategy="best", refit=True)
    with pytest.raises(ConfigError, match="folds is 5, strategy is 'best'"):
        handful.train(photos, tmp_path / "run", backbone="toy", strategy="best", folds=5)
    assert not (tmp_path / "run").exists()


def test_the_network_that_the_user_names_is_the_only_one(toy):
    config = TrainConfig.of({"strategy": "best", "backbone": "toy"})
    assert [spec.name for spec, _ in located(config)] == ["toy"]


def test_a_second_lap_takes_larger_squares_and_there_is_none_where_they_could_not_grow(data, monkeypatch):
    monkeypatch.setattr(best, "training_options", _growing)
    given = {name: value for name, value in QUICK.items() if name != "size"}
    config = TrainConfig.of({**given, "strategy": "best"})
    found = train_best(
        *data, config, backbones=locate_weights(config), time=Time.given(TrainConfig()), threads=1, progress=Silent()
    )
    trained = found.search.trained
    assert [each.size for each in trained] == [32] * N_PARTS + [48] * N_PARTS
    assert found.search.n_judged == sum(each.n_held_out for each in trained) // 2
    assert set(found.held_out) == set(data[1].train) or found.training == ()
    assert len({each.size for each in search(data).search.trained}) == 1


def _growing(spec, *, n_images, side, lap=0):
    """Returns the options of a training whose squares grow."""
    return {**training_options(spec, n_images=n_images, side=side, lap=lap), "size": 32 + 16 * lap, "epochs": 1}


def test_few_pictures_are_shown_to_all_networks_as_they_are_first(data, monkeypatch):
    told = Told()
    config = TrainConfig.of({name: value for name, value in QUICK.items() if name != "size"})
    work = _Searching(*data, config, 1, told, Time.given(TrainConfig()))
    (backbone,) = locate_weights(config)
    monkeypatch.setattr(order, "squares", lambda spec, side, lap: 40 - 4 * lap)
    first = work.probe(backbone)
    others = list(work.more_probes([backbone, backbone], first))
    assert [each.record.size for each in others] == [first.record.size, 36, 36, 40, 40]
    assert others[0].record.difference == 0.0
    assert [line.split(": ")[1] for line in told.lines] == ["a probe of Toy"] * 6


def test_a_network_of_one_size_is_asked_once(data):
    config = TrainConfig.of({name: value for name, value in QUICK.items() if name != "size"})
    work = _Searching(*data, config, 1, Silent(), Time.given(TrainConfig()))
    (backbone,) = locate_weights(config)
    first = work.probe(backbone)
    assert [each.record.size for each in work.more_probes([backbone, backbone], first)] == [first.record.size]


def test_many_pictures_are_shown_to_other_networks_while_a_training_has_time(data, monkeypatch):
    config = TrainConfig.of({name: value for name, value in QUICK.items() if name != "size"})
    work = _Searching(*data, config, 1, Silent(), Time(1000.0, 0.0, lambda: 0.0))
    (backbone,) = locate_weights(config)
    monkeypatch.setattr(plan, "MIRROR_LIMIT", 0)
    larger = (replace(backbone[0], input_size=2 * backbone[0].input_size), backbone[1])
    first = replace(work.probe(backbone), seconds_each=0.0)
    monkeypatch.setattr(best, "FEW", 0)
    monkeypatch.setattr(best, "further_probes", lambda backbones, **known: [(backbones[1], {"views": "mirror"})])
    (other,) = work.more_probes([backbone, larger], first)
    assert (other.record.what, other.record.difference is None) == ("probe", False)
    assert [len(each.trained.model.members[0].views) for each in (first, other)] == [1, 2]
    most = best.PROBE_SHARE * work.left([first]) / hurry.scaled(2, 1) / 2
    for share, n_made in ((0.9, 1), (1.1, 0)):
        slow = replace(first, record=replace(first.record, seconds=share * most))
        assert len(list(work.more_probes([backbone, larger], slow))) == n_made
    remembered = replace(first, seconds_each=1.1 * most / len(data[1].train), record=replace(first.record, seconds=1.0))
    assert list(work.more_probes([backbone, larger], remembered)) == []


def test_answers_are_given_more_time_than_was_measured(data):
    config = TrainConfig.of(QUICK)
    work = _Searching(*data, config, 1, Silent(), Time(1000.0, 0.0, lambda: 0.0))
    first = work.probe(*locate_weights(config))
    slow, quick = (replace(first, seconds_each=seconds) for seconds in (2.0, 1.0))
    n_test, n_train = len(data[1].test), len(data[1].train)
    assert work.after([slow, quick]) == pytest.approx(best.RESERVE + best.SLOWER * 3.0 * n_test)
    judged = best.SLOWER * 2.0 * (n_test + n_train / N_PARTS)
    assert work.left([quick, slow]) == pytest.approx(1000.0 - work.after([slow, quick]) - judged)


def test_where_nothing_can_be_judged_the_probes_of_all_networks_are_averaged(data, toy, monkeypatch):
    table, parts = data
    first = [parts.train[table.labels[parts.train] == label][0] for label in range(3)]
    few = replace(parts, train=np.array(first))
    told = Told()
    config = TrainConfig.of({**QUICK, "strategy": "best"})
    (network,) = locate_weights(config)
    shallow = replace(toy, name="toy-shallow", taps=(toy.taps[1],)), network[1]
    given = {"threads": 1, "progress": told, "backbones": (network, shallow)}
    found = train_best(table, few, config, time=Time.given(TrainConfig()), **given)
    assert [member.trunk.spec.name for member in found.model.members] == ["toy", "toy-shallow"]
    assert (len(found.held_out), found.search) == (0, None)
    assert "nothing can be held out to judge by" in told.lines[0]
    assert found.options["strategy"].value == "best"
    assert "all probes are taken" in found.options["strategy"].reason
    assert found.options["backbone"].value == "toy+toy-shallow"
    short = replace(config, finetune=replace(config.finetune, time="1s"))
    alone = train_best(table, few, short, time=Time.given(short), **given)
    assert [member.trunk.spec.name for member in alone.model.members] == ["toy"]
