"""What the README tells a newcomer to type, typed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from handful.cli import main as cli
from handful.testing.pictures import draw_folder

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def newcomer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_folder(tmp_path / "photos", per_class=8, size=48)
    draw_folder(tmp_path / "drawn", classes=("circle",), per_class=3, size=48, seed=1)
    (tmp_path / "new").mkdir()
    for number, picture in enumerate(sorted((tmp_path / "drawn" / "circle").iterdir()), start=1):
        picture.rename(tmp_path / "new" / f"{number}.jpg")
    return tmp_path


def test_the_commands_work(newcomer, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("handful ")]
    assert len(lines) >= 9
    for line in lines:
        if "(needs" in line:
            continue
        shorter = line.replace("--time 2m", "--time 15s")
        monkeypatch.setattr(sys, "argv", shlex.split(shorter, comments=True))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert not caught.value.code, line
    assert opened == [(newcomer / "run" / "report.html").as_uri()]
    (call,) = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("python ")]
    done = subprocess.run([sys.executable, *shlex.split(call, comments=True)[1:]], check=True, capture_output=True)
    assert done.stdout.startswith(b"new/1.jpg ")
    assert (newcomer / "answers.csv").exists()


def test_the_python_works(newcomer, capsys):
    import handful

    handful.train("photos/", "run")
    (block,) = blocks("python")
    exec(compile(block, "README.md", "exec"), {})
    assert "new/1.jpg" in capsys.readouterr().out
