"""A network of another library, from its weights to an answer."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import save_file

import handful
from handful.backbones import libraries
from handful.core.progress import Silent
from handful.report import summary
from handful.testing.library import LENT, install_fake_library, lent_state


@pytest.fixture
def library(monkeypatch, tmp_path):
    save_file(lent_state(), tmp_path / "lent.safetensors")
    return install_fake_library(monkeypatch)


LENT_OPTIONS = ("--backbone", LENT, "--weights", "lent.safetensors")


@pytest.mark.parametrize("strategy", ["features", "freeze"])
def test_it_is_trained_with_and_answers(command, library, photos, tmp_path, strategy):
    library.licence = "cc-by-nc-4.0"
    more = ("--strategy", "freeze", "--freeze", "stage1", "--epochs", 1) if strategy == "freeze" else ()
    code, out, _ = command("train", photos, "--out", "run", *LENT_OPTIONS, *more, "--json")
    assert code == 0
    result = json.loads(out)
    assert result["backbone"] == LENT
    assert result["weights"][0]["licence"] == "CC-BY-NC-4.0"
    assert "CC-BY-NC-4.0, which forbids commercial use" in (tmp_path / "run" / "report.html").read_text()
    code, out, _ = command("predict", "run", photos, "--json")
    assert code == 0
    assert json.loads(out)["predictions"]


def test_the_licence_is_told_before_the_work_and_again_with_the_result_where_it_forbids_something(
    library, photos, tmp_path, monkeypatch
):
    class Heard(Silent):
        def __init__(self):
            self.messages = []

        def say(self, message):
            self.messages.append(message)

        def stage(self, label, total):
            self.messages.append(label)
            return super().stage(label, total)

    library.licence = "cc-by-nc-4.0"
    heard = Heard()
    result = handful.train(
        photos, tmp_path / "run", backbone=LENT, weights=str(tmp_path / "lent.safetensors"), progress=heard
    )
    assert heard.messages[0] == "Network Lent; licence of its weights: CC-BY-NC-4.0, which forbids commercial use."
    assert "The weights of timm:lent have the licence CC-BY-NC-4.0, which forbids commercial use." in summary(
        result.run
    )


def test_it_starts_from_random_weights_too(command, library, photos, tmp_path):
    code, out, _ = command(
        "train", photos, "--out", "run", "--backbone", LENT, "--strategy", "scratch", "--epochs", 1, "--json"
    )
    assert code == 0
    assert json.loads(out)["weights"][0]["origin"].startswith("none: drawn at random")


def test_one_that_is_not_installed_is_one_message_before_any_picture_is_read(command, library, photos, monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda module: None)
    code, _, err = command("train", photos, "--backbone", "dinov2-small")
    assert code == 2
    assert "pip install 'handful[hf]'" in err


def test_plain_names_are_listed_with_their_licences(command):
    code, out, _ = command("backbones")
    assert code == 0
    for line in ("googlenet", "dinov2-small", "dinov3-license, Meta's own", "timm:NAME"):
        assert line in out
    listed = {entry["name"]: entry for entry in json.loads(command("backbones", "--json")[1])["backbones"]}
    assert listed["hf:facebook/dinov2-small"]["licence"] == "Apache-2.0"
