"""Studies from outside, on the toy network."""

from __future__ import annotations

import json

OPTIONS = ("--backbone", "toy", "--epochs", "4", "--batch", "8", "--augmentation", "none", "--optimizer", "sgd")
STUDY = ("--vary", "lr=1e-3..1e-1:log3", "--vary", "l2=0,1e-2", "--seeds", "2", *OPTIONS)


def test_a_study_shows_what_options_do_and_its_best_becomes_a_model(command, photos, tmp_path):
    code, out, err = command("study", photos, *STUDY, "--json")
    made = json.loads(out)
    assert code == 0, err
    assert len(made["settings"]) == 6
    assert (tmp_path / "study" / "index.html").exists()
    assert "--seeds 2" in made["command"]
    assert "--vary lr=1e-3..1e-1:log3 --vary l2=0,1e-2" in made["command"]

    code, out, err = command("train", "--from-study", "study", "--json")
    result = json.loads(out)
    assert code == 0, err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["lr"]["value"] == made["best"]["lr"]
    assert config["refit"]["value"] is True
    assert result["n_test"] == 8
    assert result["findings"][0]["message"].startswith("Best setting of the study")


def test_a_study_goes_on_where_it_was(command, photos, tmp_path):
    command("study", photos, *STUDY, "--out", "mine")
    for path in sorted((tmp_path / "mine" / "trials").iterdir())[::2]:
        path.unlink()
    code, out, _ = command("study", photos, *STUDY, "--out", "mine", "--resume")
    assert code == 0
    assert len(list((tmp_path / "mine" / "trials").iterdir())) == 12
    assert "handful train --from-study mine" in out
    assert command("study", photos, *STUDY, "--out", "mine")[0] == 2


def test_pictures_that_changed_since_the_study_are_refused(command, photos, tmp_path):
    import shutil

    copy = shutil.copytree(photos, tmp_path / "copy")
    command("study", copy, "--vary", "lr=1e-3,1e-2", "--seeds", "1", *OPTIONS)
    next((copy / "circle").iterdir()).unlink()
    code, _, err = command("train", "--from-study", "study")
    assert code == 2
    assert "are not those of the study" in err


def test_options_beside_a_study_are_refused(command, photos):
    code, _, err = command("train", "--from-study", "study", "--lr", "0.1")
    assert code == 2
    assert "lr: a study's best setting is trained as the study had it" in err
    code, _, err = command("train")
    assert code == 2
    assert "no pictures were named" in err


def test_a_study_of_which_every_trial_fails_says_so(command, photos):
    code, _, err = command(
        "study", photos, "--vary", "lr=900,800", "--l2", "9", "--epochs", "60", *OPTIONS[:2], *OPTIONS[4:]
    )
    assert code == 3
    assert "every trial of the study failed" in err
