"""The command line from outside: what a user types, what comes back."""

from __future__ import annotations

import csv
import json
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import handful
from handful.backbones import catalog
from handful.cli import main as cli
from handful.core.config import option_fields
from handful.testing.pictures import draw_folder
from tests.quick import children, quickest

RESULT_KEYS = {
    "accuracy", "accuracy_interval", "balanced_accuracy", "macro_f1", "majority_baseline", "n_train", "n_test",
    "classes", "backbone", "weights", "strategy", "seconds", "versions", "seed",
}  # fmt: skip


def test_train_writes_a_run_folder_and_one_json_object(command, photos, tmp_path):
    code, out, _ = command("train", photos, "--out", "run", "--backbone", "toy", "--json")
    result = json.loads(out)
    assert code == 0
    assert result.keys() >= RESULT_KEYS
    assert json.loads((tmp_path / "run" / "result.json").read_text()).keys() >= RESULT_KEYS
    assert (result["n_train"], result["n_test"]) == (40, 8)
    for name in ("config.json", "skipped.csv", "predictions.csv", "report.html", "model/manifest.json", "figures"):
        assert (tmp_path / "run" / name).exists(), name


def test_every_option_is_recorded_and_none_is_left_open(command, photos, tmp_path):
    command("train", photos, "--out", "run", "--backbone", "toy")
    options = json.loads((tmp_path / "run" / "config.json").read_text())
    assert options.keys() >= option_fields().keys()
    assert [name for name, option in options.items() if option["value"] == "auto"] == []
    assert all(option["reason"] for option in options.values())


def test_several_networks_are_averaged_and_their_options_told_apart(command, photos, tmp_path):
    code, out, _ = command("train", photos, "--out", "run", "--backbone", "toy+lite0", "--json")
    options = json.loads((tmp_path / "run" / "config.json").read_text())
    assert code == 0
    assert json.loads(out)["backbone"] == "toy+efficientnet-lite0"
    assert options["size"]["value"] == {"toy": 32, "efficientnet-lite0": 224}
    assert len(list((tmp_path / "run" / "model").glob("trunk-*.safetensors"))) == 2


def test_predict_gives_the_probabilities_of_predictions_csv(command, photos, tmp_path):
    command("train", photos, "--out", "run", "--backbone", "toy")
    with (tmp_path / "run" / "predictions.csv").open(newline="") as stream:
        written = {row["path"]: row for row in csv.DictReader(stream)}
    code, out, _ = command("predict", "run", *[photos / path for path in written], "--json")
    answers = json.loads(out)
    assert code == 0
    for answer, row in zip(answers["predictions"], written.values(), strict=True):
        expected = [float(row[f"p_{name}"]) for name in answers["classes"]]
        np.testing.assert_allclose(answer["proba"], expected, atol=1e-5)
        assert answer["label"] == row["predicted"]


def test_the_same_command_gives_the_same_figures(command, photos):
    results = [json.loads(command("train", photos, "--backbone", "toy", "--json")[1]) for _ in range(2)]
    for result in results:
        for name in ("seconds", "folder", "report", "test_read"):
            result.pop(name, None)
    assert results[0] == results[1]


def test_runs_without_a_name_never_overwrite_each_other(command, photos, tmp_path):
    for _ in range(2):
        command("train", photos, "--backbone", "toy")
    assert {path.name for path in tmp_path.glob("run*")} == {"run", "run-2"}


