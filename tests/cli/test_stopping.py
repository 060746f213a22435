"""What becomes of a process that is asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import handful
from handful.cli import main
from handful.cli.stopping import stoppable
from handful.core.stops import NOTHING_KEPT, told_when_stopped, what_is_kept

DEAF = """
import signal, sys, time
from handful.cli import stopping
stopping.GRACE = 0.2
with stopping.stoppable():
    while True:
        try:
            print("ready", flush=True)
            time.sleep(60.0)
        except (KeyboardInterrupt, SystemExit):
            pass
"""

SERVER = """
import signal, time
from handful.cli import stopping
stopping.GRACE = 0.05
heard = []
with stopping.stoppable():
    signal.signal(signal.SIGTERM, lambda *arguments: heard.append(arguments))
    signal.raise_signal(signal.SIGTERM)
    time.sleep(0.2)
print("heard", len(heard))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_process_that_does_not_heed_a_signal_is_ended(number, code):
    environment = {**os.environ, "PYTHONPATH": str(Path(handful.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=30.0) == code
        assert process.stderr.read().startswith("handful: stopped; ")


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_second_signal_does_not_disturb_the_clearing_up(number, kind):
    before = signal.getsignal(number)
    with stoppable():
        with pytest.raises(kind):
            signal.raise_signal(number)
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(number) is before
    assert not [thread for thread in threading.enumerate() if thread.name == "stopping"]


def test_signals_that_a_server_takes_for_itself_are_left_to_it():
    environment = {**os.environ, "PYTHONPATH": str(Path(handful.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", SERVER], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard 1\n", "")


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_a_stop_before_the_command_was_understood_is_told_too(monkeypatch, capsys, stop, code):
    def not_yet(*_, **__):
        raise stop

    monkeypatch.setattr(main, "app", not_yet)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == code
    assert capsys.readouterr().err == f"handful: stopped; {NOTHING_KEPT}.\n"


def test_what_is_kept_is_told_by_whoever_keeps_it():
    with pytest.raises(SystemExit) as stop, told_when_stopped(lambda: ""), told_when_stopped(lambda: "answers"):
        sys.exit(143)
    assert what_is_kept(stop.value) == "answers"
    assert what_is_kept(KeyboardInterrupt()) == NOTHING_KEPT
    later = SystemExit(130)
    later.__cause__ = stop.value
    assert what_is_kept(later) == "answers"
