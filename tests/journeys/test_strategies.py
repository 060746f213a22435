"""The paper's three ways from outside, on the toy network."""

from __future__ import annotations

import csv
import json
import shlex

import numpy as np
import pytest
from safetensors.numpy import load_file

from handful.backbones import catalog
from handful.core.config import option_fields
from handful.features import FrozenTrunk
from handful.testing.backbone import toy_network, toy_spec
from handful.testing.pictures import draw_folder

QUICK = ("--backbone", "toy", "--epochs", "8", "--lr", "0.003", "--batch", "8")
WAYS = [
    ("--strategy", "features", "--head", "12-C"),
    ("--strategy", "freeze", "--freeze", "1"),
    ("--strategy", "freeze", "--freeze", "stem", "--head", "6d0.2-C", "--nonlinearity", "tanh"),
    ("--strategy", "full"),
    ("--strategy", "scratch"),
    (
        "--strategy",
        "full",
        "--optimizer",
        "sgd",
        "--momentum-form",
        "paper",
        "--schedule",
        "paper",
        "--l2-form",
        "paper",
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_every_way_trains_and_its_model_answers_as_it_was_measured(command, photos, tmp_path, way):
    code, out, err = command("train", photos, *QUICK, *way, "--out", "run", "--json")
    result = json.loads(out)
    assert code == 0, err
    assert result["strategy"]["value"] == way[1]
    with (tmp_path / "run" / "predictions.csv").open(newline="") as stream:
        written = {row["path"]: row for row in csv.DictReader(stream)}
    answers = json.loads(command("predict", "run", *[photos / path for path in written], "--json")[1])
    for answer, row in zip(answers["predictions"], written.values(), strict=True):
        expected = [float(row[f"p_{name}"]) for name in answers["classes"]]
        np.testing.assert_allclose(answer["proba"], expected, atol=1e-5)
    options = json.loads((tmp_path / "run" / "config.json").read_text())
    assert options.keys() >= option_fields().keys()
    assert [name for name, option in options.items() if option["value"] == "auto"] == []


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ((), "strategy is 'features': a cluster shares the training of pre-trained layers"),
        (("--strategy", "scratch"), "strategy is 'scratch'"),
        (("--time", "5m"), "strategy is 'best'"),
        (WAYS[2], "dropout draws in the order in which pictures come"),
        (("--strategy", "freeze", "--freeze", "head"), "without convolutions, a mini-batch is quickest as a whole"),
    ],
)
def test_what_a_cluster_cannot_share_is_refused(command, photos, cluster, way, why):
    code, out, err = command("train", photos, "--backbone", "toy", *way, "--ray", "auto")
    assert (code, out) == (2, "")
    assert why in " ".join(err.split())


def test_trained_layers_learn_what_can_be_learned(command, photos):
    options = (
        "--backbone",
        "toy",
        "--strategy",
        "scratch",
        "--epochs",
        "60",
        "--lr",
        "0.003",
        "--batch",
        "8",
        "--patience",
        "60",
    )
    result = json.loads(command("train", photos, *options, "--json")[1])
    assert result["accuracy"] > result["majority_baseline"] + 0.2


def test_the_same_training_twice_gives_the_same_figures(command, photos):
    results = [json.loads(command("train", photos, *QUICK, "--strategy", "full", "--json")[1]) for _ in range(2)]
    assert results[0]["log_loss"] == results[1]["log_loss"]
    assert results[0]["held_out"] == results[1]["held_out"]


