"""Whether the process that makes a thing still runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from handful.core.owners import Owner


def test_this_process_is_there_and_one_of_its_number_that_began_at_another_time_is_not():
    here = Owner.here()
    assert Owner.read(here.written()) == here
    assert not here.is_gone()
    assert bool(here.born) == sys.platform.startswith("linux")
    if here.born:
        assert replace(here, born=f"{here.born}1").is_gone()
    assert not replace(here, host=f"not-{here.host}", pid=2**22 + 1).is_gone()


@pytest.mark.skipif(os.name == "nt", reason="asking a process whether it is there can end it")
def test_a_process_that_ended_is_gone():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert replace(Owner.here(), pid=process.pid).is_gone()


@pytest.mark.parametrize("text", [b"", b"{}", b'{"pid": 0, "host": "a", "since": 0, "born": ""}', b"\xff"])
def test_what_names_no_process_is_none(text):
    assert Owner.read(text) is None
