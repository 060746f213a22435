from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
import time

import pytest
from benchmarks.peers import installing, run
from benchmarks.peers.job import Clock, Job, arguments_of, read_job
from benchmarks.peers.roster import PEERS, find_peer
from benchmarks.peers.run import Entry, main, missing, order, read_lines, read_seeds
from benchmarks.peers.running import Outcome, run_peer
from benchmarks.peers.tasks import prepare

from handful.core.errors import ConfigError, HandfulError
from tests.benchmarks.archive import write_archive

ANSWERS = """
import sys, time
from benchmarks.peers.job import read_job, write_answers
job = read_job()
time.sleep({seconds})
write_answers(job, [path.name for path in job.test_pictures], ["cat" for _ in job.test_pictures], {{"seed": job.seed}})
time.sleep(60)
"""


@pytest.fixture
def archive(tmp_path, monkeypatch):
    return write_archive(tmp_path / "cifar.zip", monkeypatch)


@pytest.fixture
def cats(archive, tmp_path):
    return prepare("cifar", 0, tmp_path / "pictures", data=archive)


def asked(tmp_path, code, pictures, *, budget):
    script = tmp_path / "peer.py"
    script.write_text(textwrap.dedent(code))
    return run_peer(PEERS[0], sys.executable, pictures, budget=budget, seed=3, threads=1, script=[str(script)])


def test_peers_take_turns_and_another_begins_each_round():
    entries = list(order("solar", ["a", "b", "c"], [30, 60], [0, 1]))
    assert [entry.peer for entry in entries] == list("abcbcacababc")
    assert [(entry.budget, entry.seed) for entry in entries[::3]] == [(30, 0), (60, 0), (30, 1), (60, 1)]
    assert len(set(entries)) == 12


def test_a_run_is_missing_until_this_machine_has_a_line_of_it():
    wanted = [Entry("solar", peer, 30, seed) for seed in (0, 1) for peer in ("a", "b")]
    lines = [
        {**dataclasses.asdict(wanted[1]), "machine": "here", "date": "2026-11-29"},
        {**dataclasses.asdict(wanted[2]), "machine": "there", "date": "2026-11-29"},
    ]
    assert missing(wanted, lines, machine="here", since="") == [wanted[0], wanted[2], wanted[3]]
    assert missing(wanted, lines, machine="here", since="2026-11-30") == wanted


def test_seeds_are_a_range_or_a_list():
    assert read_seeds("0-4") == (0, 1, 2, 3, 4)
    assert read_seeds("0,2,5") == (0, 2, 5)


def test_a_job_arrives_as_it_was_sent(tmp_path, monkeypatch):
    place = tmp_path / "a b"
    job = Job(place, place, place, place, Clock(12.25, 30.0), seed=2, threads=1, backbone="alexnet", layers="head")
    monkeypatch.setattr(sys, "argv", ["peer", *arguments_of(job)])
    assert read_job() == job


def test_the_clock_stops_when_the_predictions_are_written_and_not_when_the_process_ends(cats, tmp_path):
    outcome = asked(tmp_path, ANSWERS.format(seconds=1), cats, budget=50)
    assert outcome.finished
    assert 1.0 <= outcome.seconds < 40.0
    assert outcome.accuracy == pytest.approx(0.2)
    assert outcome.choices == {"seed": 3}


def test_a_run_over_its_budget_is_ended_and_counts_as_not_finished(cats, tmp_path):
    started = time.monotonic()
    outcome = asked(tmp_path, ANSWERS.format(seconds=60), cats, budget=1)
    assert (outcome.finished, outcome.accuracy) == (False, None)
    assert outcome.seconds >= 1.05
    assert time.monotonic() - started < 30


