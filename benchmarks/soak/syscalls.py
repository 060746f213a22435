"""A command that is killed at any step it takes on the disk can be given again, and nothing has to be tidied up.

`handful train`, `study` and `export` are killed at each of their steps on the disk, in a new place each time. Where the
folder has its name by then, and in every tenth place, the command is given again: it has to make the folder whole, or
to say that it is there. What it makes has to be what a command makes that was never killed, but for times, and nothing
may lie beside it. In the other places it is given again until it has removed what was left and begins anew.

python -m benchmarks.soak.syscalls [train] [study] [export]      all three where none is named
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.record import record
from handful.cli import main as cli
from handful.core.sealed import changed
from handful.features.engines import choose
from handful.testing.backbone import install_toy_backbone
from handful.testing.disk import Step, watched
from handful.testing.pictures import draw_folder

KILLED, EXISTS = 9, 2
WHOLE_EVERY = 10
"""Kills between two commands that are given again to the end."""

Dies = Callable[[int, Step], bool]
"""Whether a process ends at a step, by the step's number and the step."""

TOY = ("--backbone", "toy", "--threads", "1")


def main(*names: str) -> None:
    """Kills each command at every step, or those that are named, and looks at what it left."""
    figures = {}
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        root = Path(name)
        patch.setenv("HANDFUL_CACHE", str(root / "cache"))
        patch.setattr(choose, "OTHERS", ())
        install_toy_backbone(patch, root / "packages")
        photos = str(draw_folder(root / "shapes", per_class=16))
        study = ("study", photos, *TOY, "--vary", "lr=1e-4,1e-3", "--seeds", "1", "--head", "C", "--epochs", "2")
        train, trained = ("train", photos, *TOY), root / "trained" / "made"
        assert ended(train, trained) == 0
        for words in (train, (*study, "--resume"), ("export", str(trained), "--onnx")):
            if names and words[0] not in names:
                continue
            figures[words[0]] = kill_everywhere(root, words)
            print(words[0], figures[words[0]], flush=True)
    record(
        "a command that is killed at any step on the disk can be given again, and nothing has to be tidied up",
        figures=figures,
        holds=all(not one["faults"] and one["kills"] == one["steps"] for one in figures.values()),
    )


def kill_everywhere(root: Path, words: tuple[str, ...]) -> dict[str, object]:
    """Kills a command at each of its steps; returns how many there were, and what was not as promised."""
    alone, steps, place = root / f"{words[0]}-alone" / "made", root / "steps", root / "killed"
    assert ended(words, root / f"{words[0]}-warm" / "made") == 0
    assert ended(words, alone, told=steps) == 0
    n_steps, wanted = len(steps.read_text().splitlines()), content(alone)
    faults, n_kills, n_whole = [], 0, 0
    for number in range(1, n_steps + 1):
        n_kills += ended(words, place / "made", dies=at(number)) == KILLED
        is_there = (place / "made").exists()
        if is_there or number % WHOLE_EVERY == 0:
            n_whole += 1
            code = ended(words, place / "made")
            if code not in ((0, EXISTS) if is_there else (0,)) or content(place / "made") != wanted:
                faults.append(f"given again behind step {number}: {code}")
            if {path.name for path in place.iterdir()} != {"made"}:
                faults.append(f"left behind step {number}: {sorted(path.name for path in place.iterdir())}")
        elif ended(words, place / "made", dies=begins_anew) != KILLED or (place / ".made.partial").exists():
            faults.append(f"not begun anew behind step {number}")
        shutil.rmtree(place, ignore_errors=True)
    return {"steps": n_steps, "kills": n_kills, "given_again_to_the_end": n_whole, "faults": faults}


def begins_anew(_: int, step: Step) -> bool:
    """Returns whether a command, having removed what was left, makes the folder in which it works."""
    return step.call == "mkdir" and step.path.name == ".made.partial"


def at(number: int) -> Dies:
    """Returns what makes a process die at its step of a number."""
    return lambda n, _: n == number


def ended(
    words: tuple[str, ...],
    out: Path,
    *,
    dies: Dies | None = None,
    told: Path | None = None,
    said: Path | None = None,
) -> int:
    """Gives a command in a process of its own, and returns its exit code.

    Args:
        words: the command.
        out: its `--out`; steps beside it and below are seen.
        dies: whether the process ends at a step; or it raises what takes the place of the step.
        told: a file for the steps.
        said: a file for what the command writes on standard error.
    """
    out.parent.mkdir(exist_ok=True)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence if said is None else os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.argv = ["handful", *words, "--out", str(out)]
    seen: list[str] = []

    def see(step: Step) -> None:
        if not step.path.is_absolute() or step.path.is_relative_to(out.parent):
            seen.append(f"{step.call} {step.path}")
            if dies is not None and dies(len(seen), step):
                os._exit(KILLED)

    code = 1
    try:
        with watched(see):
            cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        if told is not None:
            told.write_text("\n".join(seen))
        os._exit(code)


def content(made: Path) -> dict[str, object]:
    """Returns the names of what a command made, with what does not depend on times; raises where a run is not whole."""
    if (made / "manifest.json").exists():
        assert changed(made) == ()
    same = ("trials/", "model/", "predictions.csv", "golden")
    found = {path.relative_to(made).as_posix(): path for path in made.rglob("*") if path.is_file()}
    kept: dict[str, object] = {
        name: path.read_bytes() if name.startswith(same) else b"" for name, path in found.items()
    }
    if "result.json" in kept:
        kept["result.json"] = json.loads(found["result.json"].read_bytes())["accuracy"]
    return kept


if __name__ == "__main__":
    main(*sys.argv[1:])
