"""Another model takes the place of the first, and no request notices."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time

import numpy as np
import pytest

import handful
from tests.serve.command import running_command


@pytest.fixture
def other(photos, toy, tmp_path):
    """A run on the same classes with another seed."""
    return handful.train(photos, tmp_path / "other", backbone="toy", threads=1, seed=5, test=1.0).folder


def replace_with(run, other):
    aside = run.with_name("aside")
    run.rename(aside)
    shutil.copytree(other, run)
    shutil.rmtree(aside)


def test_a_new_model_answers_after_a_reload_and_no_request_is_lost(run, other, server, photos):
    files = sorted(photos.glob("*/*.png"))[:6]
    data = [path.read_bytes() for path in files]
    first = server("GET", "/model")[2]["model_id"]
    expected = {first: [answer.proba for answer in handful.load(run).predict(files)]}
    found, stop = [], threading.Event()

    def ask(start):
        number = start
        while not stop.is_set():
            number += 1
            found.append((number % 6, server("POST", "/predict", data[number % 6])))

    askers = [threading.Thread(target=ask, args=(start,)) for start in range(6)]
    for asker in askers:
        asker.start()
    try:
        replace_with(run, other)
        for turn in range(4):
            status, _, told = server("POST", "/reload")
            assert status == 200
            if turn == 1:
                weights = run / "model" / "heads.safetensors"
                good = weights.read_bytes()
                weights.write_bytes(good[:-1])
                status, _, refused = server("POST", "/reload")
                assert status == 409
                assert "the old model goes on" in refused["error"]
                assert server("GET", "/health")[2] == {
                    "status": "ok", "model_id": told["model_id"], "reload_failed": True
                }  # fmt: skip
                weights.write_bytes(good)
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    second = told["model_id"]
    assert second != first
    expected[second] = [answer.proba for answer in handful.load(run).predict(files)]
    assert {status for _, (status, _, _) in found} == {200}
    assert {answer["model_id"] for _, (_, _, answer) in found} == {first, second}
    for number, (_, _, answer) in found:
        probabilities = list(answer["probabilities"].values())
        np.testing.assert_allclose(probabilities, expected[answer["model_id"]][number], atol=1e-5)
    assert server("GET", "/health")[2]["reload_failed"] is False
    text = server("GET", "/metrics")[2]
    assert 'handful_reloads_total{outcome="failed"} 1' in text
    assert 'handful_reloads_total{outcome="ok"} 4' in text


def test_a_folder_that_is_replaced_changes_nothing_until_the_server_is_told(run, other, server):
    before = server("GET", "/health")[2]
    replace_with(run, other)
    time.sleep(0.3)
    assert server("GET", "/health")[2] == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_signals_reload_and_end_the_command(run, other):
    with running_command(run) as (client, process):
        first = client("GET", "/health")[2]["model_id"]
        replace_with(run, other)
        process.send_signal(signal.SIGHUP)
        deadline = time.perf_counter() + 30
        while client("GET", "/health")[2]["model_id"] == first and time.perf_counter() < deadline:
            time.sleep(0.05)
        assert client("GET", "/health")[2]["model_id"] != first
