"""What becomes of a process that is asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import handful
from handful.cli import main
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

TWICE = """
import signal, sys, threading
from handful.cli.stopping import stoppable
number = int(sys.argv[1])
before = signal.getsignal(number)
try:
    with stoppable():
        try:
            signal.raise_signal(number)
        except BaseException as stop:
            print(type(stop).__name__)
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
finally:
    print(signal.getsignal(number) is before, [one.name for one in threading.enumerate()])
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


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(handful.__file__).parents[1])}


def run_with_handful(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_process_that_does_not_heed_a_signal_is_ended(number, code):
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=30.0) == code
        assert process.stderr.read().startswith("handful: stopped; ")


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "SystemExit")])
def test_a_second_signal_does_not_disturb_the_clearing_up(number, kind):
    done = run_with_handful(TWICE, str(int(number)))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{kind}\nTrue ['MainThread']\n", "")


def test_signals_that_a_server_takes_for_itself_are_left_to_it():
    done = run_with_handful(SERVER)
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