def test_auto_tries_the_ways_and_its_command_takes_the_best_one_directly(command, photos):
    code, out, err = command("train", photos, *QUICK, "--strategy", "auto", "--json")
    result = json.loads(out)
    assert code == 0, err
    tries = {each["plan"]["strategy"]: each for each in result["decision"]["tries"]}
    assert next(iter(tries)) == result["decision"]["plan"]["strategy"]
    assert tries.keys() == {"freeze", "features", "full"}
    assert all(each["n_validation"] == 8 and 0 <= each["accuracy"] <= 1 for each in tries.values())
    taken = result["strategy"]["value"]
    assert "8 validation pictures" in result["strategy"]["reason"]
    assert result["held_out"]["accuracy"] == tries[taken]["accuracy"]
    words = shlex.split(result["decision"]["command"])
    assert words[words.index("--strategy") + 1] == taken
    direct = json.loads(command(*words[1:], "--json")[1])
    assert (direct["log_loss"], direct["held_out"]) == (result["log_loss"], result["held_out"])
    assert direct["decision"] is None


def test_auto_judges_the_ways_on_the_users_own_validation_part(command, tmp_path):
    for part, per_class in (("train", 8), ("validation", 5), ("test", 4)):
        draw_folder(tmp_path / "own" / part, classes=("circle", "square"), per_class=per_class, seed=per_class)
    result = json.loads(command("train", "own", *QUICK, "--strategy", "auto", "--json")[1])
    assert [each["n_validation"] for each in result["decision"]["tries"]] == [10, 10, 10]
    assert result["validation"] is None


def test_auto_refuses_a_head_that_only_one_way_could_have(command, photos):
    code, _, err = command("train", photos, "--backbone", "toy", "--strategy", "auto", "--head", "ridge")
    assert code == 2
    assert "head is 'ridge', which is solved for on fixed features; strategy 'auto' trains layers" in err


def test_a_training_that_diverges_is_exit_code_3_with_the_step(command, photos, tmp_path):
    code, _, err = command(
        "train",
        photos,
        "--backbone",
        "toy",
        "--strategy",
        "full",
        "--optimizer",
        "sgd",
        "--lr",
        "1000",
        "--epochs",
        "30",
    )
    assert code == 3
    assert "failed at update" in err
    assert "--lr 100" in err
    assert not list(tmp_path.glob("*run*"))


def test_every_fault_of_a_recipe_is_listed_at_once(command, photos):
    code, _, err = command(
        "train", photos, "--backbone", "toy", "--strategy", "freeze", "--freeze", "9", "--head", "75-7",
        "--weight-factor", "hed=10",
    )  # fmt: skip
    assert code == 2
    assert "freeze is 9" in err
    assert "75-7" in err
    assert "'hed'" in err


def test_layers_are_trained_for_one_network_at_a_time(command, photos):
    code, _, err = command("train", photos, "--backbone", "toy+lite0", "--strategy", "full")
    assert code == 2
    assert "one network at a time" in err


@pytest.mark.parametrize("rate", ["0", "-1", "nan"])
def test_a_rate_that_cannot_work_is_refused(command, photos, rate):
    code, _, err = command("train", photos, "--backbone", "toy", "--strategy", "full", "--lr", rate)
    assert code == 2
    assert "lr is" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--epochs", "3"), "epochs would do nothing"),
        (("--freeze", "2", "--lr", "0.1"), "freeze, lr would do nothing"),
        (("--strategy", "full", "--head", "ridge"), "head is 'ridge', which is solved for on fixed features"),
    ],
)
def test_options_that_would_do_nothing_are_refused(command, photos, options, message):
    code, _, err = command("train", photos, "--backbone", "toy", *options)
    assert code == 2
    assert message in err


def test_auto_keeps_what_was_given_even_where_it_is_the_default(command, photos, tmp_path):
    command(
        "train", photos, "--backbone", "toy", "--strategy", "auto", "--epochs", "2", "--batch", "32", "--out", "run"
    )
    options = json.loads((tmp_path / "run" / "config.json").read_text())
    assert options["epochs"] == {"value": 2, "reason": "chosen by the user"}
    assert options["batch"] == {"value": 32, "reason": "chosen by the user"}
    assert "chosen by the user" not in options["freeze"]["reason"]