def test_an_existing_run_is_refused_before_any_work(command, photos, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("x")
    code, _, err = command("train", photos, "--out", "run", "--backbone", "toy")
    assert code == 2
    assert "run exists already" in err
    assert (tmp_path / "run" / "mine").exists()


def test_the_written_command_makes_the_run_again(command, photos, tmp_path):
    options = ("--backbone", "toy", "--views", "plain", "--test", "0.5", "--classes", "circle,square", "--seed", "4")
    first = json.loads(command("train", photos, *options, "--json")[1])
    again = json.loads(command(*first["command"].split()[1:], "--json")[1])
    assert first["accuracy"] == again["accuracy"]
    assert first["classes"] == again["classes"] == ["circle", "square"]
    assert first["n_test"] == again["n_test"] == 11


@pytest.mark.parametrize(
    "options",
    [
        ("--views", "mirror", "--view-use", "rows"),
        ("--views", "crops"),
        ("--head", "ridge"),
        ("--head", "logistic"),
        ("--fit", "pad", "--size", "48", "--interpolation", "bicubic"),
    ],
    ids=" ".join,
)
def test_every_way_of_showing_pictures_trains(command, photos, options):
    code, out, _ = command("train", photos, "--backbone", "toy", *options, "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] >= json.loads(out)["majority_baseline"]


def test_python_gives_what_the_command_line_gives(command, photos, tmp_path):
    result = handful.train(photos, tmp_path / "by-python", backbone="toy")
    spoken = json.loads(command("train", photos, "--backbone", "toy", "--json")[1])
    assert result.report.is_file()
    assert result.evaluation.accuracy == spoken["accuracy"]
    answers = handful.load(tmp_path / "by-python").predict([photos / "circle"])
    assert len(answers) == 16
    assert answers[0].label in answers[0].path or answers[0].proba.max() < 1.0


def test_errors_are_one_message_and_exit_code_2(command, tmp_path):
    code, out, err = command("train", tmp_path / "nowhere", "--backbone", "toy")
    assert (code, out) == (2, "")
    assert err.startswith("handful: ")
    assert "nowhere" in err
    assert "Traceback" not in err


def test_errors_with_json_are_one_object(command, tmp_path):
    code, out, _ = command("train", tmp_path / "nowhere", "--json")
    assert code == 2
    assert json.loads(out)["exit_code"] == 2


def test_an_unknown_network_names_the_nearest(command, photos):
    code, _, err = command("train", photos, "--backbone", "efficientnet-lite7")
    assert code == 2
    assert "Did you mean 'efficientnet-lite" in err


def test_a_network_that_is_not_at_hand_is_a_quick_error_without_a_call_or_a_pause(command, photos, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it called someone"))
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    (code, _, err), seconds = quickest(lambda: command("train", photos, "--backbone", "alexnet", "--offline"))
    assert code == 2
    assert seconds < 1.0
    assert "handful backbones --get alexnet" in err


def test_errors_in_the_pictures_come_before_torch(tmp_path):
    (tmp_path / "empty").mkdir()
    code = (
        "import sys; sys.argv = ['handful', 'train', sys.argv[1]]\n"
        "from handful.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as stop:\n"
        "    heavy = {'torch', 'matplotlib', 'pyarrow', 'asyncio'} & set(sys.modules)\n"
        "    sys.exit(9 if heavy else stop.code)"
    )
    typed = [sys.executable, "-c", code, tmp_path / "empty"]
    done, seconds = quickest(lambda: subprocess.run(typed, capture_output=True, text=True, check=False), children)
    assert done.returncode == 2, done.stderr
    assert seconds < 4.0
    assert str(tmp_path / "empty") in done.stderr


def test_check_says_what_is_there(command, photos):
    code, out, _ = command("check", photos, "--json")
    assert code == 0
    assert json.loads(out)["classes"] == {"circle": 16, "square": 16, "triangle": 16}


def test_backbones_lists_every_network(command):
    code, out, _ = command("backbones", "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)["backbones"]}
    assert code == 0
    assert listed["efficientnet-lite0"]["at_hand"]
    assert not listed["alexnet"]["at_hand"]


def test_weights_travel_to_a_machine_without_network(command, photos, tmp_path):
    assert command("backbones", "--export", "carried")[0] == 0
    code, out, _ = command("train", photos, "--backbone", "toy", "--weights", "carried", "--offline", "--json")
    assert code == 0
    assert "carried" in json.loads(out)["weights"][0]["origin"]


def test_a_stop_leaves_nothing_half_written(command, photos, tmp_path, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("handful.api.training.write_run", stop)
    code, _, err = command("train", photos, "--out", "run", "--backbone", "toy")
    assert code == 130
    assert "stopped" in err
    assert not list(tmp_path.glob("*run*"))


def test_a_fault_of_ours_is_exit_code_1_and_says_how_to_report_it(command, photos, monkeypatch):
    monkeypatch.setattr("handful.api.training.write_run", lambda *a: 1 / 0)
    code, _, err = command("train", photos, "--backbone", "toy")
    assert code == 1
    assert "handful --debug" in err


def test_the_version_is_printed(command):
    code, out, _ = command("--version")
    assert (code, out.split()[0]) == (0, "handful")


def test_help_names_every_command_and_option():
    runner = CliRunner()
    everything = runner.invoke(cli.app, ["--help"]).output
    assert all(name in everything for name in ("demo", "train", "predict", "check", "backbones", "report"))
    options = runner.invoke(cli.app, ["train", "--help"], env={"COLUMNS": "200"}).output
    assert all(name in options for name in ("--backbone", "--group-by", "--view-use", "--json", "--offline"))


def test_what_was_found_in_the_data_is_printed(command, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "mixed")
    twin = tmp_path / "mixed" / "square" / "twin.png"
    shutil.copy(next((tmp_path / "mixed" / "circle").iterdir()), twin)
    code, out, _ = command("train", "mixed", "--backbone", "toy")
    assert code == 0
    assert "1 picture is in more than one class, pixel by pixel" in out
    assert "mixed" in out or "square/twin.png" in out


def test_a_group_pattern_that_matches_nothing_is_refused(command, photos):
    code, _, err = command("train", photos, "--backbone", "toy", "--group-by", r"zebra(\d)")
    assert code == 2
    assert "matches none of the 48 paths" in err


def test_answers_come_in_the_order_of_the_question(command, photos, tmp_path):
    command("train", photos, "--backbone", "toy", "--out", "run")
    wanted = [photos / "triangle" / "001.png", photos / "circle" / "000.png", photos / "square" / "002.png"]
    answers = json.loads(command("predict", "run", *wanted, "--json")[1])["predictions"]
    assert [answer["path"] for answer in answers] == [str(path) for path in wanted]


def test_predict_says_when_nothing_was_read(command, photos, tmp_path):
    command("train", photos, "--backbone", "toy", "--out", "run")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    code, _, err = command("predict", "run", "broken.png")
    assert (code, "none of the 1 files could be read" in err) == (2, True)


def test_a_command_that_is_not_understood_is_one_object_too(command, photos):
    code, out, _ = command("train", photos, "--sed", "3", "--json")
    assert code == 2
    assert json.loads(out)["exit_code"] == 2


def test_a_class_with_a_comma_can_be_chosen(command, tmp_path):
    draw_folder(tmp_path / "odd", classes=("circle", "square", "triangle"), per_class=6, size=32)
    (tmp_path / "odd" / "circle").rename(tmp_path / "odd" / "a, b")
    code, out, err = command("train", "odd", "--backbone", "toy", "--classes", '"a, b",square', "--json")
    assert code == 0, err
    assert json.loads(out)["classes"] == ["a, b", "square"]


def test_a_cache_that_cannot_be_written_to_is_said_before_any_work(command, photos, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HANDFUL_CACHE", str(tmp_path / "file" / "cache"))
    code, _, err = command("train", photos, "--backbone", "toy")
    assert code == 2
    assert "HANDFUL_CACHE" in err


def test_networks_are_ranked_on_the_pictures_and_the_best_is_trained(command, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "SPECS", (catalog.find("toy"), catalog.find("vgg16")))
    code, out, _ = command("backbones", "--rank", photos, "--seed", 1)
    assert code == 0
    assert "judged on 40 held-out training pictures" in out
    assert "handful backbones --get vgg16" in out
    assert f"Train   handful train {photos} --backbone toy --seed 1" in out
    ranked = json.loads(command("backbones", "--rank", photos, "--json")[1])
    assert (ranked["best"], ranked["n_pictures"]) == ("toy", 40)
    code, out, _ = command("train", photos, "--backbone", "best", "--out", "run", "--json")
    assert code == 0
    assert json.loads(out)["ranking"]["networks"][0]["backbone"] == json.loads(out)["backbone"] == "toy"
    options = json.loads((tmp_path / "run" / "config.json").read_text())
    assert options["backbone"] == {"value": "toy", "reason": json.loads(out)["ranking"]["reason"]}
    assert 'id="network"' in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_options_about_pictures_need_pictures_to_rank_on(command):
    code, _, err = command("backbones", "--classes", "a,b")
    assert code == 2
    assert "classes would do nothing without --rank PHOTOS/" in err
