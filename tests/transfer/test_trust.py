"""What `find_trust` finds out, through `train`: its parts have tests of their own."""

import json

import numpy as np
import pytest

import handful
from handful.core.errors import ConfigError
from handful.evaluate import choose_answering, choose_sets, choose_threshold
from handful.testing.pictures import draw_folder


@pytest.fixture
def trained(toy, photos, tmp_path):
    return lambda **options: handful.train(photos, tmp_path / "run", backbone="toy", head="ridge", **options)


def test_rules_are_chosen_on_held_out_probabilities_of_the_training_part(trained):
    run = trained(miss="circle=0.1", risk=0.2, coverage=0.8).run
    proba, labels = run.heads[0].held_out_proba, run.table.labels[run.split.train]
    assert run.trust.rules.answer == choose_answering(proba, labels, risk=0.2)
    assert run.trust.rules.sets == choose_sets(proba, labels, coverage=0.8)
    assert run.trust.rules.miss == choose_threshold(proba, labels, label=0, limit=0.1)
    assert len(run.trust.rules.familiar.references) == len(labels)
    assert len(run.trust.test_distances) == len(run.split.test)


def test_growth_is_forecast_for_several_networks_together(toy, photos, tmp_path):
    run = handful.train(photos, tmp_path / "run", backbone="toy+lite0", head="ridge", views="plain").run
    assert [each.n_images for each in run.trust.growth.forecasts] == [60, 80, 120]
    assert run.trust.left_out == ()


def test_few_pictures_say_why_there_is_no_forecast(toy, tmp_path):
    draw_folder(tmp_path / "few", per_class=6)
    result = handful.train(tmp_path / "few", tmp_path / "run", backbone="toy", head="ridge")
    assert result.run.trust.growth is None
    assert "10 training pictures of every class" in result.run.trust.left_out[0]
    assert "10 training pictures of every class" in result.report.read_text("utf-8")


def test_a_class_of_one_picture_is_not_held_out_to_judge_by(toy, tmp_path):
    for part, n in (("train", 12), ("test", 6)):
        draw_folder(tmp_path / "data" / part, per_class=n, size=32, seed=len(part))
    for path in sorted((tmp_path / "data" / "train" / "circle").iterdir())[1:]:
        path.unlink()
    options = {"backbone": "toy", "class_weights": "balanced", "miss": "circle=0.1"}
    result = handful.train(tmp_path / "data", tmp_path / "run", **options)
    run = result.run
    assert run.held_out.n_test == 24
    assert run.trust.left_out[0] == "How not to miss 'circle' is not known: no held-out picture is of that class."
    assert "10 training pictures of every class" in run.trust.left_out[1]
    shown = {run.table.pictures[each.index].path.split("/")[1] for each in run.trust.suspects}
    assert "circle" not in shown
    facts = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (facts["held_out"]["n"], facts["suspects"]["of"]) == (24, 24)


def test_no_forecast_where_a_class_is_of_one_group(toy, tmp_path):
    draw_folder(tmp_path / "photos" / "train", per_class=12, size=32)
    draw_folder(tmp_path / "photos" / "test", per_class=6, size=32, seed=1)
    result = handful.train(
        tmp_path / "photos", tmp_path / "run", backbone="toy", head="ridge", group_by="train/(circle)"
    )
    assert result.run.held_out.n_test == 24
    assert result.run.trust.growth is None
    assert "could know its class" in result.run.trust.left_out[0]


def test_where_layers_were_trained_the_page_says_what_is_not_known(toy, photos, tmp_path):
    result = handful.train(photos, tmp_path / "run", backbone="toy", head="C", epochs=1)
    assert (result.run.trust.growth, result.run.trust.rules.familiar) == (None, None)
    assert "layers of the network were trained" in result.report.read_text("utf-8")
    assert {each.unlike for each in result.predict(photos / "circle")} == {None}


def test_a_class_that_is_not_there_is_refused_before_training(trained, tmp_path):
    with pytest.raises(ConfigError, match=r"miss names the class 'circles'.*Did you mean 'circle'"):
        trained(miss="circles=0.01")
    assert not (tmp_path / "run").exists()


def test_answers_for_new_pictures_follow_the_rules(trained, photos, tmp_path):
    result = trained(risk=0.3)
    found = handful.load(tmp_path / "run").predict(photos)
    rules = result.run.trust.rules
    confidence = np.array([each.proba.max() for each in found])
    least = np.inf if rules.answer.confidence is None else rules.answer.confidence
    assert [each.unsure for each in found] == (confidence < least).tolist()
    for each in found:
        likely = {
            name for name, p in zip(result.classifier.classes, each.proba, strict=True) if p >= rules.sets.probability
        }
        assert set(each.named) == likely | {each.label}
    assert {each.unlike for each in found} <= {True, False}


def test_the_result_holds_what_the_rules_gave(trained, tmp_path):
    run = trained(miss="circle=0.1").run
    result = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))["trust"]
    assert result["sets"]["test"]["covered"]["of"] == len(run.split.test)
    assert result["one_class"]["class"] == "circle"
    assert [each["factor"] for each in result["growth"]["forecasts"]] == [1.5, 2.0, 3.0]
