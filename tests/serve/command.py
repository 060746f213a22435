"""`handful serve` in a process of its own, with the toy network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

from tests.serve.conftest import Client

CHILD = """
import sys
from handful.testing.backbone import install_toy_backbone
import pytest, pathlib, tempfile
with pytest.MonkeyPatch.context() as patch:
    install_toy_backbone(patch, pathlib.Path(tempfile.mkdtemp()))
    sys.argv = ["handful", "serve", sys.argv[1], "--port", "0"]
    from handful.cli.main import main
    main()
"""


@contextmanager
def running_command(run):
    """Yields a client and the process, which SIGTERM ends without a word."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        try:
            line = process.stdout.readline()
            assert "answers at http://127.0.0.1:" in line, process.stderr.read()
            yield Client(line.split(" at ")[1].split()[0]), process
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
