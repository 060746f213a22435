"""`handful advise` from outside."""

from __future__ import annotations

import json
import shlex

import pytest

import handful
from handful.testing.pictures import draw_folder
from tests.journeys.conftest import handful_command


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: handful_command(monkeypatch, capsys, *arguments)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return draw_folder(tmp_path_factory.mktemp("few") / "shapes", per_class=4)


def test_advice_is_one_json_object(command, few):
    code, out, _ = command("advise", few, "--json")
    advice = json.loads(out)
    assert code == 0
    assert advice["case"] == 2
    assert 0.0 < advice["similarity_interval"][0] < advice["similarity"] < advice["similarity_interval"][1] < 0.5
    assert (advice["n_images"], advice["n_per_class"], advice["n_measured"]) == (12, 4, 9)
    assert advice["plan"]["strategy"] == "freeze"
    assert 1 <= advice["plan"]["freeze"] <= 8
    assert all(piece.keys() == {"name", "value", "meaning"} for piece in advice["evidence"])
    assert advice["expects"]
    assert advice["alternatives"]


def test_advice_in_words_names_case_evidence_and_the_command(command, few):
    code, out, _ = command("advise", few, "--seed", "3")
    assert code == 0
    assert "Case 2" in out
    assert "> your pictures" in out
    assert out.index("CIFAR-10") < out.index("above: similar") < out.index("> your pictures")
    words = shlex.split(out.splitlines()[-1])
    assert words[1:4] == ["handful", "train", str(few)]
    assert words[words.index("--seed") + 1] == "3"
    assert words[words.index("--strategy") + 1] == "freeze"


def test_the_plan_is_for_the_named_network(command, few):
    advice = json.loads(command("advise", few, "--json", "--backbone", "alexnet")[1])
    assert advice["plan"]["backbone"] == "alexnet"
    assert 1 <= advice["plan"]["freeze"] <= 4


def test_advice_in_python(few):
    decision = handful.advise(few, seed=1)
    assert decision.case == 2
    assert handful.TrainConfig.of(decision.plan.options).transfer.strategy == decision.plan.strategy
    with pytest.raises(handful.ConfigError, match="one or the other"):
        handful.advise(few, config=handful.TrainConfig(), seed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere"], "nowhere"), (["--backbone", "alexnot"], "Did you mean 'alexnet'")],
)
def test_wrong_input_is_one_message_and_exit_code_2(command, few, arguments, message):
    places = arguments if arguments == ["nowhere"] else [few, *arguments]
    code, _, err = command("advise", *places)
    assert code == 2
    assert message in err
