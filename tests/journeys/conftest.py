"""Typing a command as a user does."""

from __future__ import annotations

import sys

import pytest

from handful.cli import main as cli


def handful_command(monkeypatch, capsys, *arguments):
    """Runs the command as `main` does and returns exit code, standard output and standard error."""
    monkeypatch.setattr(sys, "argv", ["handful", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    captured = capsys.readouterr()
    return caught.value.code or 0, captured.out, captured.err


@pytest.fixture
def command(monkeypatch, capsys, tmp_path, toy):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: handful_command(monkeypatch, capsys, *arguments)
