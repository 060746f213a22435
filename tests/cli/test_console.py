"""Bars and their notes, on a terminal and on a pipe."""

from __future__ import annotations

import io
import time

from rich.console import Console

from handful.cli.console import Bars

PATIENCE = 5.0
"""Seconds in which a bar, drawn ten times a second, must have appeared."""


def bars_on(*, terminal):
    bars, stream = Bars(), io.StringIO()
    bars.console = Console(file=stream, force_terminal=terminal, width=80)
    return bars, stream


def wait_for(stream, text):
    end = time.monotonic() + PATIENCE
    while text not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.02)
    return text in stream.getvalue()


def test_a_note_is_drawn_below_its_bar_while_the_stage_is_open():
    bars, stream = bars_on(terminal=True)
    with bars.stage("Training", 10) as advance:
        advance(3, "Epoch 1 of 5: [loss] 0.5\nvalidation 0.6")
        assert wait_for(stream, "Epoch 1 of 5: [loss] 0.5")
        assert wait_for(stream, "validation 0.6")
        assert wait_for(stream, " 3/10")
        advance(1, "Epoch 2 of 5")
        assert wait_for(stream, "Epoch 2 of 5")
    assert "Epoch" not in stream.getvalue().rpartition(" 4/10")[2]


def test_on_a_pipe_nothing_is_drawn_or_said():
    bars, stream = bars_on(terminal=False)
    with bars.stage("Training", 10) as advance:
        advance(10, "Epoch 1 of 5")
        time.sleep(0.3)
    bars.say("Epoch 1 of 5")
    assert stream.getvalue() == ""