def test_every_class_is_trained_however_the_groups_lie(command, tmp_path):
    for name in ("circle", "square", "triangle"):
        draw_folder(tmp_path / "few", classes=(name,), per_class=3, size=32, seed=len(name))
    for seed in range(3):
        code, _, err = command(
            "train", "few", "--backbone", "toy", "--strategy", "full", "--epochs", "1", "--seed", seed
        )
        assert code == 0, err


def test_pictures_of_one_group_cannot_be_held_out_and_this_is_said(command, tmp_path):
    for part in ("train", "test"):
        draw_folder(tmp_path / "grouped" / part, classes=("circle", "square"), per_class=4, size=32, seed=len(part))
    code, _, err = command("train", "grouped", "--backbone", "toy", "--group-by", "^(train|test)")
    assert code == 2
    assert "of one group, so none can be held out" in err


@pytest.mark.parametrize(
    "way", [("--strategy", "freeze", "--freeze", "1"), ("--strategy", "full"), ("--strategy", "scratch")], ids=" ".join
)
def test_statistics_stay_as_stored_unless_training_starts_at_random(command, photos, tmp_path, way):
    command("train", photos, *QUICK, *way, "--out", "run")
    trained = load_file(tmp_path / "run" / "model" / "trunk-0.safetensors")
    stored = {name: tensor.numpy() for name, tensor in toy_network().body.state_dict().items() if name in trained}
    statistics = [name for name in trained if "running" in name]
    assert len(statistics) == 6
    same = [name for name in statistics if np.array_equal(trained[name], stored[name])]
    assert same == ([] if "scratch" in way else statistics)
    assert not np.array_equal(trained["head.1.weight"], stored["head.1.weight"])


def test_from_scratch_no_weights_are_needed_and_none_are_used(command, photos, tmp_path, monkeypatch):
    scratch = ("train", photos, *QUICK, "--strategy", "scratch", "--seed", "3", "--json", "--out")
    with_file = json.loads(command(*scratch, "with")[1])
    monkeypatch.setattr(catalog, "SPECS", (*catalog.SPECS[:-1], toy_spec()))
    assert "weights of toy are not on this machine" in command("train", photos, "--backbone", "toy")[2]
    code, out, err = command(*scratch, "without")
    assert code == 0, err
    without = json.loads(out)
    assert without["weights"] == with_file["weights"]
    assert without["weights"][0]["origin"] == "none: drawn at random (seed 3)"
    assert without["log_loss"] == with_file["log_loss"]
    options = json.loads((tmp_path / "without" / "config.json").read_text())
    assert options["interpolation"] == {
        "value": "bilinear",
        "reason": "what the network is usually shown; nothing could be tried",
    }
    assert load_file(tmp_path / "without" / "model" / "trunk-0.safetensors")["stem.0.weight"].any()
    assert json.loads(command("predict", "without", photos, "--json")[1])["predictions"]


@pytest.mark.parametrize("way", [("--strategy", "features", "--head", "C"), ("--strategy", "full")], ids=" ".join)
def test_training_again_uses_the_validation_pictures_too_and_keeps_the_held_out_figures(command, photos, tmp_path, way):
    once, twice = (
        json.loads(command("train", photos, *QUICK, *way, "--keep", "last", *more, "--out", out, "--json")[1])
        for out, more in (("once", ()), ("twice", ("--refit",)))
    )
    assert once["held_out"] == twice["held_out"]
    heads = [load_file(tmp_path / out / "model" / "heads.safetensors") for out in ("once", "twice")]
    assert any(not np.array_equal(heads[0][name], heads[1][name]) for name in heads[0])
    assert once["training"][0]["best_step"] == once["training"][0]["updates"]


def test_features_below_new_layers_are_computed_once(command, photos, monkeypatch):
    way = ("train", photos, *QUICK, "--strategy", "features", "--head", "12-C", "--epochs", "2")
    first = json.loads(command(*way, "--json")[1])
    monkeypatch.setattr(FrozenTrunk, "open", None)
    second = json.loads(command(*way, "--json")[1])
    assert second["accuracy"] == first["accuracy"]
    assert second["held_out"] == first["held_out"]
