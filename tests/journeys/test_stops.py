"""Ctrl+C and SIGTERM while a command works: gone within five seconds, one line, and repeating goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import handful
from handful.testing.backbone import install_toy_backbone

WITHIN = 5.0
"""Seconds."""

ENDLESS = ("--epochs", "100000", "--patience", "100000")
TRAIN = ("train", "photos", "--backbone", "toy", "--out", "run")
BOTH = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@pytest.fixture
def begin(photos, tmp_path, monkeypatch):
    """Starts a command in a process of its own."""
    install_toy_backbone(monkeypatch, tmp_path / "toy")
    (tmp_path / "photos").symlink_to(photos)

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "handful.testing.command", tmp_path / "toy", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(handful.__file__).parents[1])},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


def stopped(process, number, *, when):
    """Sends a signal when something is so, and returns the exit code and the lines on standard error."""
    deadline = time.monotonic() + 120.0
    while not when() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    start = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30.0)
    assert time.monotonic() - start < WITHIN
    return process.returncode, errors.splitlines()


@BOTH
def test_a_training_is_stopped_within_an_epoch_and_says_what_is_kept(begin, tmp_path, own_caches, number, code):
    returned, said = stopped(
        begin(*TRAIN, "--strategy", "freeze", *ENDLESS),
        number,
        when=lambda: list((own_caches / "trainings").glob("*/*.safetensors")),
    )
    assert returned == code, said
    (line,) = said
    assert "trainings (up to epoch" in line
    assert line.endswith("of 100000) is kept, and the same command goes on from there.")
    assert {path.name for path in tmp_path.iterdir()} == {"toy", "photos"}


def test_a_study_says_how_many_trainings_are_kept_and_how_to_go_on(begin, tmp_path):
    varied = ("--vary", "lr=1e-4,1e-3", "--seeds", "40", "--head", "C", "--strategy", "freeze", "--epochs", "30")
    returned, said = stopped(
        begin("study", "photos", "--backbone", "toy", *varied, "--out", "study"),
        signal.SIGTERM,
        when=lambda: len(list((tmp_path / "study" / "trials").glob("*.json"))) > 1,
    )
    assert returned == 143, said
    (line,) = said
    assert "finished trainings of the study study kept, and the same command with --resume --out study goes on" in line