def test_what_a_peer_started_ends_with_it(cats, tmp_path):
    mark = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(3); pathlib.Path({str(mark)!r}).touch()"
    asked(tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", cats, budget=1)
    time.sleep(3)
    assert not mark.exists()


def test_a_run_that_fails_is_an_error_with_what_it_said(cats, tmp_path):
    with pytest.raises(HandfulError, match="no weights today"):
        asked(tmp_path, "raise SystemExit('no weights today')", cats, budget=50)


def test_a_run_starts_with_nothing_cached_and_its_number_of_threads(cats, tmp_path):
    code = """
    import os, pathlib
    cache = pathlib.Path(os.environ["HANDFUL_CACHE"])
    raise SystemExit(f"{sorted(path.name for path in cache.iterdir())} {os.environ['OMP_NUM_THREADS']}")
    """
    with pytest.raises(HandfulError, match=r"\[\] 1"):
        asked(tmp_path, code, cats, budget=50)


def test_the_driver_makes_what_is_missing_writes_a_line_each_and_no_line_for_a_failure(archive, tmp_path, monkeypatch):
    made = []

    def pretend(peer, python, pictures, *, budget, seed, threads):
        made.append((peer.name, budget, seed, pictures.split))
        if peer.name == "vyntri":
            raise HandfulError("vyntri ended after 0 s without predictions")
        return run_outcome

    run_outcome = Outcome(True, 12.0, 0.5, {"epochs": 1})
    monkeypatch.setattr(run, "install", lambda environment, folder: environment)
    monkeypatch.setattr(run, "versions_of", lambda python: {})
    monkeypatch.setattr(run, "run_peer", pretend)
    monkeypatch.setattr(run, "_use_processors", lambda threads: None)
    results = tmp_path / "peers.jsonl"
    asked_for = [
        "--task",
        "cifar",
        "--data",
        str(archive),
        "--budgets",
        "30",
        "--seeds",
        "0,1",
        "--results",
        str(results),
    ]
    asked_for += ["--pictures", str(tmp_path / "pictures")]
    assert main([*asked_for, "--peers", "fastai,sklearn"]) == 0
    assert main([*asked_for, "--peers", "fastai,sklearn,vyntri"]) == 1
    assert [(name, seed) for name, _, seed, _ in made] == [
        ("fastai", 0), ("sklearn", 0), ("sklearn", 1), ("fastai", 1), ("vyntri", 0), ("vyntri", 1),
    ]  # fmt: skip
    assert {split for *_, seed, split in made if seed == 0} != {split for *_, seed, split in made if seed == 1}
    assert all(len({split for *_, seed, split in made if seed == wanted}) == 1 for wanted in (0, 1))
    assert [line["peer"] for line in read_lines(results)] == ["fastai", "sklearn", "sklearn", "fastai"]


def test_an_unknown_peer_is_refused_and_a_backbone_can_stand_behind_a_name():
    assert find_peer("fastai:alexnet").backbone == "alexnet"
    with pytest.raises(ConfigError, match="there is no peer 'fasta'"):
        find_peer("fasta:alexnet")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_has_a_script_and_an_environment(peer):
    assert (installing.REQUIREMENTS / f"{peer.environment}.txt").is_file()
    assert (installing.REQUIREMENTS.parent / f"{peer.module}.py").is_file()


def test_an_environment_is_installed_once_and_again_when_its_requirements_change(tmp_path, monkeypatch):
    commands = []
    (tmp_path / "fastai.txt").write_text("fastai\n")
    monkeypatch.setattr(installing, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(installing.venv, "create", lambda place, **_: place.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(installing.subprocess, "run", lambda command, **_: commands.append(command))
    for _ in range(2):
        installing.install("fastai", tmp_path / "environments")
    assert len(commands) == 1
    (tmp_path / "fastai.txt").write_text("fastai<3\n")
    installing.install("fastai", tmp_path / "environments")
    assert len(commands) == 2


def test_a_line_of_results_that_was_read_is_what_was_written(tmp_path):
    path = tmp_path / "peers.jsonl"
    assert read_lines(path) == []
    path.write_text(json.dumps({"task": "solar"}) + "\n\n")
    assert read_lines(path) == [{"task": "solar"}]
