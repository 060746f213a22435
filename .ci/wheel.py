"""Checks a wheel in an environment that holds nothing else: what it brings, and that a newcomer's first commands work.

python .ci/wheel.py WHEEL        (by the environment's own Python; `make wheel-test` does all of it)
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Set
from pathlib import Path

import handful
from handful.testing.pictures import draw_folder

SOURCE = Path(__file__).resolve().parents[1] / "src"
N_NEW = 6


def contents(wheel: Path) -> set[str]:
    """Returns the names of the files of the package that the wheel holds, without the wheel's own records."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    return {name for name in names if ".dist-info/" not in name}


def expected() -> set[str]:
    """Returns the names of the files of the package in the source tree."""
    return {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "handful").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def check_contents(held: Set[str], wanted: Set[str]) -> None:
    """Stops where the wheel lacks a file of the package, such as a template, or holds anything else, such as tests."""
    if held != wanted:
        sys.exit(f"the wheel lacks {sorted(wanted - held)} and should not hold {sorted(held - wanted)}")
    if "handful/py.typed" not in held:
        sys.exit("the wheel lacks handful/py.typed, so that type checkers do not read its annotations")
    if Path(handful.__file__).is_relative_to(SOURCE):
        sys.exit(f"handful comes from {handful.__file__}; expected the installed wheel")


def run(*command: str) -> str:
    """Runs a command in the current folder and returns what it printed; stops with the check where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  our own commands
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def first_commands() -> str:
    """Trains on drawn pictures with the network that installs with handful, asks it, and returns the result's line."""
    command = str(Path(sys.executable).with_name("handful"))
    run(command, "--help")
    draw_folder(Path("photos"), per_class=12)
    draw_folder(Path("new"), classes=("circle", "square"), per_class=N_NEW // 2, seed=1)
    told = run(command, "train", "photos", "--offline")
    run(command, "predict", "run", "new", "--out", "answers.csv")
    with Path("answers.csv").open(encoding="utf-8", newline="") as file:
        answers = list(csv.DictReader(file))
    if len(answers) != N_NEW or not all(row["predicted"] for row in answers):
        sys.exit(f"answers.csv holds {answers}; expected a class for each of {N_NEW} pictures")
    if not Path("run/report.html").stat().st_size:
        sys.exit("run/report.html is empty")
    (line,) = [line for line in told.splitlines() if "test pictures right" in line]
    return line


def main() -> None:
    """Checks the wheel that the command line names."""
    wheel = Path(sys.argv[1]).resolve()
    check_contents(contents(wheel), expected())
    run(sys.executable, "-m", "pip", "check")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["HANDFUL_CACHE"] = str(Path(folder) / "cache")
        line = first_commands()
        os.chdir("/")
    sys.stdout.write(f"{wheel.name}: installed, trained and asked in an empty environment.\n{line}\n")


if __name__ == "__main__":
    main()
