import dataclasses
import json

import pytest

from handful.core.files import dump_json
from handful.core.records import Resolved, Stage
from handful.report import result_dict
from handful.report.remarks import remarks
from handful.report.result import config_dict, decision_dict
from tests.report.trained import decision, training, tried, with_training

KEYS = {
    "accuracy",
    "accuracy_interval",
    "balanced_accuracy",
    "macro_f1",
    "log_loss",
    "calibration_error",
    "majority_baseline",
    "n_train",
    "n_validation",
    "n_test",
    "n_skipped",
    "classes",
    "backbone",
    "weights",
    "strategy",
    "head",
    "held_out",
    "seconds",
    "versions",
    "machine",
    "seed",
    "command",
    "test_read",
    "findings",
}


def test_the_result_holds_what_others_read(make_run):
    run = make_run()
    result = result_dict(run)
    assert set(result) >= KEYS
    assert result["accuracy"] == run.evaluation.accuracy
    assert (result["n_train"], result["n_validation"], result["n_test"], result["n_skipped"]) == (302, 0, 60, 2)
    assert result["held_out"]["accuracy"] == run.held_out.accuracy
    assert result["backbone"] == "efficientnet-lite0"
    assert result["weights"][0]["licence"] == "Apache-2.0"
    assert result["head"] == [{"kind": "ridge", "penalty": 10.0, "temperature": 0.8}]
    assert result["test_read"] == "once, after every choice was made"
    assert result["findings"][0]["code"] == "upright"


def test_the_result_survives_json(make_run):
    result = result_dict(make_run())
    assert json.loads(dump_json(result)) == result


def test_the_remarks_of_the_page_are_in_the_result_too(make_run):
    run = make_run(n_test=8)
    told = [(remark["level"], remark["text"]) for remark in result_dict(run)["remarks"]]
    assert told == [(remark.level, remark.text) for remark in remarks(run)] != []


def test_names_that_are_no_utf_8_do_not_stop_the_writing(make_run):
    run = dataclasses.replace(make_run(classes=("cat", "bad\udcff")), command="handful train bad\udcff/")
    assert json.loads(dump_json(result_dict(run)).encode("utf-8"))["classes"][1] == "bad\\udcff"


def test_stages_of_one_name_are_added_up(make_run):
    stages = (Stage("features", 1.5), Stage("head", 0.25), Stage("features", 2.0))
    run = dataclasses.replace(make_run(), stages=stages)
    assert result_dict(run)["seconds"] == {"features": 3.5, "head": 0.25, "total": 3.75}


def test_networks_that_are_averaged_are_joined(make_run):
    run = make_run()
    other = dataclasses.replace(run.weights[0], backbone="efficientnet-lite1")
    run = dataclasses.replace(run, weights=(run.weights[0], other), heads=run.heads * 2)
    assert result_dict(run)["backbone"] == "efficientnet-lite0+efficientnet-lite1"
    assert len(result_dict(run)["head"]) == 2


def test_a_validation_part_is_reported_where_there_is_one(make_run):
    run = make_run()
    assert result_dict(run)["validation"] is None
    run = dataclasses.replace(run, validation=run.held_out)
    assert result_dict(run)["validation"]["log_loss"] == pytest.approx(run.held_out.log_loss)


def test_the_configuration_gives_every_option_with_its_reason(make_run):
    run = make_run()
    config = config_dict(run)
    assert list(config) == list(run.options)
    assert config["fit"] == {"value": "crop", "reason": "the pictures are nearly square"}
    odd = dataclasses.replace(run, options={"weights": Resolved("bad\udcff", "chosen")})
    assert dump_json(config_dict(odd)).encode("utf-8")


def test_a_training_is_told_in_figures(make_run):
    assert result_dict(make_run())["training"] == []
    result = result_dict(with_training(make_run(), training()))
    assert result["training"] == [
        {
            "backbone": "efficientnet-lite0",
            "epochs": 12,
            "updates": 204,
            "stopped": "no better validation loss in 7 checks",
            "best_step": 85,
            "overfits_from": 85,
            "failed_at": None,
            "seconds": 184.2,
        }
    ]
    assert json.loads(dump_json(result)) == result


def test_a_decision_is_told_with_its_evidence(make_run):
    assert result_dict(make_run())["decision"] is None
    decided = decision()
    result = result_dict(dataclasses.replace(make_run(), decision=decided))
    told = result["decision"]
    assert (told["case"], told["n_per_class"], told["plan"]["strategy"]) == (2, 984.0, "freeze")
    assert told["similarity_interval"] == list(decided.similarity.interval)
    assert [piece["name"] for piece in told["evidence"]] == [piece.name for piece in decided.evidence]
    assert json.loads(dump_json(result)) == result


def test_ways_that_were_tried_are_told_with_their_figures(make_run):
    assert decision_dict(decision())["tries"] == []
    decided = tried(decision(), (0.8, None, None), (0.85, 0.05, 0.025), "not tried: too long")
    told = json.loads(dump_json(result_dict(dataclasses.replace(make_run(), decision=decided))))["decision"]["tries"]
    assert [each["plan"]["strategy"] for each in told] == ["freeze", "features", "full"]
    assert [each["accuracy"] for each in told] == [0.8, 0.85, None]
    assert (told[1]["difference"], told[1]["standard_error"], told[1]["n_validation"]) == (0.05, 0.025, 80)
    assert (told[2]["reason"], told[2]["seconds"]) == ("not tried: too long", 2400.0)
